"""The space of a search: what a recipe's `tune.space` says, read into domains. Neither torch nor a search library is needed.

`log(1e-4, 1e-1)`, `uniform(0, 0.5)`, `int(8, 256)` and `log_int(16, 512)` are ranges, a list holds choices, and a choice that
is a mapping may hold domains itself, which exist only when it is chosen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

CALL = re.compile(r"\s*(\w+)\s*\(([^()]*)\)\s*")
# Name -> (whole numbers, equal ratios).
RANGES = {"uniform": (False, False), "log": (False, True), "int": (True, False), "log_int": (True, True)}
EXAMPLES = "log(1e-4, 1e-1), uniform(0, 0.5), int(8, 256), log_int(16, 512) or a list of choices"
# A path of keys below the space, what was found there, what was expected.
Problem = tuple[tuple[str | int, ...], str, str]


@dataclass(frozen=True)
class Fixed:
    """A value that is not searched for."""

    value: Any


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones only, or not; equal ratios as likely, or equal differences."""

    low: float
    high: float
    whole: bool
    logarithmic: bool


@dataclass(frozen=True)
class Choices:
    """One of some options; each may hold domains of its own."""

    options: tuple[Node, ...]


@dataclass(frozen=True)
class Fields:
    """A mapping whose values may be domains."""

    items: tuple[tuple[str, Node], ...]


Node = Fixed | Range | Choices | Fields
# A dotted key of the recipe and its domain, in the order of the keys, so that the order in the file does not matter.
Space = tuple[tuple[str, Node], ...]
# What decides: the name of a drawn parameter and its domain -> a number of the range, or the index of a choice.
Draw = Callable[[str, Range | Choices], Any]


def read_space(data: dict[str, Any]) -> tuple[Space, list[Problem]]:
    """Return the space that a recipe describes, and all that is wrong with it."""
    problems: list[Problem] = []
    entries: list[tuple[str, Node]] = []
    for path, value in _flat(data):
        node = _read(value, path, problems)
        key = ".".join(path)
        if not any(True for _ in _drawn(node, key)) and not any(place[: len(path)] == path for place, _, _ in problems):
            problems.append((path, f"found {value!r}, which leaves nothing to search", EXAMPLES))
        entries.append((key, node))
    return tuple(sorted(entries, key=lambda entry: entry[0])), problems


