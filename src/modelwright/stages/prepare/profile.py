"""The profile: what the data is, before any rule has taken a row out. One page for people, one file for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.evidence import Evidence
from ...methods.cleaning.texts import scripts_of
from ...methods.profiling import columns as shapes
from ...methods.profiling.relations import (
    correlation_ratio,
    cramers_v,
    drift_of_numbers,
    drift_of_values,
    rank_correlation,
)
from ...sources.rows import Rows
from .personal import find_in, is_named
from .survey import Survey

PROFILE = "profile.json"
# Values of a category that are shown, columns whose relations are told, texts whose letters are counted.
VALUES_SHOWN, RELATED, TEXTS_READ, LETTERS_READ = 8, 16, 2000, 2000
# Rows of a part that drift is judged by, and of all that relations are: more would make nothing clearer.
JUDGED = 20_000
RELATED_BY = 5000
PICTURES_AT_ONCE = 64

Parts = dict[str, NDArray[np.int64]]
Column = dict[str, Any]


def profile(rows: Rows, parts: Parts, seen: Survey) -> dict[str, Any]:
    """Return what the data holds, by column; how the parts differ, what goes together, what stands there twice or is personal."""
    present = {part: indices for part, indices in parts.items() if len(indices)}
    told = [_column(name, values, present, seen) for name, values in rows.columns.items()]
    personal = {name: find_in(values, rows.origins) for name, values in rows.columns.items() if name != "label"}
    for column in told:
        found = personal.get(column["name"])
        column["personal"] = found.counts if found else {}
        column["named"] = is_named(column["name"])
        if column["named"] and "values" in column:
            # Who somebody is stands on no page.
            column["values"] = []
    return {
        "rows": {part: len(indices) for part, indices in parts.items()},
        "columns": told,
        "classes": _classes(rows, present),
        "duplicates": len(rows) - len(set(seen.contents)),
        "relations": _relations(rows, {column["name"]: column["kind"] for column in told}),
        "personal": {
            "rows": len({row for found in personal.values() for row in found.rows}),
            "kinds": dict(sum((Counter(found.counts) for found in personal.values()), Counter())),
            "first": [line for found in personal.values() for line in found.first],
        },
        "pictures": _pictures(rows),
    }


def claims(found: dict[str, Any], about: dict[str, str]) -> list[Evidence]:
    """Return what a gate may ask of the data: rows with personal data, rows that stand there twice, the largest drift."""
    total = sum(found["rows"].values())
    drifts = [
        (drift["distance"], f"{column['name']}, {part}")
        for column in found["columns"]
        for part, drift in column["drift"].items()
    ]
    distance, where = max(drifts, default=(0.0, "no two parts"))
    return [
        Evidence(
            "personal_data",
            found["personal"]["rows"],
            unit="rows",
            n=total,
            about=about,
            method="patterns and check digits; names of people are not found",
        ),
        Evidence(
            "duplicates", found["duplicates"], unit="rows", n=total, about=about, method="content of an earlier row"
        ),
        Evidence("drift", distance, n=total, about=about, method=f"largest distance from the training part: {where}"),
    ]


def _column(name: str, values: Any, parts: Parts, seen: Survey) -> Column:
    """Tell one column: its kind, what it holds in each part, and how far the parts differ."""
    if name in ("image", "style"):
        return _measured(name, "picture", "brightness", seen.brightness[name], parts)
    if name == "text":
        lengths = np.array([float(len(text)) for text in values])
        return {**_measured(name, "text", "characters", lengths, parts), "scripts": _scripts(values)}
    kind = "category" if name == "label" else shapes.kind_of(values)
    missing = {part: sum(shapes.is_missing(values[index]) for index in rows) for part, rows in parts.items()}
    if kind == "number":
        told = _measured(name, kind, "value", _numbers(values), parts)
    elif kind == "text":
        lengths = np.array([np.nan if shapes.is_missing(value) else float(len(str(value))) for value in values])
        told = _measured(name, kind, "characters", lengths, parts)
    else:
        told = _counted(name, kind, values, parts)
    return {**told, "missing": missing, "distinct": len({str(value) for value in values})}


def _numbers(values: Sequence[Any]) -> NDArray[np.float64]:
    return np.array([np.nan if shapes.is_missing(value) else float(value) for value in values])


def _measured(name: str, kind: str, what: str, numbers: NDArray[np.float64], parts: Parts) -> Column:
    train = numbers[parts["train"]]
    edges = shapes.edges_of(train)
    return {
        "name": name,
        "kind": kind,
        "measured": what,
        "missing": dict.fromkeys(parts, 0),
        "distinct": len(np.unique(numbers[np.isfinite(numbers)])),
        "numbers": shapes.summarise(numbers),
        "edges": [float(f"{edge:.6g}") for edge in edges],
        "histogram": {part: shapes.count_in(numbers[rows], edges) for part, rows in parts.items()},
        "drift": _drift(parts, lambda rows: drift_of_numbers(numbers[_some(parts["train"])], numbers[rows])),
    }


def _counted(name: str, kind: str, values: Sequence[Any], parts: Parts) -> Column:
    counts = {part: Counter(_shown(values[index]) for index in rows) for part, rows in parts.items()}
    frequent = [value for value, _ in sum(counts.values(), Counter()).most_common(VALUES_SHOWN)]
    train = [_shown(values[index]) for index in _some(parts["train"])]
    return {
        "name": name,
        "kind": kind,
        "measured": "",
        "values": [[value, {part: counts[part][value] for part in parts}] for value in frequent],
        "drift": _drift(parts, lambda rows: drift_of_values(train, [_shown(values[index]) for index in rows])),
    }


def _shown(value: Any) -> str:
    return "" if shapes.is_missing(value) else str(value)


def _drift(parts: Parts, judge: Any) -> dict[str, dict[str, float]]:
    """Compare each other part with the training part."""
    found: dict[str, dict[str, float]] = {}
    for part in ("validation", "test"):
        if part in parts:
            distance, chance = judge(_some(parts[part]))
            found[part] = {"distance": round(distance, 4), "chance": float(f"{chance:.3g}")}
    return found


def _some(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return at most as many rows as are judged by, evenly over all."""
    if len(indices) <= JUDGED:
        return indices
    return indices[np.linspace(0, len(indices) - 1, JUDGED).astype(np.int64)]


