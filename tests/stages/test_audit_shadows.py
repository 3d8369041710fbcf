"""Membership inference with shadow models: what it finds of a model that has learnt by heart, and of a private one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from private_recipe import DP, ordinary, run_privately

from modelwright.core.evidence import Evidence
from modelwright.core.execute import run

# All digits but those that stand for others: 1,000 of them, so that 0.1 % is one.
ROOM: dict[str, Any] = {
    "prepare.limit": 0,
    "prepare.split": {"test": 0.05, "validation": 0.5875},
    "train.batch": 64,
    "train.length": "30 epochs",
    "train.keep": "last",
    "train.optimiser": {"kind": "adam", "lr": 0.01},
    "evaluate": {"resamples": 100, "floor": "none"},
    "audit": {"privacy": {"checks": False, "shadows": 32, "false_positives": 0.001}},
}


def test_shadows_are_as_loud_as_the_model_that_is_audited(tmp_path: Path) -> None:
    """A number for the noise that just keeps within epsilon would be too small for a model of half of the examples."""
    made = run_privately(
        tmp_path / "run",
        "audit",
        train__privacy={**DP, "epsilon": 1.2},
        audit__privacy={"checks": False, "shadows": 1, "false_positives": 0.1},
    )
    claims = {item.name: item for item in made.evidence()}
    assert 1.0 < claims["epsilon"].value <= 1.2
    assert claims["membership_tpr"].status == "measured"


@pytest.mark.full
def test_thirty_two_shadows_find_next_to_nobody_under_epsilon_two(tmp_path: Path) -> None:
    """List H: the share of members found at 0.1 % false positives falls to 0.5 % at most; without privacy it is more."""

    def found(name: str, **edits: Any) -> tuple[Evidence, Evidence]:
        recipe = ordinary(tmp_path).edited({**ROOM, **{key.replace("__", "."): value for key, value in edits.items()}})
        claims = {item.name: item for item in run(recipe, "audit", folder=tmp_path / name).evidence()}
        return claims["membership_tpr"], claims["membership_auc"]

    open_rate, open_area = found("open", model={"kind": "mlp", "hidden": [256]})
    private_rate, private_area = found(
        "private", train__privacy={"kind": "dp_sgd", "epsilon": 2.0, "delta": 1e-4}, train__length="10 epochs"
    )
    print(
        f"open: {open_rate.value:.4f} (area {open_area.value:.3f}); private: {private_rate.value:.4f} ({private_area.value:.3f})"
    )
    assert private_rate.value <= 0.005
    assert open_rate.value > 2 * 0.005
    assert private_area.value < open_area.value
