"""A decision tree told as text, in the names, units and categories of the data."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

INDENT = "|   "


def describe(arrays: dict[str, np.ndarray], learnt: dict[str, Any], feature_names: list[str]) -> str:
    """Return the rules of a fitted tree (kind `tree`) as text, one question or answer a line.

    `feature_names` are those of the numbers, then those of the categories. Where `learnt["columns"]` describes a
    column, a threshold is told in its units and a category by its name; otherwise as the model sees them.

    Raises:
        ValueError: there are not as many names as columns.
    """
    expected = int(arrays["numbers"][0]) + len(learnt["cardinalities"])
    if len(feature_names) != expected:
        raise ValueError(f"found {len(feature_names)} names, expected {expected}")
    lines: list[str] = []
    # Depth first, left before right; a stack, because a tree may be deeper than Python likes to recurse.
    waiting = [(0, 0, "")]
    while waiting:
        node, depth, question = waiting.pop()
        if question:
            lines.append(INDENT * (depth - 1) + question)
        if arrays["left"][node] < 0:
            lines.append(INDENT * depth + _answer(arrays, learnt["classes"], node))
            continue
        left, right = _questions(arrays, learnt, feature_names, node)
        waiting += [(int(arrays["right"][node]), depth + 1, right), (int(arrays["left"][node]), depth + 1, left)]
    return "\n".join(lines) + "\n"


def _answer(arrays: dict[str, np.ndarray], classes: list[str], node: int) -> str:
    shares = arrays["value"][node] / arrays["value"][node].sum()
    best = int(shares.argmax())
    return f"-> {classes[arrays['present'][best]]} ({shares[best]:.1%} of {arrays['rows'][node]} rows)"


def _questions(arrays: dict[str, np.ndarray], learnt: dict[str, Any], names: list[str], node: int) -> tuple[str, str]:
    feature, threshold, numbers = (
        int(arrays["feature"][node]),
        float(arrays["threshold"][node]),
        int(arrays["numbers"][0]),
    )
    name, column = names[feature], {item["name"]: item for item in learnt.get("columns", ())}.get(names[feature], {})
    if np.isinf(threshold):
        return f"{name} is there", f"{name} is missing"
    missing_left = bool(arrays["missing_left"][node])
    if feature >= numbers:
        return _memberships(name, _categories(arrays, learnt, feature - numbers, column), threshold, missing_left)
    limit = _limit(threshold, column)
    return f"{name} <= {limit}" + " or missing" * missing_left, f"{name} > {limit}" + " or missing" * (not missing_left)


def _categories(
    arrays: dict[str, np.ndarray], learnt: dict[str, Any], code_column: int, column: dict[str, Any]
) -> list[tuple[float, str]]:
    """Return the place and the name of each category that occurred."""
    first = sum(learnt["cardinalities"][:code_column])
    places = arrays["places"][first : first + learnt["cardinalities"][code_column]]
    named = column.get("categories", [f"category {code}" for code in range(1, len(places))])
    return [(float(place), name) for place, name in zip(places[1:], named, strict=True) if not np.isnan(place)]


def _memberships(
    name: str, categories: list[tuple[float, str]], threshold: float, missing_left: bool
) -> tuple[str, str]:
    """Return both sides of a split, each by the shorter of the two lists; a category that never occurred is missing."""
    left = [category for place, category in categories if place <= threshold]
    right = [category for place, category in categories if place > threshold]
    short_left = len(left) <= len(right)
    listed = left if short_left else right
    text = listed[0] if len(listed) == 1 else "one of " + ", ".join(listed)
    inside, outside = (
        (f"missing or {text}", f"there and not {text}") if missing_left == short_left else (text, f"not {text}")
    )
    sides = f"{name} is {inside}", f"{name} is {outside}"
    return sides if short_left else sides[::-1]


def _limit(value: float, column: dict[str, Any]) -> str:
    """Return a threshold in the units of the data."""
    if column.get("scale") == "quantile":
        ranks = np.linspace(0, 1, len(column["quantiles"]))
        value = float(np.interp(NormalDist().cdf(value), ranks, column["quantiles"]))
    elif column:
        value = value * column["deviation"] + column["mean"]
    if column.get("type") == "date":
        return str(np.datetime64("1970-01-01T00:00:00") + np.timedelta64(round(value * 86_400), "s"))
    return f"{value:.6g}"
