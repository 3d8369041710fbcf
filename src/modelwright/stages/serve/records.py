"""The door of the rows of a table: one tensor a column, or an object of fields."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from .door import Columns, Door, Hidden, Tensor, Values
from .refusal import bad, short
from .settings import Serve
from .strict import number_of, text_of
from .texts import as_text

# What stands for a missing value, as in the tables that the model was trained on.
MISSING = frozenset({"", "?", "NA", "NaN", "nan"})
NUMBER = "number"
# Deviations from the mean of the training data; what is further away has no place in the arithmetic of a network.
FAR = 1e9


def build(learnt: dict[str, Any], settings: Serve) -> Door:
    """Return the door for rows with the columns that the model was trained on."""
    columns = tuple(learnt["columns"])
    properties = {column["name"]: _schema(column, settings.text_limit) for column in columns}
    return Door(
        key="fields",
        tensors=tuple(
            Tensor(column["name"], "FP64" if column["type"] == NUMBER else "BYTES", (-1,), nullable=True)
            for column in columns
        ),
        schema={
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
            "description": "every column that the model was trained on; null for a missing value",
        },
        from_tensors=partial(_from_tensors, columns=columns, limit=settings.text_limit),
        from_items=partial(_from_items, columns=columns, limit=settings.text_limit),
        example={column["name"]: _example(column) for column in columns},
        hide=partial(_hide, names=tuple(column["name"] for column in columns)),
        form=tuple(
            {
                "name": column["name"],
                "type": column["type"],
                "choices": [str(name) for name in column.get("categories", ())][:200],
            }
            for column in columns
        ),
    )


def _schema(column: dict[str, Any], limit: int) -> dict[str, Any]:
    if column["type"] == NUMBER:
        return {"type": ["number", "null"]}
    if column["type"] == "date":
        return {"type": ["string", "null"], "format": "date-time"}
    return {"type": ["string", "number", "boolean", "null"], "maxLength": limit}


def _example(column: dict[str, Any]) -> Any:
    if column["type"] == NUMBER:
        return 0
    categories = column.get("categories", ())
    return str(categories[0]) if categories else None


def _from_tensors(values: Values, columns: tuple[dict[str, Any], ...], limit: int) -> Columns:
    found: Columns = {}
    for column in columns:
        name = column["name"]
        if column["type"] == NUMBER:
            numbers = np.asarray(values[name], dtype=np.float64).tolist()
            found[name] = [
                None if math.isnan(number) else _near(number, column, f"{name}[{row}]")
                for row, number in enumerate(numbers)
            ]
        else:
            texts = [as_text(text, f"{name}[{row}]") for row, text in enumerate(values[name])]
            found[name] = [_cell(text, column, f"{name}[{row}]", limit) for row, text in enumerate(texts)]
    return found


def _from_items(items: list[Any], names: list[str], columns: tuple[dict[str, Any], ...], limit: int) -> Columns:
    known = [column["name"] for column in columns]
    for item, name in zip(items, names, strict=True):
        if not isinstance(item, dict):
            raise bad(name, short(item), "an object, column by column")
        for field in item:
            if field not in known:
                raise bad(f"{name}.{short(field)[1:-1]}", "an unknown column", f"one of {', '.join(known)}")
    return {
        column["name"]: [
            _cell(_present(item, column["name"], name), column, f"{name}.{column['name']}", limit)
            for item, name in zip(items, names, strict=True)
        ]
        for column in columns
    }


def _present(item: dict[str, Any], column: str, name: str) -> Any:
    if column not in item:
        raise bad(f"{name}.{column}", "the field is missing", "every column; null for a missing value")
    return item[column]


def _cell(value: Any, column: dict[str, Any], field: str, limit: int) -> Any:
    if value is None or (isinstance(value, str) and value.strip() in MISSING):
        return None
    if column["type"] == NUMBER:
        return _near(number_of(value, field), column, field)
    if isinstance(value, (int, float)):
        # As it stands: a category is learnt as the text of its value.
        return value if isinstance(value, bool) else type(value)(number_of(value, field))
    return text_of(value, field, limit).strip()


def _near(number: float, column: dict[str, Any], field: str) -> float:
    """Refuse a number that would only overflow; quantiles have no outside."""
    if column["scale"] != "quantile":
        furthest = FAR * column["deviation"]
        if abs(number - column["mean"]) > furthest:
            raise bad(field, f"{number:g}", f"a number within {furthest:g} of {column['mean']:g}")
    return number


def _hide(columns: Columns, names: tuple[str, ...]) -> list[Hidden]:
    """Leave out one field after the other, as if it were missing."""
    return [Hidden({"field": name}, {**columns, name: [None]}) for name in names if columns[name][0] is not None]
