"""Pictures of two kinds, made up, and the recipe of style transfer that learns from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from edited_recipe import run_edited
from PIL import Image

from modelwright.core.execute import go_on
from modelwright.core.run import Run

SIDE = 16


def write_pictures(folder: Path) -> None:
    """Write squares on white; in the style that is wanted they have half the red."""
    dice = np.random.default_rng(0)
    for kind, count in (("learn", 20), ("judge", 12)):
        for name in ("content", "style"):
            (folder / f"{kind}-{name}").mkdir()
        for number in range(count):
            picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
            top, left = dice.integers(0, 8, 2)
            picture[top : top + 8, left : left + 8] = dice.integers(0, 200, 3)
            Image.fromarray(picture).save(folder / f"{kind}-content" / f"{number:03d}.png")
            picture[..., 0] //= 2
            Image.fromarray(picture).save(folder / f"{kind}-style" / f"{number:03d}.png")


RECIPE: dict[str, Any] = {
    "version": 1,
    "name": "squares",
    "seed": 1,
    "task": "style",
    "data": {
        "kind": "domains",
        "content": "learn-content",
        "style": "learn-style",
        "test_content": "judge-content",
        "test_style": "judge-style",
        "size": [SIDE, SIDE],
    },
    "model": {"kind": "residual_generator", "channels": 4, "halvings": 1, "blocks": 1},
    "prepare": {"split": {"validation": 0.2}},
    "train": {
        "length": "2 epochs",
        "batch": 4,
        "threads": 1,
        "keep": "last",
        "adversarial": {"kind": "gan", "discriminator": {"channels": 4, "layers": 1}},
        "average": {"kind": "ema", "decay": 0.9},
    },
    "evaluate": {"resamples": 100},
    "release": {"owner": "Ada", "purpose": "Tests.", "approver": "Grace"},
}


def run_in(place: Path, folder: str, until: str | None = None, on_progress: Any = go_on, **edits: Any) -> Run:
    """Run the recipe in a folder beside its pictures, with changes."""
    return run_edited(RECIPE, place, place / "runs" / folder, until, on_progress, **edits)
