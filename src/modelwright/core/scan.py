"""A look at every file of a folder: each is of a format that cannot execute, or is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .errors import DamagedArtifact
from .formats import FORMATS, recognise

METHOD = "every file recognised by its bytes, from a list of formats that hold data alone: " + ", ".join(
    dict.fromkeys(name for name, _ in FORMATS.values())
)


@dataclass(frozen=True)
class Scan:
    """What was found: the format of each file by its path, and what was wrong with those that are of none."""

    formats: dict[str, str]
    refused: dict[str, str]

    @property
    def files(self) -> int:
        """How many files were looked at."""
        return len(self.formats) + len(self.refused)


def scan(folder: Path) -> Scan:
    """Look at every file below a folder; nothing in them is run, and no other program is asked."""
    formats, refused = {}, {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        name = path.relative_to(folder).as_posix()
        try:
            formats[name] = recognise(path)
        except DamagedArtifact as error:
            refused[name] = error.problems[0].found
    return Scan(formats, refused)


def require_clean(folder: Path) -> Scan:
    """Scan a folder.

    Raises:
        DamagedArtifact: names the first file that is of no format that may be opened.
    """
    found = scan(folder)
    for name in found.refused:
        recognise(folder / name)
    return found
