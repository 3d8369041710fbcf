"""The tiny recipe on real digits, trained privately."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modelwright.core.execute import go_on, run
from modelwright.core.recipe import Recipe, recipe_from
from modelwright.core.run import Run
from modelwright.core.stage import OnProgress

ORDINARY: dict[str, Any] = {
    "version": 1,
    "name": "tiny",
    "seed": 1,
    "task": "image",
    "data": {"kind": "sample", "name": "digits"},
    "model": {"kind": "mlp", "hidden": [16]},
    "prepare": {"limit": 120, "split": {"test": 0.25, "validation": 0.2}},
    "train": {
        "length": "2 epochs",
        "batch": 16,
        "threads": 1,
        "guard": {"then": "stop", "spike": 0.0},
        "save": {"every": "2 steps"},
    },
}
# A number for the noise: to search for it takes seconds.
DP: dict[str, Any] = {"kind": "dp_sgd", "noise": 2.0, "epsilon": 10.0, "delta": 1e-3}


def ordinary(folder: Path) -> Recipe:
    """Return the recipe without privacy, and with nothing in it that privacy excludes."""
    return recipe_from(ORDINARY, folder)


def run_privately(
    folder: Path, until: str = "train", *, on_progress: OnProgress = go_on, allow_change: bool = False, **edits: Any
) -> Run:
    """Run the recipe with privacy, and with dotted keys ('train__batch') changed."""
    changes = {key.replace("__", "."): value for key, value in {"train__privacy": DP, **edits}.items()}
    return run(ordinary(folder.parent).edited(changes), until, on_progress, folder=folder, allow_change=allow_change)


def record_of(made: Run) -> dict[str, Any]:
    """Return what a private training wrote down of itself."""
    found: dict[str, Any] = json.loads((made.artifact("model").path / "training.json").read_text())["privacy"]
    return found
