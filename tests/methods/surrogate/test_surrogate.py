"""Surrogates imitate what they can express, and pruning takes away what only noise asked for."""

from __future__ import annotations

import numpy as np
import pytest

from modelwright.methods.surrogate.linear import fit_linear
from modelwright.methods.surrogate.rules import rules_of
from modelwright.methods.surrogate.tree import choose_pruning, grow

NAMES = [("", "age"), ("sex is not Male", "sex is Male"), ("", "hours")]


def table(rows: int = 400) -> np.ndarray:
    generator = np.random.default_rng(0)
    return np.stack(
        [generator.uniform(18, 90, rows), generator.integers(0, 2, rows), generator.uniform(0, 80, rows)], axis=1
    )


def old_men(features: np.ndarray) -> np.ndarray:
    return ((features[:, 0] > 40) & (features[:, 1] == 1)).astype(int)


def test_a_tree_finds_the_rule_and_tells_it() -> None:
    features = table()
    found = grow(features, old_men(features), depth=4, leaf_rows=5, pruning=0.0, seed=1)
    assert (found.decide(features) == old_men(features)).all()
    assert found.leaves == 3
    lines = rules_of(found.tree, NAMES, ["young", "old"])
    told = {line["question"]: line.get("answer") for line in lines}
    assert told["sex is not Male"] == "young"
    assert told["sex is Male"] is None
    (limit,) = [float(text.split()[-1]) for text, answer in told.items() if answer == "old"]
    assert limit == pytest.approx(40, abs=1)
    assert [line["depth"] for line in lines] == [1, 1, 2, 2]
    assert sum(line["rows"] for line in lines if "answer" in line) == len(features)
    assert all(line["share"] == 1 for line in lines if "answer" in line)


def test_pruning_takes_away_what_noise_asked_for() -> None:
    features = table()
    noisy = old_men(features) ^ (np.random.default_rng(1).random(len(features)) < 0.15)
    strength = choose_pruning(features, noisy, depth=10, leaf_rows=1, seed=1)
    full, pruned = (grow(features, noisy, 10, 1, alpha, seed=1) for alpha in (0.0, strength))
    assert strength > 0
    assert pruned.leaves <= 5 < full.leaves
    fresh = table(1000)
    assert (pruned.decide(fresh) == old_men(fresh)).mean() > (full.decide(fresh) == old_men(fresh)).mean()


def test_a_line_needs_a_line() -> None:
    features = table()
    straight = (features[:, 0] + features[:, 2] > 90).astype(int)
    fitted = fit_linear(features, straight, strength=100.0)
    assert (fitted.decide(features) == straight).mean() > 0.97
    weights = fitted.weights()
    assert weights[1].tolist() == (-weights[0]).tolist()
    assert abs(weights[1][1]) < 0.2 * abs(weights[1][0])
    assert abs(fit_linear(features, straight, 0.01).weights()[1][0]) < abs(weights[1][0])
    three = straight + (features[:, 1] == 1)
    assert set(fit_linear(features, three, 1.0).weights()) == {0, 1, 2}
