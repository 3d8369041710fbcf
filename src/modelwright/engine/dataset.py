"""The dataset artifact: one folder of plain arrays per part, and what preparation learnt."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..core.files import read_json, write_json
from ..tasks.task import Examples
from .groups import FOLDER as GROUPS
from .groups import read_groups

PARTS = ("train", "validation", "test")
LEARNT = "preprocessing.json"
ORIGINS, LEDGER = "origins.txt", "ledger.jsonl"


def write_part(folder: Path, part: str, examples: Examples) -> None:
    """Write the columns of one part as .npy files."""
    (folder / part).mkdir()
    for name, column in examples.columns.items():
        np.save(folder / part / f"{name}.npy", column, allow_pickle=False)


def write_origins(folder: Path, part: str, origins: Iterable[str]) -> None:
    """Write where each row of a part came from, a line each."""
    (folder / part / ORIGINS).write_text("".join(f"{origin}\n" for origin in origins), encoding="utf-8")


def read_origins(folder: Path, part: str) -> list[str]:
    """Return where each row of a part came from."""
    return (folder / part / ORIGINS).read_text(encoding="utf-8").splitlines()


def write_learnt(folder: Path, examples: Examples) -> None:
    """Write what preparation learnt."""
    write_json(folder / LEARNT, examples.learnt)


def read_part(folder: Path, part: str) -> Examples:
    """Read one part and nothing else; columns are memory-mapped.

    Only the stage `evaluate` may ask for the part `test`; the journal shows that it did.
    """
    columns = {
        path.stem: np.load(path, allow_pickle=False, mmap_mode="r") for path in sorted((folder / part).glob("*.npy"))
    }
    groups = read_groups(folder / GROUPS, part) if (folder / GROUPS).is_dir() else {}
    return Examples(columns, read_json(folder / LEARNT), groups)