def _flat(data: dict[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Follow plain mappings, so that `train: {batch: [16, 32]}` is `train.batch`; a mapping with a kind is a value."""
    for key, value in data.items():
        if isinstance(value, dict) and value and "kind" not in value:
            yield from _flat(value, (*before, str(key)))
        else:
            yield (*before, str(key)), value


def _read(value: Any, path: tuple[str | int, ...], problems: list[Problem]) -> Node:
    if isinstance(value, dict):
        return Fields(tuple((str(key), _read(inner, (*path, key), problems)) for key, inner in sorted(value.items())))
    if isinstance(value, list):
        if not value:
            problems.append((path, "the list of choices is empty", "at least one choice"))
        return Choices(tuple(_read_option(option, (*path, place), problems) for place, option in enumerate(value)))
    if isinstance(value, str) and ("(" in value or ")" in value):
        return _read_range(value, path, problems)
    return Fixed(value)


def _read_option(value: Any, path: tuple[str | int, ...], problems: list[Problem]) -> Node:
    # A list among choices is a value, such as the channels of a network: `[[16, 32], [32, 64]]`.
    return Fixed(value) if isinstance(value, list) else _read(value, path, problems)


def _read_range(text: str, path: tuple[str | int, ...], problems: list[Problem]) -> Node:
    match = CALL.fullmatch(text)
    if match is None:
        problems.append((path, f"found '{text}', which cannot be read", EXAMPLES))
        return Fixed(text)
    if match[1] not in RANGES:
        close = get_close_matches(match[1], RANGES, n=1, cutoff=0.5)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        problems.append((path, f"'{match[1]}' is not a domain{hint}", EXAMPLES))
        return Fixed(text)
    whole, logarithmic = RANGES[match[1]]
    try:
        low, high = (float(part) for part in match[2].split(","))
    except ValueError:
        problems.append(
            (path, f"found '{text}'", f"two numbers, such as {match[1]}({'8, 256' if whole else '0.1, 0.5'})")
        )
        return Fixed(text)
    expected = _breach(low, high, whole, logarithmic)
    if expected:
        problems.append((path, f"found '{text}'", expected))
        return Fixed(text)
    return Range(low, high, whole, logarithmic)


def _breach(low: float, high: float, whole: bool, logarithmic: bool) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return "finite numbers"
    if whole and (low != int(low) or high != int(high)):
        return "whole numbers"
    if low >= high:
        return "a first number below the second"
    return "numbers above 0, for equal ratios begin at none" if logarithmic and low <= 0 else ""


def settle(node: Node, name: str, draw: Draw) -> Any:
    """Return the value of a node, where `draw` decides for each domain that is met on the way; what is not chosen is not met."""
    if isinstance(node, Fixed):
        return node.value
    if isinstance(node, Range):
        return draw(name, node)
    if isinstance(node, Choices):
        index = draw(name, node)
        return settle(node.options[index], f"{name}[{label_of(node, index)}]", draw)
    return {key: settle(inner, f"{name}.{key}", draw) for key, inner in node.items}


def label_of(choices: Choices, index: int) -> str:
    """Return a short name of an option: its kind, where no other option has the same, its value, or its number."""
    labels = [_label(option) for option in choices.options]
    return labels[index] if labels[index] and labels.count(labels[index]) == 1 else str(index)


def _label(option: Node) -> str:
    if isinstance(option, Fields):
        kind = dict(option.items).get("kind")
        return str(kind.value) if isinstance(kind, Fixed) else ""
    return str(option.value) if isinstance(option, Fixed) else ""


def edits_of(space: Space, draw: Draw) -> dict[str, Any]:
    """Return one edit of the recipe for each key of the space."""
    return {key: settle(node, key, draw) for key, node in space}


def ends_of(node: Node) -> list[Any]:
    """Return enough values of a node to see whether all of them are allowed: both ends of a range, each option with its ends."""
    if isinstance(node, Fixed):
        return [node.value]
    if isinstance(node, Range):
        return [int(end) if node.whole else end for end in (node.low, node.high)]
    if isinstance(node, Choices):
        return [end for option in node.options for end in ends_of(option)]
    ends = {key: ends_of(inner) for key, inner in node.items}
    first = {key: values[0] for key, values in ends.items()}
    return [first, *({**first, key: value} for key, values in ends.items() for value in values[1:])]


def is_finite(node: Node) -> bool:
    """Whether a grid can hold all values of a node."""
    if isinstance(node, Range):
        return node.whole
    parts = (
        node.options
        if isinstance(node, Choices)
        else [inner for _, inner in node.items]
        if isinstance(node, Fields)
        else []
    )
    return all(is_finite(part) for part in parts)


def grid_of(space: Space) -> Iterator[dict[str, Any]]:
    """Yield what is drawn in each point of a grid; the last key changes fastest.

    A path through the choices is written as (what was taken, how many there were) and counted on like an odometer.
    """
    path: list[tuple[int, int]] = []
    while True:
        drawn: dict[str, Any] = {}

        def draw(name: str, node: Range | Choices, drawn: dict[str, Any] = drawn) -> int:
            place = len(drawn)
            if place == len(path):
                path.append((0, _size_of(node)))
            drawn[name] = path[place][0] + (int(node.low) if isinstance(node, Range) else 0)
            return int(drawn[name])

        edits_of(space, draw)
        yield drawn
        while path and path[-1][0] + 1 == path[-1][1]:
            path.pop()
        if not path:
            return
        path[-1] = (path[-1][0] + 1, path[-1][1])


def _size_of(node: Range | Choices) -> int:
    return int(node.high - node.low) + 1 if isinstance(node, Range) else len(node.options)


def _drawn(node: Node, name: str) -> Iterator[str]:
    if isinstance(node, (Range, Choices)):
        yield name
    elif isinstance(node, Fields):
        for key, inner in node.items:
            yield from _drawn(inner, f"{name}.{key}")
