"""Membership inference with shadow models: what it finds of a model that has learnt by heart, and of a private one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from private_recipe import DP, ordinary, run_privately

from modelwright.core.evidence import Evidence
from modelwright.core.execute import run

# A tiny network learns labels that nothing explains, which it can only do by heart. Three thousand rows stand for others, so that
# 0.1 % of them is two: with fewer, the luck of one row would decide.
ROWS, FEATURES = 4400, 20
ROOM: dict[str, Any] = {
    "task": "tabular",
    "data": {"kind": "csv", "path": "noise.csv"},
    "model": {"kind": "mlp", "hidden": [128]},
    "prepare.limit": 0,
    "prepare.split": {"test": 0.05, "validation": 0.7},
    "train.batch": 64,
    "train.length": "40 epochs",
    "train.keep": "last",
    "train.optimiser": {"kind": "adam", "lr": 0.01},
    "evaluate": {"resamples": 100, "floor": "none"},
    "audit": {"privacy": {"checks": False, "shadows": 32, "false_positives": 0.001}},
}


def write_noise(path: Path) -> None:
    """Write rows whose labels are the toss of a coin."""
    generator = np.random.default_rng(3)
    lines = [",".join([*(f"x{place}" for place in range(FEATURES)), "label"])]
    for row in generator.normal(size=(ROWS, FEATURES)):
        lines.append(",".join([*(f"{value:.4f}" for value in row), "ab"[int(generator.integers(2))]]))
    path.write_text("\n".join(lines) + "\n")


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


def found_by(folder: Path, **edits: Any) -> tuple[Evidence, Evidence]:
    """Attack a training with 32 shadow models; return the share of members found, and the area under the curve."""
    write_noise(folder / "noise.csv")
    changes = {key.replace("__", "."): value for key, value in edits.items()}
    made = run(ordinary(folder).edited({**ROOM, **changes}), "audit", folder=folder / "run")
    claims = {item.name: item for item in made.evidence()}
    rate, area = claims["membership_tpr"], claims["membership_auc"]
    print(f"found {rate.value:.4f} ({rate.low:.4f} to {rate.high:.4f}) of {rate.n}, area {area.value:.3f}")
    return rate, area


@pytest.mark.full
def test_thirty_two_shadows_find_members_of_an_open_training(tmp_path: Path) -> None:
    """Without privacy there is something to find, so that finding nothing elsewhere says something."""
    rate, area = found_by(tmp_path)
    assert rate.low > 0.02
    assert area.value > 0.8


@pytest.mark.full
def test_thirty_two_shadows_find_next_to_nobody_under_epsilon_two(tmp_path: Path) -> None:
    """List H: the share of members found at 0.1 % false positives falls to 0.5 % at most."""
    private = {"kind": "dp_sgd", "epsilon": 2.0, "delta": 1e-4}
    rate, _ = found_by(tmp_path, train__privacy=private, train__length="10 epochs")
    assert rate.value <= 0.005
