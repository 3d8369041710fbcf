"""Pairs of answers compared: how likely a model finds each, and the task whose loss is that of a pair.

Dimensions: B pairs; 2 answers, the chosen one first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from .language import sum_by_sequence
from .task import Batch, Task

if TYPE_CHECKING:
    import torch


def likelihoods(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """Return the log-likelihood of both answers of each pair, summed over the tokens of the answers alone.

    Shapes: batch of b pairs -> (b, 2) float
    Units: nats
    """
    return -sum_by_sequence(batch, model(**batch.inputs, targets=batch.targets)).unflatten(0, (-1, 2))


def gains(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """Return how much more the chosen answer of each pair has gained over the reference than the other one.

    Shapes: batch of b pairs -> (b,) float
    Units: nats
    Source: Rafailov et al. 2023, equation 7, in the brackets, without beta.
    """
    assert batch.reference is not None, "pairs are compared with a reference"
    gained_B2 = likelihoods(model, batch) - batch.reference
    return gained_B2[:, 0] - gained_B2[:, 1]


def prefer(task: Task, losses_of_pairs: Callable[[torch.Tensor], torch.Tensor]) -> Task:
    """Return the task of language whose examples are pairs: each has the loss of what it gains, and counts once."""

    def sizes(batch: Batch) -> torch.Tensor:
        import torch

        return torch.ones(len(batch))

    return replace(task, losses=lambda model, batch: losses_of_pairs(gains(model, batch)), sizes=sizes)
