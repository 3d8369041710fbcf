"""Finding a file that the settings name, reading it once, and its digest."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from modelwright.core.errors import DataError

from .remote import fetch, is_remote

# Names of folders and files that state a split, and what we call the part.
PARTS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "t10k": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
}

PartName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Located:
    """One file of a source: the part it holds ("" when none is stated), where it is and what origins call it."""

    part: str
    path: Path
    name: str


def locate_parts(path: str | dict[PartName, str], base: Path, *, expected: str) -> list[Located]:
    """Return the files that a `path` setting names: one, or one for each part.

    Raises:
        DataError: one of them is not there, or the mapping is empty.
    """
    stated: dict[str, str] = {str(part): file for part, file in path.items()} if isinstance(path, dict) else {"": path}
    if not stated:
        raise DataError("no file is named", where="path", expected="a file, or {train: ..., test: ...}")
    paths = {part: locate(text, base, expected=expected) for part, text in stated.items()}
    # Short names, unless two parts are kept in files of the same name.
    are_distinct = len({located.name for located in paths.values()}) == len(paths)
    return [
        Located(part, located, located.name if are_distinct else Path(stated[part]).as_posix())
        for part, located in paths.items()
    ]


def locate(path: str, base: Path, *, expected: str = "a file") -> Path:
    """Return `path` seen from `base`; of an address, the copy that was fetched.

    Raises:
        DataError: nothing is there; a neighbour of nearly the same name is offered.
    """
    if is_remote(path):
        return fetch(path)
    located = base / Path(path).expanduser()
    if located.exists():
        return located
    raise DataError(
        "nothing is there",
        where=located,
        expected=expected,
        next_step=_neighbour(located) or "correct the path; it is read relative to the recipe",
    )


def _neighbour(path: Path) -> str:
    if not path.parent.is_dir():
        return f"make or correct the folder {path.parent}, which does not exist"
    close = difflib.get_close_matches(path.name, [entry.name for entry in path.parent.iterdir()], n=1)
    return f"did you mean {path.parent / close[0]}?" if close else ""


def digest(data: bytes | memoryview) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, without holding the file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file.

    Raises:
        DataError: it is a folder, or the system refuses.
    """
    if not path.is_file():
        raise DataError("not a regular file", where=path, expected="a file", next_step="name the file itself")
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path, expected="a readable file") from None
