"""A source that does not answer is named after a minute at most, and what comes after it can be read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelwright.core.errors import DataError
from modelwright.sources import images, patience
from modelwright.sources.delimited import CsvSettings, read
from modelwright.sources.images import ImagesSettings
from modelwright.sources.images import read as read_images
from modelwright.sources.tree import Tree


def test_a_frozen_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert patience.PATIENCE <= 60
    monkeypatch.setattr(patience, "PATIENCE", 0.2)
    (tmp_path / "good.csv").write_text("number,label\n1,a\n2,b\n")
    (tmp_path / "frozen.csv").write_text("number,label\n1,a\n")
    thawed = threading.Event()
    usual = Path.open

    def hanging(path: Path, *rest: object) -> object:
        if path.name == "frozen.csv":
            thawed.wait(30)
        return usual(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "open", hanging)
    with pytest.raises(DataError, match=r"frozen.csv: nothing came for 0.2 s"):
        read(CsvSettings(path="frozen.csv"), tmp_path)
    # The thread that hangs is left behind.
    assert len(read(CsvSettings(path="good.csv"), tmp_path)) == 2
    thawed.set()


def test_a_frozen_picture_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    monkeypatch.setattr(patience, "PATIENCE", 0.2)
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        Image.new("RGB", (8, 8), (9, 9, 9)).save(tmp_path / label / "one.png")
    thawed = threading.Event()
    usual = images.opened

    @contextmanager
    def hanging(*asked: Any) -> Iterator[Tree]:
        with usual(*asked) as tree:
            members = [
                replace(one, read=lambda: bytes(thawed.wait(30))) if "dog" in one.name else one for one in tree.members
            ]
            yield replace(tree, members=tuple(members))

    monkeypatch.setattr(images, "opened", hanging)
    with pytest.raises(DataError, match=r"dog/one.png: nothing came for 0.2 s"):
        read_images(ImagesSettings(path="."), tmp_path)
    thawed.set()


def test_what_reading_meets_is_raised_as_it_is() -> None:
    def broken() -> bytes:
        raise OSError("input/output error")

    with pytest.raises(OSError, match="input/output error"):
        patience.patiently(broken, "here")
    assert patience.patiently(lambda: 7, "here") == 7
