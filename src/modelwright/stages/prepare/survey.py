"""What is asked of every row and needs all of its bytes: done in one pass, as data that is not held in memory is read from disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...sources.checks import content_of_picture, contents_of
from ...sources.mapped import pieces_of
from ...sources.rows import Rows


@dataclass(frozen=True)
class Survey:
    """The digest of each row's content, and how bright each picture is, by column.

    Shapes: contents (n,) bytes; brightness (n,) float64, from 0 to 255
    """

    contents: list[bytes]
    brightness: dict[str, NDArray[np.float64]]


def survey(rows: Rows) -> Survey:
    """Look at every row once."""
    contents: list[bytes] = []
    brightness: dict[str, NDArray[np.float64]] = {
        name: _brightness(rows.columns[name], contents if name == "image" else None)
        for name in ("image", "style")
        if name in rows.columns
    }
    return Survey(contents if "image" in rows.columns else list(contents_of(rows)), brightness)


def _brightness(column: Any, contents: list[bytes] | None) -> NDArray[np.float64]:
    found = [np.zeros(0)]
    for piece in pieces_of(column):
        found.append(piece.reshape(len(piece), -1).mean(axis=1, dtype=np.float64))
        if contents is not None:
            contents += map(content_of_picture, piece)
    return np.concatenate(found)
