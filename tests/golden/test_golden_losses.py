"""Golden numbers: a small training ends where it ended before, so that a silent change of any part is seen.

A change that is meant to change them says so in the log and writes the new numbers here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelwright.core.execute import run
from modelwright.core.recipe import recipe_from

HERE = Path(__file__).parent
GOLDEN: dict[str, dict[str, Any]] = json.loads((HERE / "losses.json").read_text())
# Sums are taken in another order on other machines; 30 steps of training make little of it.
TOLERANCE = 2e-3

RECIPES: dict[str, dict[str, Any]] = {
    "mlp": {"model": {"kind": "mlp", "hidden": [32], "dropout": 0.1}},
    "cnn": {"model": {"kind": "cnn", "channels": [8, 8], "padding": "same", "dense": 16, "normalisation": "batch"}},
    "balanced": {
        "model": "linear",
        "train": {"sampler": "balanced", "objective": "class_weights", "mixing": ["mixup"], "l1": 1e-3},
    },
    "table": {"task": "tabular", "data": {"kind": "sample", "name": "wine"}, "model": {"kind": "mlp", "hidden": [16]}},
}


def losses_of(name: str, folder: Path) -> list[float]:
    """Train one of the recipes; return its training and validation losses in one list."""
    sections = RECIPES[name]
    data = {
        "version": 1,
        "name": name,
        "seed": 11,
        "task": "image",
        "data": {"kind": "sample", "name": "digits"},
        "prepare": {"limit": 160},
        **sections,
        "train": {
            "length": "30 steps",
            "batch": 16,
            "threads": 1,
            "clip_norm": 5.0,
            "optimiser": {"kind": "adamw", "lr": 0.01},
            "schedule": {"kind": "cosine", "warm_up": "4 steps"},
            **sections.get("train", {}),
        },
    }
    model = run(recipe_from(data, folder), "train", folder=folder / "run").artifact("model")
    assert model is not None
    record = json.loads((model.path / "training.json").read_text())
    return [point["loss"] for part in ("loss", "validation") for point in record[part]]


@pytest.mark.parametrize("name", RECIPES)
def test_training_ends_where_it_ended_before(name: str, tmp_path: Path) -> None:
    found = losses_of(name, tmp_path)
    assert found == pytest.approx(GOLDEN[name], rel=TOLERANCE, abs=TOLERANCE)
    assert found[0] > found[-1]
