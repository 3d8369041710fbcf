"""The dataset artifact: one folder of plain arrays per part, and what preparation learnt."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from ..core.files import read_json, write_json
from ..sources.mapped import Mapped
from ..tasks.ragged import Ragged
from ..tasks.task import Examples
from .groups import FOLDER as GROUPS
from .groups import read_groups

PARTS = ("train", "validation", "test")
LEARNT = "preprocessing.json"
ORIGINS, LEDGER = "origins.txt", "ledger.jsonl"
# A column of rows of unequal length is three arrays, named after it and their own part in it.
RAGGED = ("values", "start", "stop")


def write_part(folder: Path, part: str, examples: Examples) -> None:
    """Write the columns of one part as .npy files."""
    (folder / part).mkdir()
    write_columns(folder / part, examples.columns)


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
    columns = read_columns(folder / part, mapped=True)
    groups = read_groups(folder / GROUPS, part) if (folder / GROUPS).is_dir() else {}
    return Examples(columns, read_json(folder / LEARNT), groups)


def write_columns(folder: Path, columns: dict[str, Any]) -> None:
    """Write columns as .npy files."""
    for name, column in columns.items():
        if isinstance(column, Ragged):
            for piece in RAGGED:
                np.save(folder / f"{name}.{piece}.npy", getattr(column, piece), allow_pickle=False)
        elif isinstance(column, Mapped):
            _save_in_pieces(folder / f"{name}.npy", column)
        else:
            np.save(folder / f"{name}.npy", column, allow_pickle=False)


def _save_in_pieces(path: Path, column: Mapped) -> None:
    """Write what `np.save` would, without holding it."""
    header = {"descr": npy.dtype_to_descr(column.dtype), "fortran_order": False, "shape": column.shape}
    with path.open("wb") as stream:
        npy.write_array_header_1_0(stream, header)
        for piece in column.pieces():
            stream.write(np.ascontiguousarray(piece).data)


def read_columns(folder: Path, *, mapped: bool) -> dict[str, Any]:
    """Read what `write_columns` wrote; `mapped` leaves it on disk until it is asked for."""
    arrays = {
        path.stem: np.load(path, allow_pickle=False, mmap_mode="r" if mapped else None)
        for path in sorted(folder.glob("*.npy"))
    }
    ragged = sorted({name.removesuffix(".values") for name in arrays if name.endswith(".values")})
    pieces = {name: Ragged(*(arrays.pop(f"{name}.{piece}") for piece in RAGGED)) for name in ragged}
    return {**arrays, **pieces}
