"""Artifacts: folders of plain files, named by the digest of what is in them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .digest import digest_of, sha256_of
from .errors import DamagedArtifact
from .files import new_folder, read_json, write_json
from .opened import is_sealed_folder, opened, seal_folder
from .sealing import Key

# Optional file in which whoever fills an artifact says what it was made from, so that it can be found again.
ABOUT = "about.json"
AGAIN = "run the same recipe with --from-scratch to make it anew"


@dataclass(frozen=True)
class Artifact:
    """One stored folder: its kind, the digest of its content, where it lies."""

    kind: str
    digest: str
    path: Path


def manifest_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by relative path; links are refused."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise DamagedArtifact("this is a link", where=path, expected="plain files only")
        if path.is_file():
            files[path.relative_to(folder).as_posix()] = sha256_of(path)
    return files


def artifact_digest(kind: str, files: dict[str, str]) -> str:
    """Return the digest of an artifact: it covers names and bytes of the files, and nothing that differs between machines."""
    return digest_of({"kind": kind, "files": files})


def store(filled: Path, kind: str, shelf: Path, key: Key | None = None) -> Artifact:
    """Move a filled folder onto the shelf under its digest; what is there already stays, unless it is damaged.

    With a key its files are sealed on the shelf; the digest is that of what they hold, sealed or not.

    The manifest lies beside the folder, so that the folder holds nothing but its content; it is written last, so an
    artifact without one was never finished.
    """
    files = manifest_of(filled)
    artifact = Artifact(kind, artifact_digest(kind, files), shelf / f"{kind}-{artifact_digest(kind, files)[:16]}")
    if not _intact(shelf, artifact):
        manifest_path(artifact).unlink(missing_ok=True)
        shutil.rmtree(artifact.path, ignore_errors=True)
        with new_folder(artifact.path) as folder:
            if key is not None:
                seal_folder(filled, folder, key)
            else:
                for path in sorted(filled.iterdir()):
                    shutil.move(path, folder / path.name)
        write_json(manifest_path(artifact), {"kind": kind, "digest": artifact.digest, "files": files})
    shutil.rmtree(filled)
    return find(shelf, kind, artifact.digest)


def _intact(shelf: Path, artifact: Artifact) -> bool:
    try:
        verify(find(shelf, artifact.kind, artifact.digest))
    except DamagedArtifact:
        return False
    return True


def manifest_path(artifact: Artifact) -> Path:
    """Return where the manifest of an artifact lies."""
    return artifact.path.with_name(artifact.path.name + ".json")


def find(shelf: Path, kind: str, digest: str) -> Artifact:
    """Return an artifact by digest; one that is sealed is opened, in a private place, for as long as this process lives.

    Raises:
        DamagedArtifact: it is not on the shelf, or not what was sealed.
        RecipeError: the key that opens it is not to be had.
    """
    return _open(locate(shelf, kind, digest))


def _open(artifact: Artifact) -> Artifact:
    if not is_sealed_folder(artifact.path):
        return artifact
    return Artifact(artifact.kind, artifact.digest, opened(artifact.path, manifest_path(artifact)))


def locate(shelf: Path, kind: str, digest: str) -> Artifact:
    """Return an artifact by digest, as it lies on the shelf.

    Raises:
        DamagedArtifact: it is not on the shelf.
    """
    artifact = Artifact(kind, digest, shelf / f"{kind}-{digest[:16]}")
    if not artifact.path.is_dir() or not manifest_path(artifact).exists():
        raise DamagedArtifact(
            "the artifact is missing", where=artifact.path, next_step="run the recipe again to make it anew"
        )
    return artifact


def find_about(shelf: Path, kind: str, about: dict[str, str]) -> Artifact | None:
    """Return the artifact whose `about.json` says exactly this, if there is one.

    Raises:
        DamagedArtifact: it is there, but is not what was stored.
    """
    for path in sorted(shelf.glob(f"{kind}-*.json")):
        artifact = _open(Artifact(kind, str(_manifest(path)["digest"]), path.with_suffix("")))
        if (artifact.path / ABOUT).exists() and read_json(artifact.path / ABOUT) == about:
            verify(artifact)
            return artifact
    return None


def verify(artifact: Artifact) -> None:
    """Recompute every digest of an artifact.

    Raises:
        DamagedArtifact: names the first file that is not what it was.
    """
    manifest = _manifest(manifest_path(artifact))
    try:
        check_files(artifact.path, manifest["files"])
    except DamagedArtifact as error:
        (problem,) = error.problems
        raise DamagedArtifact(problem.found, where=problem.where, expected=problem.expected, next_step=AGAIN) from None
    stated = (manifest["kind"], manifest["digest"], artifact_digest(artifact.kind, manifest["files"]))
    if stated != (artifact.kind, artifact.digest, artifact.digest):
        raise DamagedArtifact(
            "the manifest was changed",
            where=manifest_path(artifact),
            expected=f"digest {artifact.digest[:16]}",
            next_step=AGAIN,
        )


def _manifest(path: Path) -> dict[str, Any]:
    data = read_json(path)
    if not isinstance(data, dict) or set(data) != {"kind", "digest", "files"} or not isinstance(data["files"], dict):
        raise DamagedArtifact("this is not the manifest of an artifact", where=path, expected="kind, digest and files")
    return data


def check_files(folder: Path, files: dict[str, str], ignored: tuple[str, ...] = ()) -> None:
    """Compare the files below a folder with their digests: changed, missing and added ones are found.

    Raises:
        DamagedArtifact: names the first file that is not what it was.
    """
    for name, expected in files.items():
        path = folder / name
        if not path.is_file() or path.is_symlink():
            raise DamagedArtifact("the file is missing", where=path, expected=f"SHA-256 {expected[:16]}...")
        found = sha256_of(path)
        if found != expected:
            raise DamagedArtifact(
                f"the file was changed: its SHA-256 is {found[:16]}...", where=path, expected=f"{expected[:16]}..."
            )
    present = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()
    } - set(ignored)
    for name in sorted(present - set(files)):
        raise DamagedArtifact(
            "the file does not belong here", where=folder / name, expected="only the files that were signed for"
        )