def _scripts(texts: Sequence[str]) -> dict[str, float]:
    """Return the share of the letters in each script, over texts spread evenly through the data."""
    counts: Counter[str] = Counter()
    for text in texts[:: max(1, len(texts) // TEXTS_READ)]:
        counts += scripts_of(text[:LETTERS_READ])
    total = sum(counts.values())
    return {script: round(count / total, 4) for script, count in counts.most_common(VALUES_SHOWN)}


def _classes(rows: Rows, parts: Parts) -> dict[str, Any]:
    """Return how many times the most frequent class is more frequent than the rarest one of the training part."""
    if "label" not in rows.columns:
        return {}
    counts = Counter(str(rows.columns["label"][index]) for index in parts["train"])
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    return {"number": len(counts), "most": most, "least": least, "ratio": round(counts[most] / counts[least], 3)}


def _relations(rows: Rows, kinds: dict[str, str]) -> dict[str, Any]:
    """Return how far each two columns of a table go together, and how far each goes with the label."""
    names = [name for name, kind in kinds.items() if kind in ("number", "category") and name != "label"][:RELATED]
    names += ["label"] if "label" in rows.columns and names else []
    if len(names) < 2:
        return {}
    chosen = rows.take(_some(np.arange(len(rows)))[:: max(1, min(len(rows), JUDGED) // RELATED_BY)])
    values = {name: _numbers(chosen.columns[name]) if kinds[name] == "number" else None for name in names}

    def strength(one: str, other: str) -> float:
        first, second = values[one], values[other]
        if first is not None and second is not None:
            return rank_correlation(first, second)
        if first is None and second is None:
            return cramers_v(chosen.columns[one], chosen.columns[other])
        numbers, groups = (first, other) if first is not None else (second, one)
        assert numbers is not None
        return correlation_ratio(numbers, chosen.columns[groups])

    table = np.eye(len(names))
    for row, one in enumerate(names):
        for column, other in enumerate(names[:row]):
            table[row, column] = table[column, row] = round(strength(one, other), 3)
    return {"columns": names, "strength": table.tolist()}


def _pictures(rows: Rows) -> dict[str, Any]:
    """Return sizes and modes of the pictures as their files have them, the size they are used in, and each channel's level."""
    if "image" not in rows.columns:
        return {}
    images = rows.columns["image"]
    some = _some(np.arange(len(images)))
    channels = images.shape[3]
    sums, squares, plain = np.zeros(channels), np.zeros(channels), 0
    for rows_here in np.array_split(some, -(-len(some) // PICTURES_AT_ONCE)):
        piece = images[rows_here].astype(np.float64)
        sums += piece.sum(axis=(0, 1, 2))
        squares += (piece**2).sum(axis=(0, 1, 2))
        plain += int((np.ptp(piece.reshape(len(piece), -1), axis=1) == 0).sum())
    count = len(some) * images.shape[1] * images.shape[2]
    mean = sums / count
    return {
        "used": list(images.shape[1:]),
        "sizes": dict(Counter(rows.about.get("sizes", {})).most_common(VALUES_SHOWN)),
        "modes": dict(Counter(rows.about.get("modes", {})).most_common(VALUES_SHOWN)),
        "mean": [round(float(value), 3) for value in mean],
        "deviation": [round(float(value), 3) for value in np.sqrt(np.maximum(squares / count - mean**2, 0))],
        "plain": plain,
    }
