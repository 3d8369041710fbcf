"""Writing that cannot leave half a file behind.

A file or folder appears under its name complete or not at all: temporary name, fsync, rename, fsync of the folder.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import BudgetError, DamagedArtifact, ModelwrightError, RecipeError
from .units import format_bytes

UNFINISHED = ".unfinished-"


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically and durably.

    Raises:
        BudgetError: the disk is full; the old file is untouched.
        RecipeError: the place cannot be written.
    """
    temporary = path.with_name(f"{UNFINISHED}{os.getpid()}-{path.name}")
    with explained(path, len(content)):
        try:
            with temporary.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
            sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_json(path: Path, data: Any) -> None:
    """Write plain data as readable JSON, atomically; NaN and infinity are refused because JSON has none."""
    write_bytes(path, as_bytes(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"))


def as_bytes(json_text: str) -> bytes:
    """Encode JSON text; half a character, as in a file name that is not UTF-8, becomes the escape that JSON has for it."""
    return json_text.encode("utf-8", "backslashreplace")


def read_json(path: Path) -> Any:
    """Read JSON that we wrote.

    Raises:
        DamagedArtifact: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DamagedArtifact("the file is missing", where=path) from None
    except ValueError:
        raise DamagedArtifact("the file is not JSON", where=path, expected="the JSON that was written") from None


@contextmanager
def new_folder(final: Path, needed: int = 0) -> Iterator[Path]:
    """Give a temporary folder to fill; when the block ends well it appears, durable, as `final`.

    `needed` is how many bytes it will take, for whoever has not got them.
    """
    temporary = final.with_name(f"{UNFINISHED}{os.getpid()}-{final.name}")
    with explained(final, needed):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            yield temporary
            for path in temporary.rglob("*"):
                if path.is_file():
                    with path.open("rb") as stream:
                        os.fsync(stream.fileno())
                elif path.is_dir():
                    sync_folder(path)
            sync_folder(temporary)
            os.replace(temporary, final)
            sync_folder(final.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def remove_folder(folder: Path) -> None:
    """Remove a folder such that it is there whole or not at all, also when the process dies half-way."""
    doomed = folder.with_name(f"{UNFINISHED}{os.getpid()}-{folder.name}")
    shutil.rmtree(doomed, ignore_errors=True)
    os.replace(folder, doomed)
    shutil.rmtree(doomed)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_unfinished(folder: Path) -> None:
    """Clear what a killed process left half-written in a folder."""
    for path in folder.glob(f"{UNFINISHED}*"):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


@contextmanager
def explained(path: Path, needed: int = 0) -> Iterator[None]:
    """Turn the operating system's errors about `path` into ours."""
    try:
        yield
    except ModelwrightError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            free = shutil.disk_usage(next(parent for parent in path.parents if parent.exists())).free
            need = f"{format_bytes(needed)} needed, " if needed else ""
            raise BudgetError(
                f"the disk is full: {need}{format_bytes(free)} free",
                where=path,
                next_step="free some space and run the same command again; what was stored before is untouched",
            ) from error
        if error.errno == errno.EIO:
            raise BudgetError(
                f"the disk does not do as it is told: {os.strerror(error.errno)}",
                where=path,
                next_step="look at the system's log, or choose another disk with --runs FOLDER; what was stored before is untouched",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise RecipeError(
                f"cannot write here: {os.strerror(error.errno)}",
                where=path,
                expected="a folder that can be written",
                next_step="choose another with --runs FOLDER",
            ) from error
        raise
