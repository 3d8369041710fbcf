"""Weights, focal losses and drawing probabilities against their definitions."""

from __future__ import annotations

import numpy
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from modelwright.methods.balance.imbalance import class_weights, focal_loss, sampling_probabilities

LABELS = torch.tensor([0] * 50 + [1] * 9 + [2])
COUNTS = torch.bincount(LABELS)


def test_inverse_weights_are_scikit_learns():
    expected = compute_class_weight("balanced", classes=numpy.arange(3), y=LABELS.numpy())
    torch.testing.assert_close(class_weights(COUNTS, "inverse"), torch.tensor(expected).float())


def test_effective_weights_follow_the_paper():
    weights = class_weights(COUNTS, "effective", beta=0.9)
    naive = torch.tensor([(1 - 0.9) / (1 - 0.9**count) for count in (50, 9, 1)])
    torch.testing.assert_close(weights, 3 * naive / naive.sum())
    torch.testing.assert_close(class_weights(COUNTS, "effective", beta=0.0), torch.ones(3))


@pytest.mark.parametrize("how", ["inverse", "effective"])
def test_a_class_without_examples_weighs_nothing_and_changes_nothing(how):
    weights = class_weights(torch.tensor([50, 0, 9, 1]), how)
    assert weights[1] == 0
    torch.testing.assert_close(weights[[0, 2, 3]], class_weights(COUNTS, how))


def test_focal_loss_follows_the_paper():
    logits = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(8) % 3
    right = logits.softmax(1)[torch.arange(8), labels]
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    torch.testing.assert_close(focal_loss(losses, 2.0), -((1 - right) ** 2) * right.log())
    assert focal_loss(losses, 0.0) is losses


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_gradient(gamma):
    losses = torch.tensor([0.1, 1.0, 5.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda losses: focal_loss(losses, gamma), losses)
    perfect = torch.zeros(1, requires_grad=True)
    focal_loss(perfect, gamma).sum().backward()
    assert perfect.grad.isfinite().all()


def test_sampling_draws_classes_alike():
    probabilities = sampling_probabilities(LABELS)
    shares = torch.zeros(3, dtype=torch.float64).index_add(0, LABELS, probabilities)
    torch.testing.assert_close(shares, torch.full((3,), 1 / 3, dtype=torch.float64))
    torch.testing.assert_close(sampling_probabilities(LABELS, 0.0), torch.full((60,), 1 / 60, dtype=torch.float64))


def test_half_strength_lies_between():
    shares = torch.zeros(3, dtype=torch.float64).index_add(0, LABELS, sampling_probabilities(LABELS, 0.5))
    roots = COUNTS.double().sqrt()
    torch.testing.assert_close(shares, roots / roots.sum())
