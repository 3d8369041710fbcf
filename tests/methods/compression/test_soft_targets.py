"""What a student learns from: against the formula written out."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from modelwright.methods.compression.soft_targets import distillation_losses, soften


def test_answers_are_softened_as_their_logits_would_be() -> None:
    logits = torch.randn(6, 4, dtype=torch.float64)
    assert torch.allclose(soften(logits.softmax(1), 3.0), (logits / 3.0).softmax(1))
    certain = torch.tensor([[1.0, 0.0]])
    assert bool(soften(certain, 2.0).isfinite().all())


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_the_loss_of_each_example(weight: float) -> None:
    torch.manual_seed(1)
    student, teacher = torch.randn(5, 3), torch.randn(5, 3)
    targets = torch.tensor([0, 1, 2, 1, 0])
    soft = (teacher / 2.0).softmax(1)
    found = distillation_losses(student, targets, soft, 2.0, weight)
    for row in range(5):
        ours = (student[row] / 2.0).softmax(0)
        divergence = sum(soft[row, c] * torch.log(soft[row, c] / ours[c]) for c in range(3))
        hard = cross_entropy(student[row], targets[row])
        assert torch.isclose(found[row], weight * 4.0 * divergence + (1 - weight) * hard, atol=1e-5)


def test_a_student_that_answers_as_its_teacher_has_nothing_to_learn() -> None:
    logits = torch.randn(4, 3)
    losses = distillation_losses(logits, torch.zeros(4, dtype=torch.int64), (logits / 5.0).softmax(1), 5.0, 1.0)
    assert torch.allclose(losses, torch.zeros(4), atol=1e-5)
