"""Columns of raw values to the columns of Rows: numbers, categories, text and label, with None for what is missing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from collections.abc import Sequence as Values
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from modelwright.core.errors import DataError
from modelwright.core.settings import AUTO, Auto, Sequence, Settings

from .records import is_number
from .rows import Quarantined, Rows

Type = Literal["number", "category", "text", "date"]
MISSING = ("", "?", "NA", "NaN", "nan")


class TableSettings(Settings):
    """Which columns are the text and the label, and of what type the others are."""

    text: Auto | Sequence[str] = Field(
        default=AUTO,
        description="Columns that make up the text, in order, joined by a blank; auto: the one called text.",
    )
    label: str = Field(default=AUTO, description="Column of the class; auto: the one called label, if there is one.")
    ignore: Sequence[str] = Field(default=(), description="Columns to leave out.")
    types: dict[str, Type] = Field(
        default={},
        description="Type by column; one not named is a number if all its values are, else a category.",
    )
    missing: Sequence[str] = Field(default=MISSING, description="Values that stand for a missing one.")
    label_strip: str = Field(default="", description="Characters to take off both ends of a label, such as '.'.")


def assemble(
    raw: Mapping[str, Values[Any]],
    origins: list[str],
    settings: TableSettings,
    *,
    where: object,
    quarantined: Values[Quarantined] = (),
    files: dict[str, str],
    parts: list[str] | None = None,
) -> Rows:
    """Return Rows of the columns of `raw`, typed; the rows that do not fit their column join the quarantined ones.

    Raises:
        DataError: a column that the settings name does not exist, or two columns would get the same name.
    """
    text, label = _check_names(list(raw), settings, where)
    missing = frozenset(settings.missing)
    bad: dict[int, str] = {}
    columns: dict[str, Any] = {}
    for name, values in raw.items():
        if name not in settings.ignore and name not in text and name != label:
            columns[name] = _typed(name, values, settings.types.get(name, AUTO), missing, bad)
    if text:
        columns["text"] = _text([raw[name] for name in text], text, bad)
    if label:
        columns["label"] = _labels(label, raw[label], missing, settings.label_strip, bad)
    found = tuple(Quarantined(origins[at], bad[at]) for at in sorted(bad))
    rows = Rows(columns, origins, (*quarantined, *found), files, parts)
    return rows.take(at for at in range(len(origins)) if at not in bad) if bad else rows


def _check_names(names: list[str], settings: TableSettings, where: object) -> tuple[tuple[str, ...], str]:
    """Return the columns of the text and the column of the label, none where the rows have none."""
    text = (("text",) if "text" in names else ()) if settings.text == AUTO else tuple(settings.text)
    label = ("label" if "label" in names else "") if settings.label == AUTO else settings.label
    unknown = [name for name in (*text, *settings.ignore, *settings.types, label) if name and name not in names]
    if unknown:
        raise DataError(
            f"no column {', '.join(map(repr, unknown))}",
            where=where,
            expected=f"one of {', '.join(names[:30])}",
            next_step="correct the name, or state `header` and `names`",
        )
    text = tuple(name for name in text if name not in settings.ignore)
    kept = [name for name in names if name not in settings.ignore and name not in text and name != label]
    if (text and "text" in kept) or (label and "label" in kept):
        clash = "text" if text and "text" in kept else "label"
        raise DataError(
            f"the column '{clash}' is neither the {clash} nor left out",
            where=where,
            expected=f"`ignore: [{clash}]` or another choice",
        )
    return text, label


def _typed(name: str, values: Values[Any], type_: str, missing: frozenset[str], bad: dict[int, str]) -> Values[Any]:
    cells = _cells(values, frozenset() if type_ == "text" else missing)
    if type_ == "number":
        return [_number_or_bad(name, cell, at, bad) for at, cell in enumerate(cells)]
    if type_ == AUTO:
        try:
            return _numbers(name, cells, bad)
        except ValueError:
            pass
    if type_ == "date":
        for at, cell in enumerate(cells):
            if cell is not None and not _is_date(cell):
                bad.setdefault(at, f"column {name}: {cell!r} is not an ISO date")
    return cells if set(map(type, cells)) <= {str, type(None)} else [_as_text(cell) for cell in cells]


def _cells(values: Values[Any], missing: frozenset[str]) -> Values[Any]:
    """Return the values with None for the missing ones, and what is neither text nor number written as JSON."""
    if set(map(type, values)) <= {str}:
        return values if missing.isdisjoint(values) else [None if value in missing else value for value in values]
    return [_plain(value, missing) for value in values]


def _plain(value: Any, missing: frozenset[str]) -> Any:
    if isinstance(value, str):
        return None if value in missing else value
    # A bool is an int to Python, and a category to the people who write it; parquet may keep a missing number as NaN.
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else _as_text(value)


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _numbers(name: str, cells: Values[Any], bad: dict[int, str]) -> list[float | None]:
    """Return all cells as numbers, or raise ValueError if one is none."""
    try:
        numbers: list[float | None] = list(map(float, cells))
    except TypeError:
        numbers = [None if cell is None else float(cell) for cell in cells]
    except OverflowError:
        raise ValueError("a whole number beyond the floats") from None
    if all(number is None for number in numbers):
        raise ValueError("nothing in it")
    if "_" in "".join(cell for cell in cells if isinstance(cell, str)):
        raise ValueError("digits with underscores are no number in a data file")
    for at, number in enumerate(numbers):
        if number is not None and not math.isfinite(number):
            bad.setdefault(at, f"column {name}: {str(cells[at])!r} is not a finite number")
    return numbers


def _number_or_bad(name: str, cell: Any, at: int, bad: dict[int, str]) -> float | None:
    if cell is None:
        return None
    if is_number(str(cell)) and math.isfinite(float(str(cell))):
        return float(str(cell))
    bad.setdefault(at, f"column {name}: {str(cell)!r} is not a finite number")
    return None


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return False
    return True


def _text(columns: list[Values[Any]], names: Values[str], bad: dict[int, str]) -> list[str]:
    pieces = zip(*([_as_text(value) or "" for value in column] for column in columns), strict=True)
    texts = [" ".join(piece for piece in row if piece) for row in pieces]
    for at, text in enumerate(texts):
        if not text.strip():
            bad.setdefault(at, f"column {', '.join(names)}: no text")
    return texts


def _labels(
    name: str, values: Values[Any], missing: frozenset[str], strip: str, bad: dict[int, str]
) -> list[str | int]:
    labels: list[Any] = []
    for at, value in enumerate(values):
        if isinstance(value, str):
            value = value.strip(strip) if strip else value
            value = None if value in missing else value
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        elif value is not None and not isinstance(value, int):
            value = _as_text(value)
        if value is None or value == "":
            bad.setdefault(at, f"column {name}: no label")
        labels.append(value)
    if all(type(label) is int for at, label in enumerate(labels) if at not in bad):
        return labels
    return [label if isinstance(label, str) else _as_text(label) or "" for label in labels]
