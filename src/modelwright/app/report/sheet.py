"""The data sheet: files, rows and labels of each part, what was left out and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .quantities import count, finite, share

PARTS = ("train", "validation", "test")
LABELS_SHOWN = 40
ROWS_SHOWN = 50


@dataclass(frozen=True)
class Part:
    """One part of the data: its rows, and its share of all rows."""

    name: str
    rows: str
    share: str
    width: float


@dataclass(frozen=True)
class LabelRow:
    """One label: for each part its rows, its share there, and the width of its bar."""

    label: str
    parts: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True)
class Cleaned:
    """What one rule of cleaning did to how many rows, with a few of them and the reason for each."""

    rule: str
    action: str
    rows: str
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Sheet:
    """What the section on data shows."""

    files: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    parts: tuple[Part, ...]
    total: str
    labels: tuple[LabelRow, ...]
    more_labels: int
    quarantined: tuple[tuple[str, str], ...]
    quarantined_total: int
    overlap: int
    policy: str
    dropped: tuple[tuple[str, str], ...]
    overlap_examples: tuple[tuple[str, str, str], ...]
    suspicious: tuple[str, ...]
    cleaned: tuple[Cleaned, ...]


def view_sheet(sheet: dict[str, Any]) -> Sheet | None:
    """Return the data sheet, or nothing when no data was prepared."""
    if not sheet:
        return None
    rows = {name: int(finite(number) or 0) for name, number in (sheet.get("rows") or {}).items()}
    total = sum(rows.values())
    labels = _labels(sheet.get("labels") or {}, list(rows))
    quarantined = [
        (str(item.get("origin", "")), str(item.get("reason", ""))) for item in sheet.get("quarantined") or []
    ]
    overlap = sheet.get("overlap") or {}
    return Sheet(
        files=tuple((str(name), str(digest)) for name, digest in (sheet.get("files") or {}).items()),
        columns=tuple(map(str, sheet.get("columns") or [])),
        parts=tuple(
            Part(name, count(number), share(number, total), round(100 * number / total, 3) if total else 0.0)
            for name, number in rows.items()
        ),
        total=count(total),
        labels=labels[:LABELS_SHOWN],
        more_labels=max(0, len(labels) - LABELS_SHOWN),
        quarantined=tuple(quarantined[:ROWS_SHOWN]),
        quarantined_total=len(quarantined),
        overlap=int(finite(overlap.get("between_parts")) or 0),
        policy=str(overlap.get("policy", "")),
        dropped=tuple(
            (name.removeprefix("dropped_from_"), count(number))
            for name, number in overlap.items()
            if name.startswith("dropped_from_") and number
        ),
        overlap_examples=tuple(
            (
                str(item.get("kind", "")),
                " → ".join(map(str, item.get("parts", []))),
                " = ".join(map(str, item.get("origins", []))),
            )
            for item in overlap.get("examples") or []
        ),
        suspicious=tuple(map(str, sheet.get("suspicious") or [])),
        cleaned=tuple(
            Cleaned(
                str(item.get("rule", "")),
                str(item.get("action", "")),
                count(item.get("rows") or 0),
                tuple((str(row), str(reason)) for row, reason in item.get("examples") or []),
            )
            for item in sheet.get("cleaning") or []
        ),
    )


def _labels(labels: dict[str, dict[str, int]], parts: list[str]) -> tuple[LabelRow, ...]:
    """Return one row per label, in the order in which the sheet first names it (numbers by size)."""
    names = list(dict.fromkeys(name for part in parts for name in labels.get(part, {})))
    if all(name.lstrip("-").isdigit() for name in names):
        names.sort(key=int)
    found = []
    for name in names:
        cells = []
        for part in parts:
            counts = labels.get(part, {})
            number, total, most = counts.get(name, 0), sum(counts.values()), max(counts.values(), default=0)
            cells.append((count(number), share(number, total), round(100 * number / most, 2) if most else 0.0))
        found.append(LabelRow(name, tuple(cells)))
    return tuple(found)
