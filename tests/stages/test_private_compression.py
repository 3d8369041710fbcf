"""A private training and what is made of its weights: nothing may look at the examples again, and the claim goes along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from private_recipe import DP, ordinary, run_privately

from modelwright.core.errors import RecipeError

LEARNING: list[dict[str, Any]] = [
    {"kind": "distil", "student": {"kind": "linear"}},
    {"kind": "quantise", "how": "static"},
    {"kind": "prune", "fine_tune": "1 epochs"},
    {"kind": "low_rank", "fine_tune": "5 steps"},
]
BLIND: list[dict[str, Any]] = [
    {"kind": "prune", "amount": 0.3},
    {"kind": "low_rank"},
    {"kind": "quantise", "how": "weight_only"},
    {"kind": "export"},
]


@pytest.mark.parametrize("step", LEARNING, ids=lambda step: step["kind"])
def test_steps_that_learn_are_refused_before_data_is_touched(step: dict[str, Any], tmp_path: Path) -> None:
    recipe = ordinary(tmp_path).edited({"train.privacy": DP})
    with pytest.raises(RecipeError, match="it learns from training examples without noise") as caught:
        recipe.edited({"compress.steps": [BLIND[0], step]})
    assert len(caught.value.problems) == 1
    assert "how: dynamic" in caught.value.problems[0].expected
    recipe.edited({"compress.steps": BLIND})
    ordinary(tmp_path).edited({"compress.steps": [step]})


def test_the_claim_goes_along_to_the_model_that_is_left(tmp_path: Path) -> None:
    made = run_privately(
        tmp_path / "run",
        "audit",
        compress={"steps": BLIND[:1], "rounds": 3, "resamples": 100},
        audit__privacy={"membership": False},
    )
    model = made.artifact("model").digest
    of_training = next(item for item in made.evidence() if item.name == "epsilon" and item.about["model"] != model)
    claims = {item.name: item for item in made.evidence() if item.about.get("model") == model}
    assert claims["epsilon"].value == of_training.value
    assert claims["delta"].value == DP["delta"]
    assert "at delta 0.001" in claims["epsilon"].method
