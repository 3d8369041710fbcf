"""Weights of groups: independence by counts, and a climb towards the group that fares worst."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelwright.methods.fairness.weights import follow_losses, reweighing


def test_group_and_class_are_independent_after_reweighing() -> None:
    generator = np.random.default_rng(1)
    groups = generator.integers(0, 3, 900)
    targets = (generator.random(900) < 0.2 + 0.25 * groups).astype(int)
    of_example = reweighing(groups, targets)[groups, targets]
    assert of_example.mean() == pytest.approx(1.0)
    rates = [np.average(targets[groups == group], weights=of_example[groups == group]) for group in range(3)]
    assert rates == pytest.approx([targets.mean()] * 3)
    plain = [targets[groups == group].mean() for group in range(3)]
    assert max(plain) - min(plain) > 0.3


def test_the_published_example() -> None:
    """Kamiran and Calders, table 5: ten applicants, five of each sex; men 4 of 5 accepted, women 2 of 5."""
    groups = np.array([0] * 5 + [1] * 5)
    targets = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 0])
    weights = reweighing(groups, targets)
    assert weights[0, 1] == pytest.approx(0.75)
    assert weights[1, 1] == pytest.approx(1.5)
    assert weights[1, 0] == pytest.approx(0.67, abs=0.005)
    assert weights[0, 0] == pytest.approx(2.0)


def test_strength_goes_from_nothing_to_everything() -> None:
    groups, targets = np.array([0, 0, 0, 1]), np.array([1, 1, 0, 0])
    assert reweighing(groups, targets, 0.0).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    half, whole = reweighing(groups, targets, 0.5), reweighing(groups, targets, 1.0)
    assert 1.0 < half[0, 0] / half[0, 1] < whole[0, 0] / whole[0, 1]
    # Nobody of group 1 is of class 1, so nothing is divided by nothing.
    assert np.isfinite(whole).all()


def test_the_group_with_the_largest_loss_gains() -> None:
    weights = torch.full((3,), 1 / 3, dtype=torch.float64)
    losses, present = torch.tensor([0.2, 1.5, 9.0]), torch.tensor([True, True, False])
    after = follow_losses(weights, losses, present, 0.5)
    assert float(after.sum()) == pytest.approx(1.0)
    assert after[1] > after[0]
    # A group that is not in the batch has shown no loss.
    expected = weights * torch.exp(torch.tensor([0.1, 0.75, 0.0], dtype=torch.float64))
    torch.testing.assert_close(after, expected / expected.sum(), rtol=1e-6, atol=0)
    far = follow_losses(weights, torch.tensor([1e6, 0.0, 0.0]), torch.ones(3, dtype=torch.bool), 1.0)
    assert torch.isfinite(far).all()
