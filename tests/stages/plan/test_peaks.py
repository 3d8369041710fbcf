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


def test_what_is_chosen_under_a_limit_fits_and_little_more_would(tmp_path: Path) -> None:
    recipe = {
        "version": 1,
        "name": "limited",
        "task": "image",
        "data": {"kind": "sample", "name": "digits"},
        "model": {"kind": "residual", "widths": [16, 32], "normalisation": "group"},
        "prepare": {"limit": 400, "split": {"test": 0.1, "validation": 0.1}},
        "train": {"length": "2 steps", "batch": 128, "threads": 1, "workers": 0, "validate_every": "2 steps"},
        "evaluate": {"resamples": 100, "floor": "none"},
    }
    whole, _ = plan_only(recipe, tmp_path, "auto", 0)
    limit = int(0.6 * whole["bound"])
    plan, prepared = plan_only(recipe, tmp_path, "auto", limit)
    chosen = plan["choices"]["train.micro_batch"]["value"]
    # One twentieth more, at the least one.
    more = chosen + max(1, chosen // 19)
    peaks = [
        measure(prepared, with_train(recipe, micro_batch=size), tmp_path, tmp_path / f"of-{size}")
        for size in (chosen, more)
    ]
    assert peaks[0] <= limit < peaks[1]


def with_train(recipe: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the recipe with other settings of its training."""
    return {**recipe, "train": {**recipe["train"], **changes}}


def plan_only(recipe: dict[str, Any], folder: Path, micro_batch: Any, memory: int) -> tuple[dict[str, Any], Path]:
    """Return the plan of a recipe under a limit, and the run that was prepared for it."""
    changed = with_train(recipe, micro_batch=micro_batch) | {"plan": {"budget": {"memory": memory}}}
    made = run(recipe_from(changed, folder), "plan", folder=folder / "run")
    return planned(made), made.folder
