"""What the raw data looks like from outside, so that a changed file is noticed and `prepare` runs again. Torch-free."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...core.recipe import Recipe
from ...sources.remote import is_remote, look
from .declared import declared


def fingerprint(recipe: Recipe) -> str:
    """Return a digest of name, size and time of change of every file below the paths of the section `data`, and of the
    columns that other sections declare as groups, and of the list of rows that must not be used.

    Not of the bytes: that would read all data before each command. A file that was only touched makes `prepare` run
    again, and since it then gives the same dataset, nothing after it does.
    """
    digest = hashlib.sha256(repr(declared(recipe)).encode())
    listed = recipe.base / recipe.sections["prepare"].forgotten  # type: ignore[attr-defined]
    if listed.is_file():
        digest.update(listed.read_bytes())
    for path in _paths(recipe.sections["data"].model_dump(mode="json").get("path")):
        if is_remote(path):
            digest.update(look(path).encode())
            continue
        for file in _files(recipe.base / path):
            status = file.stat()
            digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _paths(stated: Any) -> list[str]:
    if isinstance(stated, dict):
        return sorted(stated.values())
    return [stated] if isinstance(stated, str) else list(stated or ())


def _files(path: Path) -> Iterator[Path]:
    """Yield the files at a path in a fixed order; one that is not there is for the stage to complain about."""
    if path.is_file():
        yield path
    for folder, folders, names in os.walk(path):
        folders.sort()
        yield from (Path(folder) / name for name in sorted(names) if (Path(folder) / name).is_file())
