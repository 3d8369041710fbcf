"""Data behind an address: fetched, watched for change, and refused where others could change it on its way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from modelwright.core.errors import DataError
from modelwright.core.recipe import recipe_from
from modelwright.sources import remote
from modelwright.sources.delimited import CsvSettings, read
from modelwright.stages.prepare.fingerprint import fingerprint

TABLE = "number,label\n" + "".join(f"{row},{'ab'[row % 2]}\n" for row in range(40))


@pytest.fixture(autouse=True)
def storage() -> Iterator[Any]:
    """A bucket in memory; what was fetched is let go of at the end."""
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe("/bucket/table.csv", TABLE.encode())
    yield filesystem
    filesystem.rm("/bucket", recursive=True)
    remote._clear()


def test_a_table_in_a_bucket_is_read_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(TABLE)
    there = read(CsvSettings(path="memory://bucket/table.csv"), tmp_path)
    here = read(CsvSettings(path="table.csv"), tmp_path)
    assert there == here
    assert there.origins[0] == "table.csv:2"


def test_a_changed_object_is_noticed(storage: Any, tmp_path: Path) -> None:
    data = {"version": 1, "name": "a", "task": "tabular", "model": "tree", "prepare": {}}
    recipe = recipe_from({**data, "data": {"kind": "csv", "path": "memory://bucket/table.csv"}}, tmp_path)
    before = fingerprint(recipe)
    assert fingerprint(recipe) == before
    storage.pipe("/bucket/table.csv", TABLE.encode() + b"41,a\n")
    assert fingerprint(recipe) != before


@pytest.mark.parametrize("scheme", ["http", "ftp", "file", "dir", "local", "sftp"])
def test_what_is_open_to_others_is_refused(scheme: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"data is not read over '{scheme}'"):
        read(CsvSettings(path=f"{scheme}://host/table.csv"), tmp_path)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"memory://bucket/absent.csv: cannot be opened"):
        read(CsvSettings(path="memory://bucket/absent.csv"), tmp_path)


def test_a_frozen_storage_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    thawed = threading.Event()

    class Frozen:
        sent = False

        def __enter__(self) -> Frozen:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def read(self, size: int) -> bytes:
            if self.sent:
                thawed.wait(30)
                return b""
            self.sent = True
            return b"number,label\n"

    monkeypatch.setattr(remote, "_open", lambda address: Frozen())
    with pytest.raises(DataError, match=r"memory://bucket/frozen.csv: nothing came for 0.2 s"):
        remote.fetch("memory://bucket/frozen.csv", patience=0.2)
    thawed.set()
    assert remote.PATIENCE <= 60
    assert not remote._fetched


def test_half_a_file_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Frozenless):
        def read(self, size: int) -> bytes:
            raise OSError("connection reset")

    monkeypatch.setattr(remote, "_open", lambda address: Broken())
    with pytest.raises(DataError, match="reading broke off: connection reset"):
        remote.fetch("memory://bucket/broken.csv")
    assert not remote._fetched


class Frozenless:
    """What an opened object is."""

    def __enter__(self) -> Frozenless:
        return self

    def __exit__(self, *error: object) -> None:
        pass
