"""The peak that is planned is the peak that happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from grid import KINDS, draw_point, write_texts
from measured import measure

from modelwright.core.execute import run
from modelwright.core.recipe import recipe_from
from modelwright.core.run import Run

# One point of each of these, of another seed than the benchmark's.
TRIED = ("cnn", "residual", "mlp", "lstm", "transformer", "convolution")


def planned(made: Run) -> dict[str, Any]:
    artifact = made.artifact("plan")
    assert artifact is not None
    found: dict[str, Any] = json.loads((artifact.path / "plan.json").read_text())
    return found


def plan_and_train(recipe: dict[str, Any], folder: Path) -> tuple[dict[str, Any], int]:
    """Return what was planned of a recipe, and the bytes that its training and evaluation needed."""
    made = run(recipe_from(recipe, folder), "plan", folder=folder / "run")
    plain = {name: section for name, section in recipe.items() if name != "plan"}
    return planned(made), measure(made.folder, plain, folder, folder / "happened")


@pytest.mark.parametrize("kind", TRIED)
def test_the_peak_stays_under_a_bound_that_is_near(kind: str, tmp_path: Path) -> None:
    write_texts(tmp_path / "texts.jsonl", 900, 60, seed=5)
    recipe = draw_point(900 + KINDS.index(kind), "texts.jsonl")
    assert recipe["model"]["kind"] == kind
    plan, peak = plan_and_train(recipe, tmp_path)
    assert plan["estimate"] == pytest.approx(peak, rel=0.01)
    assert peak <= plan["bound"] <= 1.05 * peak
