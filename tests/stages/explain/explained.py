"""A small trained model for each modality, explained again and again under other settings without training anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelwright.core.evidence import Evidence
from modelwright.core.run import Run

RunIn = Callable[..., Run]

PICTURES: dict[str, Any] = {
    "model": {"kind": "cnn", "channels": [8, 16], "padding": "same", "dense": 16},
    "prepare": {"limit": 500, "split": {"test": 0.1, "validation": 0.2}},
    "train": {"length": "12 epochs", "batch": 16, "threads": 1, "optimiser": {"kind": "adam", "lr": 0.005}},
}
ROWS: dict[str, Any] = {
    "task": "tabular",
    "data": {"kind": "sample", "name": "iris"},
    "model": {"kind": "mlp", "hidden": [16]},
    "prepare": {"split": {"test": 0.2, "validation": 0.3}},
    "train": {"length": "20 epochs", "batch": 16, "threads": 1, "optimiser": {"kind": "adam", "lr": 0.01}},
}
LIGHT = {"attributions": [], "projections": [], "surrogate": "none"}
QUICK = {"examples": 8, "orders": 2, "models": 3}
GOOD, BAD, PLAIN = (
    ["good", "great"],
    ["bad", "awful"],
    ["film", "plot", "actor", "story", "of", "with", "very", "scene"],
)


def write_texts(folder: Path) -> dict[str, Any]:
    """Write short texts in which one word says the class; return the sections of a recipe that reads them."""
    import random

    dice = random.Random(1)
    lines = ["text,label"]
    for row in range(160):
        words = [dice.choice(PLAIN) for _ in range(6)]
        words[dice.randrange(6)] = dice.choice(BAD if row % 2 else GOOD)
        lines.append(f"{' '.join(words)},{'no' if row % 2 else 'yes'}")
    (folder / "texts.csv").write_text("\n".join(lines) + "\n")
    return {
        "task": "text",
        "data": {"kind": "csv", "path": str(folder / "texts.csv"), "text": ["text"], "label": "label"},
        "model": {"kind": "transformer", "width": 16, "heads": 2, "layers": 1},
        "prepare": {"split": {"test": 0.2, "validation": 0.3}},
        "train": {"length": "12 epochs", "batch": 16, "threads": 1, "optimiser": {"kind": "adam", "lr": 0.01}},
    }


def found_in(made: Run) -> tuple[dict[str, Evidence], dict[str, Any]]:
    """Return the claims by name, and what the report is made from."""
    summary: dict[str, Any] = json.loads((made.artifact("explanation").path / "summary.json").read_text())
    return {item.name: item for item in made.evidence()}, summary
