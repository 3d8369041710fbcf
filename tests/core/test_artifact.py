"""Every change of an artifact is noticed and named."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from modelwright.core.artifact import ABOUT, Artifact, check_files, find, find_about, manifest_path, store, verify
from modelwright.core.errors import DamagedArtifact


def fill(folder: Path, text: str = "content", about: str = "") -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "a.bin").write_bytes(bytes(range(256)))
    (folder / "sub" / "b.txt").write_text(text)
    if about:
        (folder / ABOUT).write_text(json.dumps({"model": about}))
    return folder


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    (tmp_path / "shelf").mkdir()
    return tmp_path / "shelf"


@pytest.fixture
def stored(tmp_path: Path, shelf: Path) -> Artifact:
    return store(fill(tmp_path / "work"), "model", shelf)


def test_what_is_stored_is_found_and_good(stored: Artifact, shelf: Path, tmp_path: Path) -> None:
    verify(stored)
    assert find(shelf, "model", stored.digest) == stored
    assert stored.path.name == f"model-{stored.digest[:16]}"
    assert sorted(path.name for path in shelf.iterdir()) == [stored.path.name, f"{stored.path.name}.json"]
    assert not (tmp_path / "work").exists()


def test_the_digest_depends_on_content_names_and_kind_and_nothing_else(tmp_path: Path, shelf: Path) -> None:
    first = store(fill(tmp_path / "one"), "model", shelf)
    other = fill(tmp_path / "two")
    os.utime(other / "a.bin", (1, 1))
    (other / "a.bin").chmod(0o600)
    assert store(other, "model", shelf) == first
    assert store(fill(tmp_path / "three", "other"), "model", shelf).digest != first.digest
    assert store(fill(tmp_path / "four"), "dataset", shelf).digest != first.digest
    renamed = fill(tmp_path / "five")
    (renamed / "a.bin").rename(renamed / "c.bin")
    assert store(renamed, "model", shelf).digest != first.digest


def flip(position: int) -> Callable[[Artifact], Path]:
    def change(artifact: Artifact) -> Path:
        path = artifact.path / "a.bin"
        content = bytearray(path.read_bytes())
        content[position] ^= 1
        path.write_bytes(content)
        return path

    return change


def missing(artifact: Artifact) -> Path:
    (artifact.path / "sub" / "b.txt").unlink()
    return artifact.path / "sub" / "b.txt"


def truncated(artifact: Artifact) -> Path:
    os.truncate(artifact.path / "a.bin", 255)
    return artifact.path / "a.bin"


def added(artifact: Artifact) -> Path:
    (artifact.path / "sub" / ".hidden").write_text("")
    return artifact.path / "sub" / ".hidden"


def link_for_file(artifact: Artifact) -> Path:
    path = artifact.path / "a.bin"
    shutil.copy(path, artifact.path.parent / "copy")
    path.unlink()
    path.symlink_to(artifact.path.parent / "copy")
    return path


def link_for_folder(artifact: Artifact) -> Path:
    path = artifact.path / "sub"
    shutil.move(path, artifact.path.parent / "moved")
    path.symlink_to(artifact.path.parent / "moved")
    return path


def link_added(artifact: Artifact) -> Path:
    (artifact.path / "more").symlink_to(artifact.path.parent)
    return artifact.path / "more"


def broken_link(artifact: Artifact) -> Path:
    (artifact.path / "more").symlink_to("/nowhere/at/all")
    return artifact.path / "more"


def pipe_added(artifact: Artifact) -> Path:
    os.mkfifo(artifact.path / "pipe")
    return artifact.path / "pipe"


def folder_for_file(artifact: Artifact) -> Path:
    (artifact.path / "a.bin").unlink()
    (artifact.path / "a.bin").mkdir()
    return artifact.path / "a.bin"


def manifest_too(artifact: Artifact) -> Path:
    """Change a file and the manifest so that they agree."""
    (artifact.path / "a.bin").write_bytes(b"forged")
    return edit_manifest(artifact, lambda data: data["files"].update({"a.bin": hashlib.sha256(b"forged").hexdigest()}))


def edit_manifest(artifact: Artifact, change: Callable[[dict], None]) -> Path:  # type: ignore[type-arg]
    path = manifest_path(artifact)
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    return path


def manifest_kind(artifact: Artifact) -> Path:
    return edit_manifest(artifact, lambda data: data.update(kind="dataset"))


def manifest_digest(artifact: Artifact) -> Path:
    return edit_manifest(artifact, lambda data: data.update(digest="0" * 64))


def manifest_without_files(artifact: Artifact) -> Path:
    return edit_manifest(artifact, lambda data: data.pop("files"))


def manifest_list(artifact: Artifact) -> Path:
    manifest_path(artifact).write_text("[]")
    return manifest_path(artifact)


def manifest_torn(artifact: Artifact) -> Path:
    os.truncate(manifest_path(artifact), 20)
    return manifest_path(artifact)


def manifest_gone(artifact: Artifact) -> Path:
    manifest_path(artifact).unlink()
    return manifest_path(artifact)


CHANGES = [
    flip(0),
    flip(255),
    missing,
    truncated,
    added,
    link_for_file,
    link_for_folder,
    link_added,
    broken_link,
    pipe_added,
    folder_for_file,
    manifest_too,
    manifest_kind,
    manifest_digest,
    manifest_without_files,
    manifest_list,
    manifest_torn,
    manifest_gone,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_every_change_is_noticed_and_named(change: Callable[[Artifact], Path], stored: Artifact) -> None:
    path = change(stored)
    with pytest.raises(DamagedArtifact) as caught:
        verify(stored)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "change", [flip(3), missing, added, manifest_kind, manifest_torn, manifest_gone], ids=lambda change: change.__name__
)
def test_storing_the_same_again_heals(
    change: Callable[[Artifact], Path], stored: Artifact, shelf: Path, tmp_path: Path
) -> None:
    change(stored)
    assert store(fill(tmp_path / "again"), "model", shelf) == stored
    verify(stored)


def test_a_good_one_is_not_written_again(stored: Artifact, shelf: Path, tmp_path: Path) -> None:
    before = (stored.path / "a.bin").stat().st_ino
    store(fill(tmp_path / "again"), "model", shelf)
    assert (stored.path / "a.bin").stat().st_ino == before


def test_links_are_not_stored(tmp_path: Path, shelf: Path) -> None:
    folder = fill(tmp_path / "work")
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(DamagedArtifact, match="this is a link"):
        store(folder, "model", shelf)
    assert list(shelf.iterdir()) == []


def test_what_is_not_there_is_said_to_be_missing(stored: Artifact, shelf: Path) -> None:
    with pytest.raises(DamagedArtifact, match="the artifact is missing"):
        find(shelf, "model", "0" * 64)
    shutil.rmtree(stored.path)
    with pytest.raises(DamagedArtifact, match="the artifact is missing"):
        find(shelf, "model", stored.digest)


def test_find_about_finds_the_one_made_from_that_and_checks_it(tmp_path: Path, shelf: Path) -> None:
    wanted = store(fill(tmp_path / "one", about="m1"), "answers", shelf)
    store(fill(tmp_path / "two", about="m2"), "answers", shelf)
    store(fill(tmp_path / "three"), "answers", shelf)
    assert find_about(shelf, "answers", {"model": "m1"}) == wanted
    assert find_about(shelf, "answers", {"model": "m3"}) is None
    assert find_about(shelf, "model", {"model": "m1"}) is None
    (wanted.path / "a.bin").write_bytes(b"x")
    with pytest.raises(DamagedArtifact, match=r"a\.bin"):
        find_about(shelf, "answers", {"model": "m1"})


def test_check_files_may_ignore_named_files_only(tmp_path: Path) -> None:
    (tmp_path / "signature").write_text("x")
    check_files(tmp_path, {}, ignored=("signature",))
    with pytest.raises(DamagedArtifact, match="does not belong here"):
        check_files(tmp_path, {}, ignored=("other",))
