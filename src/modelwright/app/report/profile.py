"""The profile of the data: a small picture of every column, what goes together, how the parts differ, what is personal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from .bilingual import say
from .drawing import at, join, tag
from .quantities import count, finite, share, significant

PARTS = ("train", "validation", "test")
COLUMNS_SHOWN, HEIGHT, BAR = 60, 56, 16
# Less likely than this by chance, over all comparisons on the page, is a drift.
CHANCE = 0.01
NUMBERS = ("least", "median", "most", "mean", "deviation")


@dataclass(frozen=True)
class ColumnView:
    """One column: its kind, its numbers in words, its picture, and how far the parts differ in it."""

    name: str
    kind: str
    measured: str
    missing: str
    distinct: str
    numbers: tuple[tuple[str, str], ...]
    drawing: Markup
    drifts: tuple[tuple[str, str, bool], ...]
    personal: tuple[tuple[str, str], ...]
    named: bool


@dataclass(frozen=True)
class Profile:
    """What the section shows."""

    columns: tuple[ColumnView, ...]
    more_columns: int
    related: tuple[str, ...]
    relations: tuple[tuple[str, tuple[tuple[str, float, bool], ...]], ...]
    personal_rows: str
    personal_kinds: tuple[tuple[str, str], ...]
    personal_first: tuple[tuple[str, str], ...]
    duplicates: str
    pictures: tuple[tuple[str, str], ...]
    classes: tuple[str, ...]


def view_profile(profile: dict[str, Any]) -> Profile | None:
    """Return what is shown of a profile, or nothing where there is none."""
    if not profile:
        return None
    columns = profile["columns"]
    compared = max(1, sum(len(column["drift"]) for column in columns))
    total = sum(profile["rows"].values())
    relations = profile["relations"]
    personal, classes = profile["personal"], profile["classes"]
    return Profile(
        columns=tuple(_column(column, total, compared) for column in columns[:COLUMNS_SHOWN]),
        more_columns=max(0, len(columns) - COLUMNS_SHOWN),
        related=tuple(relations.get("columns", ())),
        relations=tuple(
            (name, tuple((f"{value:.2f}", round(abs(value), 3), value < 0) for value in row))
            for name, row in zip(relations.get("columns", ()), relations.get("strength", ()), strict=True)
        ),
        personal_rows=count(personal["rows"]) if personal["rows"] else "",
        personal_kinds=tuple((kind, count(number)) for kind, number in personal["kinds"].items()),
        personal_first=tuple((str(row), str(kinds)) for row, kinds in personal["first"]),
        duplicates=count(profile["duplicates"]) if profile["duplicates"] else "",
        pictures=_pictures(profile["pictures"]),
        classes=(str(classes["number"]), classes["most"], classes["least"], significant(classes["ratio"]))
        if classes
        else (),
    )


def _column(column: dict[str, Any], total: int, compared: int) -> ColumnView:
    numbers = column.get("numbers") or {}
    missing = sum(column["missing"].values())
    return ColumnView(
        name=str(column["name"]),
        kind=str(column["kind"]),
        measured=str(column["measured"]),
        missing=f"{count(missing)} ({share(missing, total)})" if missing else "",
        distinct=count(column["distinct"]),
        numbers=tuple(
            (name, significant(value)) for name in NUMBERS if (value := finite(numbers.get(name))) is not None
        ),
        drawing=_histogram(column) if column.get("histogram") else _bars(column.get("values") or []),
        drifts=tuple(
            (part, significant(drift["distance"]), drift["chance"] * compared < CHANCE)
            for part, drift in column["drift"].items()
        ),
        personal=tuple((kind, count(number)) for kind, number in column["personal"].items()),
        named=bool(column["named"]),
    )


def _histogram(column: dict[str, Any]) -> Markup:
    """Draw the training part as bars, and each other part as a line over them, all as shares of their part."""
    shares = {part: _shares(counts) for part, counts in column["histogram"].items()}
    most = max((value for values in shares.values() for value in values), default=0.0) or 1.0
    bins = len(column["edges"]) - 1
    width = 100 / bins
    bars = [
        tag(
            "rect",
            tag("title", f"{low:g} – {high:g}: {value:.1%}"),
            x=at(place * width),
            y=at(100 - 100 * value / most),
            width=at(max(0.4, width - 0.6)),
            height=at(100 * value / most),
            class_="profile-train",
        )
        for place, (value, low, high) in enumerate(
            zip(shares.get("train", []), column["edges"], column["edges"][1:], strict=False)
        )
    ]
    lines = [
        _steps(values, most, width, part) for part, values in shares.items() if part != "train" and len(values) == bins
    ]
    return tag(
        "svg", *bars, *lines, width="100%", height=HEIGHT, role="img", aria_label=str(column["name"]), class_="profile"
    )


def _shares(counts: list[int]) -> list[float]:
    total = sum(counts) or 1
    return [number / total for number in counts]


def _steps(values: list[float], most: float, width: float, part: str) -> Markup:
    """Draw a short line at the height of each bin."""
    return join(
        tag(
            "line",
            x1=at(place * width),
            x2=at((place + 1) * width),
            y1=at(100 - 100 * value / most),
            y2=at(100 - 100 * value / most),
            class_=f"profile-{part}",
        )
        for place, value in enumerate(values)
    )


def _bars(values: list[Any]) -> Markup:
    """Draw the most frequent values, a bar each, with their share of the rows shown."""
    counts = [(str(value), sum(by_part.values())) for value, by_part in values]
    most = max((number for _, number in counts), default=0) or 1
    rows = []
    for place, (value, number) in enumerate(counts):
        top = place * BAR
        shown = value if len(value) <= 24 else value[:23] + "…"
        rows += [
            tag("rect", x="0", y=top + 2, width=at(55 * number / most), height=BAR - 4, class_="profile-train"),
            tag(
                "text",
                tag("tspan", shown) if shown else say("missing", svg=True),
                f"  {count(number)}",
                x=at(55 * number / most + 1.5),
                y=top + BAR / 2,
                dy="0.34em",
                class_="tick",
            ),
        ]
    return tag("svg", *rows, width="100%", height=max(1, len(counts)) * BAR, role="img", class_="profile")


def _pictures(pictures: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    if not pictures:
        return ()

    def listed(counts: dict[str, int]) -> str:
        return ", ".join(f"{name} ({count(number)})" for name, number in counts.items())

    found = [
        ("sizes of the files", listed(pictures["sizes"])),
        ("modes of the files", listed(pictures["modes"])),
        ("height × width × channels as used", " × ".join(map(str, pictures["used"]))),
        ("mean of each channel", ", ".join(significant(value) for value in pictures["mean"])),
        ("deviation of each channel", ", ".join(significant(value) for value in pictures["deviation"])),
        ("pictures of one colour", count(pictures["plain"]) if pictures["plain"] else ""),
    ]
    return tuple((name, value) for name, value in found if value)
