"""Texts made tidy before anything is dealt out, as the task will do it again for every text that it is ever asked about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...methods.cleaning.tidy import tidy
from ...sources.rows import Rows
from .cleaning import Entry


def tidy_texts(rows: Rows, task: Any) -> tuple[Rows, list[Entry]]:
    """Return the rows with tidy texts, and an entry for each that was changed; rows without a text stay as they are."""
    settings = getattr(task, "clean", None)
    if settings is None or settings == type(settings)() or "text" not in rows.columns:
        return rows, []
    wanted = settings.model_dump(mode="json")
    before = rows.columns["text"]
    after = [tidy(text, wanted) for text in before]
    changed = [row for row, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    entries = [
        Entry(rows.origins[row], "", "task.clean", "changed", _change(before[row], after[row])) for row in changed
    ]
    return replace(rows, columns={**rows.columns, "text": after}), entries


def _change(old: str, new: str) -> str:
    """Say what was changed first; redacted data is not repeated."""
    start = next(
        (at for at, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), min(len(old), len(new))
    )
    return f"{len(old)} characters became {len(new)}, first at character {start + 1}"
