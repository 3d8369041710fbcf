"""A file or folder is there whole or not at all, whatever fails and whenever."""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults import calls_of, failing
from modelwright.core import files
from modelwright.core.errors import BudgetError, DamagedArtifact, RecipeError
from modelwright.core.files import new_folder, read_json, remove_unfinished, write_bytes, write_json

OLD, NEW = b"the old content", b"the new content, which is longer"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_failing_call_leaves_the_old_file_and_nothing_stray(number: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    total = calls_of(lambda: write_bytes(path, NEW))
    assert total >= 6
    replaced = 0
    for fail_at in range(1, total + 1):
        path.write_bytes(OLD)
        with failing(fail_at, OSError(number, os.strerror(number))), pytest.raises(BudgetError):
            write_bytes(path, NEW)
        assert names(tmp_path) == ["file"], f"call {fail_at}"
        assert path.read_bytes() in (OLD, NEW), f"call {fail_at}"
        replaced += path.read_bytes() == NEW
    # Once the name has moved only the folder's own sync can fail: open, fsync.
    assert replaced == 2


def test_a_failing_call_leaves_no_half_folder(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        with new_folder(folder) as new:
            (new / "a").write_bytes(b"1")
            (new / "b").mkdir()
            (new / "b" / "c").write_bytes(b"2")

    total = calls_of(lambda: fill(tmp_path / "counted"))
    assert total >= 10
    for fail_at in range(1, total + 1):
        final = tmp_path / f"folder{fail_at}" / "made"
        final.parent.mkdir()
        with failing(fail_at, OSError(errno.EDOM, "broken")), pytest.raises(OSError, match="broken"):
            fill(final)
        assert names(final.parent) in ([], ["made"]), f"call {fail_at}"
        if final.exists():
            assert (final / "b" / "c").read_bytes() == b"2"


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "x") as folder:
            (folder / "half").write_text("1")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert names(tmp_path) == []


def test_what_is_written_is_synced_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(files.os, "fsync", lambda handle: (order.append("sync"), sync(handle))[1])
    monkeypatch.setattr(files.os, "replace", lambda *paths: (order.append("replace"), replace(*paths))[1])
    write_bytes(tmp_path / "x", NEW)
    assert order == ["sync", "replace", "sync"]


def test_a_full_disk_is_named_with_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(BudgetError) as caught:
        write_bytes(tmp_path / "x", b"0" * 4096)
    assert caught.value.exit_code == 4
    assert str(tmp_path / "x") in str(caught.value)
    assert "4.0 KiB needed" in str(caught.value)
    assert "free" in str(caught.value)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, where mounting one is permitted."""
    place = tmp_path / "tiny"
    place.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if mounted.returncode:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_really_full(tiny_disk: Path) -> None:
    path = tiny_disk / "file"
    write_bytes(path, OLD)
    with pytest.raises(BudgetError) as caught:
        write_bytes(path, b"0" * 200_000)
    assert str(path) in str(caught.value)
    assert (path.read_bytes(), names(tiny_disk)) == (OLD, ["file"])
    with pytest.raises(BudgetError), new_folder(tiny_disk / "folder") as folder:
        (folder / "big").write_bytes(b"0" * 200_000)
    assert names(tiny_disk) == ["file"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_place_that_cannot_be_written(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(io, "open", refuse)
    with pytest.raises(RecipeError, match="cannot write here") as caught:
        write_bytes(tmp_path / "x", NEW)
    assert (caught.value.exit_code, str(tmp_path / "x") in str(caught.value)) == (2, True)


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RecipeError, match="cannot write here"):
        write_bytes(tmp_path / "file" / "x", NEW)


def test_other_errors_keep_their_kind(tmp_path: Path) -> None:
    with pytest.raises(DamagedArtifact), files.explained(tmp_path):
        raise DamagedArtifact("x")
    with pytest.raises(OSError, match="odd"), files.explained(tmp_path):
        raise OSError(errno.EDOM, "odd")


def test_json_round_trip_with_any_text(tmp_path: Path) -> None:
    data = {"模匠": ["\u2028", "\udc80half", 1.5, None], "x": {"y": True}}
    write_json(tmp_path / "x.json", data)
    assert read_json(tmp_path / "x.json") == data
    assert "模匠".encode() in (tmp_path / "x.json").read_bytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_has_no_number_that_is_none(value: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"a": value})
    assert names(tmp_path) == []


def test_what_cannot_be_read_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(DamagedArtifact, match="missing"):
        read_json(tmp_path / "x")
    for content in (b"{", b"\xff\xfe{}"):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(DamagedArtifact, match="not JSON"):
            read_json(tmp_path / "x")
    assert json.loads("1") == 1
    assert builtins.open is io.open, "the simulated failures are undone"


def test_remove_unfinished_leaves_everything_else(tmp_path: Path) -> None:
    (tmp_path / ".unfinished-1-a").mkdir()
    (tmp_path / ".unfinished-1-a" / "x").write_text("x")
    (tmp_path / ".unfinished-1-b").write_text("x")
    (tmp_path / "unfinished-kept").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    remove_unfinished(tmp_path)
    assert names(tmp_path) == [".hidden", "unfinished-kept"]
