"""Files in object storage and behind https: fetched once a process into a private folder, then read like any other."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
import threading
from pathlib import Path, PurePosixPath
from typing import Any

from modelwright.core.errors import DataError, MissingExtra

# What is encrypted on its way, and the memory of this process. Not http, ftp or file: who can change what is fetched, or make
# us fetch what is ours alone, decides what is learnt.
SCHEMES = ("https", "s3", "gs", "gcs", "az", "abfs", "oss", "memory")
# Seconds without a single new byte, after which a storage is taken for frozen.
PATIENCE = 60.0
PIECE = 1 << 20

# Address -> where it lies in this process.
_fetched: dict[str, Path] = {}


def is_remote(path: str) -> bool:
    """Return whether a path is an address."""
    return "://" in path


def fetch(address: str, patience: float = PATIENCE) -> Path:
    """Return a copy of the file at an address; it goes away with the process.

    Units: patience in seconds without a new byte.
    Raises:
        DataError: the scheme is not among those that may be used, nothing is there, or nothing comes any more.
        MissingExtra: fsspec, or what it needs for this scheme, is not installed.
    """
    if address not in _fetched:
        opened = _open(address)
        if not _fetched:
            atexit.register(_clear)
        folder = Path(tempfile.mkdtemp(prefix="modelwright-fetched-"))
        _fetched[address] = folder / (PurePosixPath(address.split("?")[0]).name or "data")
        try:
            _copy(opened, _fetched[address], address, patience)
        except BaseException:
            shutil.rmtree(_fetched.pop(address).parent, ignore_errors=True)
            raise
    return _fetched[address]


def look(address: str) -> str:
    """Return what tells without reading a file whether it is the one that it was: size, time, tag, as far as they are known.

    Raises:
        DataError: the scheme is not among those that may be used, or nothing is there.
    """
    found = _filesystem(address).info(_inside(address))
    told = {
        name: str(found[name]) for name in ("size", "mtime", "created", "LastModified", "ETag", "etag") if name in found
    }
    return hashlib.sha256(repr((address, sorted(told.items()))).encode()).hexdigest()


def _inside(address: str) -> str:
    return address if address.startswith("https://") else address.split("://", 1)[1]


def _filesystem(address: str) -> Any:
    scheme = address.split("://", 1)[0]
    if scheme not in SCHEMES:
        raise DataError(
            f"data is not read over '{scheme}'",
            where=address,
            expected=f"a file, or an address that begins with {', '.join(f'{name}://' for name in SCHEMES)}",
            next_step="use https" if scheme == "http" else "fetch it yourself and name the file",
        )
    try:
        import fsspec

        return fsspec.filesystem(scheme)
    except ImportError as error:
        raise MissingExtra(
            f"{scheme}:// needs a package that is not there: {error}",
            where=address,
            expected="fsspec and its part for this storage",
            next_step="pip install 'modelwright[data]', and what fsspec names",
        ) from None


def _open(address: str) -> Any:
    try:
        return _filesystem(address).open(_inside(address), "rb")
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot be opened: {error}",
            where=address,
            expected="a file",
            next_step="correct the address, or log in to the storage",
        ) from None


def _copy(source: Any, target: Path, address: str, patience: float) -> None:
    """Copy piece by piece in a thread of its own, which may hang; we wait only for the next byte."""
    came, ended = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with source, target.open("wb") as stream:
                while content := source.read(PIECE):
                    stream.write(content)
                    came.set()
        except BaseException as error:  # whatever it is, it belongs to whoever waits
            failed.append(error)
        ended.set()
        came.set()

    threading.Thread(target=work, name="fetch", daemon=True).start()
    while not ended.is_set():
        if not came.wait(patience):
            raise DataError(
                f"nothing came for {patience:g} s",
                where=address,
                expected="a storage that answers",
                next_step="try again later",
            )
        came.clear()
    if failed:
        raise DataError(f"reading broke off: {failed[0]}", where=address, expected="the whole file") from None


def _clear() -> None:
    for path in _fetched.values():
        shutil.rmtree(path.parent, ignore_errors=True)
    _fetched.clear()
