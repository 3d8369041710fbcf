"""The columns that a recipe declares as groups: kept for whoever audits or weighs them, never among the features by this."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...core.errors import DataError
from ...engine.groups import group_column, write_groups
from ...sources.rows import Rows


def write_declared(folder: Path, rows: Rows, columns: dict[str, str], parts: dict[str, np.ndarray]) -> None:
    """Write the groups of all rows by these columns into a new folder; each column comes with the key that names it.

    Raises:
        DataError: the data has no such column.
    """
    for name, where in columns.items():
        if name not in rows.columns or name in ("image", "text"):
            known = [other for other in rows.columns if other not in ("image", "text")]
            raise DataError(
                f"there is no column '{name}' to tell groups by",
                where=where,
                expected=f"one of {', '.join(known)}",
                next_step="correct the name, or take it out of data.ignore (task.ignore alone keeps it from the features)",
            )
    write_groups(folder, {name: group_column(rows.columns[name]) for name in columns}, parts)
