"""Classification of the rows of a table: numbers, categories, dates, missing values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError
from . import classification
from .columns import DATE, NUMBER, encode_column, learn_columns, unscaled
from .settings import Tabular
from .task import Batch, Examples, Room, Task, fresh

if TYPE_CHECKING:
    from ..sources.rows import Rows


def build(settings: Tabular, base: Path = Path()) -> Task:
    """Return the words of tabular classification."""
    return classification.task("tabular", lambda rows, learnt: examples(rows, learnt, settings), collate, render)


def examples(rows: Rows, learnt: dict[str, Any] | None, settings: Tabular) -> Examples:
    """Turn table rows into examples; without `learnt`, learn classes, scales and categories from these rows.

    Shapes: numbers (n, k) float32, missing (n, k) bool, codes (n, m) int32; code 0 is a missing or unknown category

    Raises:
        DataError: no feature column, or one that the model needs is not there.
    """
    if learnt is None:
        features = {name: values for name, values in rows.columns.items() if name not in ("label", *settings.ignore)}
        columns = learn_columns(features, settings.categories, settings.scale)
        if not columns:
            raise DataError(
                "the data has no feature columns", where="data", expected="at least one column besides the label"
            )
        coded = [column for column in columns if column["type"] not in (NUMBER, DATE)]
        learnt = {
            "classes": classification.learn_classes(rows.columns["label"]),
            "columns": columns,
            "numbers": len(columns) - len(coded),
            "cardinalities": [len(column["categories"]) + 1 for column in coded],
        }
    numbers: list[np.ndarray] = []
    missing: list[np.ndarray] = []
    codes: list[np.ndarray] = []
    for column in learnt["columns"]:
        if column["name"] not in rows.columns:
            raise DataError(
                f"there is no column '{column['name']}'",
                where=rows.origins[0],
                expected="every column that the model was trained on",
            )
        encoded, absent = encode_column(rows.columns[column["name"]], column, rows.origins)
        (codes if absent is None else numbers).append(encoded)
        if absent is not None:
            missing.append(absent)
    n = len(rows)
    return Examples(
        {
            "numbers": _stack(numbers, n, np.float32),
            "missing": _stack(missing, n, np.bool_),
            "codes": _stack(codes, n, np.int32),
            "target": classification.encode_targets(rows, learnt["classes"]),
        },
        learnt,
    )


def _stack(columns: list[np.ndarray], rows: int, dtype: Any) -> np.ndarray:
    return np.stack(columns, axis=1).astype(dtype) if columns else np.zeros((rows, 0), dtype=dtype)


def collate(examples: Examples, indices: np.ndarray, room: Room = fresh) -> Batch:
    """Make a batch.

    Shapes: indices (b,) -> numbers (b, k) float32, missing (b, k) float32, codes (b, m) int64; targets (b,) int64
    """
    import torch

    columns = examples.columns
    missing = classification.gather(room, "missing", columns["missing"], indices)
    codes = classification.gather(room, "codes", columns["codes"], indices)
    inputs = {
        "numbers": torch.from_numpy(classification.gather(room, "numbers", columns["numbers"], indices)),
        "missing": torch.from_numpy(classification.convert(room, "absent", missing, np.float32)),
        "codes": torch.from_numpy(classification.convert(room, "categories", codes, np.int64)),
    }
    return Batch(inputs, torch.from_numpy(classification.gather(room, "target", columns["target"], indices)), indices)


def render(examples: Examples, index: int) -> dict[str, Any]:
    """Return the fields of the row by name, as the model sees them but in the words of the data."""
    fields: dict[str, Any] = {}
    number = code = 0
    for column in examples.learnt["columns"]:
        if column["type"] in (NUMBER, DATE):
            value = float(examples.columns["numbers"][index, number])
            fields[column["name"]] = (
                None if examples.columns["missing"][index, number] else float(f"{unscaled(value, column):.6g}")
            )
            number += 1
        else:
            which = int(examples.columns["codes"][index, code])
            fields[column["name"]] = column["categories"][which - 1] if which else None
            code += 1
    return {"fields": fields}
