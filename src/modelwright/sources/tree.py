"""Folders of examples, one folder per class, on disk or inside a zip: `class/file`, or `train/class/file` and so on."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from modelwright.core.errors import DataError

from .files import PARTS, digest, read_bytes
from .rows import Quarantined

# Left behind by operating systems; nobody meant them as examples.
LITTER = {"__MACOSX", "Thumbs.db", "desktop.ini"}
ENCRYPTED = 1


@dataclass(frozen=True)
class Member:
    """One file of a tree: its name inside, the part and class its folders state, its length and how to read it."""

    name: str
    part: str | None
    label: str
    size: int  # bytes
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Tree:
    """The files of a tree in the order of their names; `archive` holds the digest when it is one file."""

    members: tuple[Member, ...]
    quarantined: tuple[Quarantined, ...]
    archive: dict[str, str]


@contextmanager
def opened(path: Path) -> Iterator[Tree]:
    """Open the folder or zip at `path`; its members can be read inside the `with` only.

    Raises:
        DataError: a name or a link leads out of the tree, or there are no class folders.
    """
    if path.is_dir():
        yield _arrange(path, _folder_entries(path), {})
        return
    try:
        with zipfile.ZipFile(path) as archive:
            yield _arrange(path, _zip_entries(path, archive), {path.name: digest(read_bytes(path))})
    except zipfile.BadZipFile as error:
        raise DataError(
            f"neither a folder nor a zip: {error}", where=path, expected="a folder or a whole .zip"
        ) from None


Entry = tuple[str, int, Callable[[], bytes]]


def _folder_entries(root: Path) -> list[Entry]:
    entries: list[Entry] = []
    real_root = root.resolve()
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not _is_litter(name)]
        for name in folders:
            if os.path.islink(os.path.join(folder, name)):
                raise _leads_out(Path(folder, name), "a link to a folder, which is not followed")
        for name in names:
            path = Path(folder, name)
            if _is_litter(name):
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(real_root):
                raise _leads_out(path, f"a link that leads out of the folder, to {path.resolve()}")
            length = path.stat().st_size if path.exists() else 0
            entries.append((path.relative_to(root).as_posix(), length, partial(read_bytes, path)))
    return entries


def _zip_entries(path: Path, archive: zipfile.ZipFile) -> list[Entry]:
    entries: list[Entry] = []
    seen: set[str] = set()
    for info in archive.infolist():
        name = PurePosixPath(info.filename.replace("\\", "/"))
        where = f"{path}: {info.filename!r}"
        # orig_filename still has what zipfile cuts off at a NUL.
        if name.is_absolute() or ".." in name.parts or ":" in name.parts[0] or "\0" in info.orig_filename:
            raise _leads_out(where, "a name that leads out of the archive")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise _leads_out(where, "a link inside an archive")
        if info.is_dir() or any(_is_litter(piece) for piece in name.parts):
            continue
        if info.flag_bits & ENCRYPTED:
            raise DataError(
                "encrypted", where=where, expected="an archive without password", next_step="unpack it first"
            )
        if str(name) in seen:
            raise DataError("the name is there twice", where=where, expected="names that are there once")
        seen.add(str(name))
        entries.append((str(name), info.file_size, partial(_read_zipped, archive, info)))
    return entries


def _read_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise DataError(f"damaged inside the archive: {error}", where=info.filename) from None


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name in LITTER


def _leads_out(where: object, found: str) -> DataError:
    return DataError(
        found, where=where, expected="files inside the source only", next_step="copy the file there or remove it"
    )


def _arrange(root: Path, entries: list[Entry], archive: dict[str, str]) -> Tree:
    """Read part and class from the folder names; one folder around everything is looked through."""
    placed = sorted(
        ((tuple(name.split("/")), name, length, read) for name, length, read in entries), key=lambda one: one[1]
    )
    deep = [pieces for pieces, *_ in placed if len(pieces) > 2]
    around = {pieces[0] for pieces, *_ in placed if len(pieces) > 1}
    skip = 1 if len(around) == 1 and len(deep) == sum(len(pieces) > 1 for pieces, *_ in placed) and deep else 0
    if skip and next(iter(around)).lower() in PARTS:
        skip = 0
    has_parts = any(pieces[skip].lower() in PARTS for pieces in deep if len(pieces) > 2 + skip)
    members, quarantined = [], []
    for pieces, name, length, read in placed:
        inner = pieces[skip:]
        part = PARTS.get(inner[0].lower()) if has_parts and inner else None
        if has_parts:
            inner = inner[1:] if part else ()
        if len(inner) >= 2:
            members.append(Member(name, part, inner[0], length, read))
        elif len(pieces) > 1:
            quarantined.append(Quarantined(name, "not in a class folder"))
    if not members or (not has_parts and all(member.label.lower() in PARTS for member in members)):
        raise DataError(
            f"{len(placed)} files but no folder per class",
            where=root,
            expected="class/file, or train/class/file and test/class/file",
            next_step="move the files of each class into a folder of its name",
        )
    return Tree(tuple(members), tuple(quarantined), archive)
