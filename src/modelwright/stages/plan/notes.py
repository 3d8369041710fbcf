"""What a plan says beside its numbers: settings that it counts another way than the training will."""

from __future__ import annotations

from typing import Any

from ...core.recipe import Recipe
from ...core.settings import AUTO


def notes_of(recipe: Recipe) -> list[str]:
    """Return a sentence for each setting that is not planned as it will be trained."""
    train: Any = recipe.sections["train"]
    notes = []
    if train.compile == AUTO:
        notes.append(
            "train.compile: auto is planned as if it became false; the training measures whether compiling pays"
        )
    elif train.compile:
        notes.append(
            "train.compile: true is planned as if it were false; a compiled step is faster where it pays, and compiling comes "
            "before the first one (some ten seconds), so neither is in the times"
        )
    if train.privacy.kind != "none":
        notes.append(
            f"train.privacy: {train.privacy.kind} draws batches of different sizes; memory is planned for one that only one training in "
            "a thousand exceeds, time for batches of train.batch"
        )
    return notes
