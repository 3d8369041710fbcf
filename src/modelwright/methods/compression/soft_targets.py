"""What a student learns from a teacher's answers.

Dimensions: B batch, C classes.
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy


def soften(answers_BC: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return probabilities at a higher temperature: those that the logits, divided by it, would have given.

    Shapes: answers (batch, classes) float -> (batch, classes) float
    Source: Hinton et al. 2015, equation 1; logits are the logarithms of the probabilities, up to a term that cancels.
    """
    return (answers_BC.clamp(min=torch.finfo(answers_BC.dtype).tiny).log() / temperature).softmax(dim=1)


def distillation_losses(
    logits_BC: torch.Tensor, targets_B: torch.Tensor, soft_BC: torch.Tensor, temperature: float, weight: float
) -> torch.Tensor:
    """Return the loss of each example: a share from the teacher's softened answers, the rest from the labels.

    The teacher's part is multiplied by the squared temperature, which keeps the size of its gradient.

    Shapes: logits (batch, classes) float, targets (batch,) int64, soft (batch, classes) float -> (batch,) float
    Units: nats
    Source: Hinton et al. 2015, section 2; the divergence of Kullback and Leibler in place of the cross entropy, which differs
        by what does not depend on the student.
    """
    student_BC = (logits_BC / temperature).log_softmax(dim=1)
    divergence_B = (torch.xlogy(soft_BC, soft_BC) - soft_BC * student_BC).sum(dim=1)
    hard_B = cross_entropy(logits_BC, targets_B, reduction="none")
    return weight * temperature**2 * divergence_B + (1 - weight) * hard_B
