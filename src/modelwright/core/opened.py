"""Sealed artifacts, open in a private place that goes away with the process.

The private place is memory where the system has a file system in memory with enough room, and the temporary folder otherwise.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from .sealing import Key, seal_file, unseal_file

SUFFIX = ".sealed"
MEMORY = Path("/dev/shm")
OPENED = "modelwright-open-"


def is_sealed_folder(folder: Path) -> bool:
    """Return whether an artifact lies sealed on its shelf."""
    return any(folder.rglob(f"*{SUFFIX}"))


def seal_folder(folder: Path, target: Path, key: Key) -> int:
    """Seal every file of a folder into another folder; return how many."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in files:
        place = target / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        seal_file(path, place.with_name(place.name + SUFFIX), key)
    return len(files)


# Sealed folder -> where it lies open in this process, and what its files looked like when it was opened.
_open: dict[Path, tuple[Path, tuple[object, ...]]] = {}
_places: list[Path] = []


def opened(folder: Path, manifest: Path) -> Path:
    """Return a folder with the plain files of a sealed one, and its manifest beside it, for as long as this process lives.

    Raises:
        DamagedArtifact: a file is not what was sealed.
        RecipeError: the key is not to be had.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    look = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    place, seen = _open.get(folder, (None, ()))
    if place is None or seen != look:
        place = private_place(sum(path.stat().st_size for path in files)) / folder.name
        place.mkdir()
        for path in files:
            target = place / path.relative_to(folder).with_suffix("" if path.suffix == SUFFIX else path.suffix)
            target.parent.mkdir(parents=True, exist_ok=True)
            unseal_file(path, target) if path.suffix == SUFFIX else shutil.copy2(path, target)
        shutil.copy2(manifest, place.with_name(manifest.name))
        _open[folder] = (place, look)
    return place


def private_place(needed: int = 0) -> Path:
    """Return a new folder that nobody else may look into, in memory if there is room for it twice; it goes with the process."""
    in_memory = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 2 * needed
    base = MEMORY if in_memory else Path(tempfile.gettempdir())
    _clear_dead(base)
    place = Path(tempfile.mkdtemp(prefix=f"{OPENED}{os.getpid()}-", dir=base))
    if not _places:
        atexit.register(close_all)
    _places.append(place)
    return place


def close_all() -> None:
    """Remove all that this process has opened."""
    for place in _places:
        # A child that was forked knows the places of its parent, and leaves them to it.
        if place.name.startswith(f"{OPENED}{os.getpid()}-"):
            shutil.rmtree(place, ignore_errors=True)
    _places.clear()
    _open.clear()


def _clear_dead(base: Path) -> None:
    """Remove what processes have left open that were killed."""
    for place in base.glob(f"{OPENED}*"):
        process = place.name.removeprefix(OPENED).split("-")[0]
        if place.stat().st_uid == os.getuid() and process.isdigit() and not Path("/proc", process).exists():
            shutil.rmtree(place, ignore_errors=True)
