"""Objectives that know which group each example belongs to: fixed weights, and weights that follow the groups' losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..methods.fairness.settings import GroupRobust, Reweighing
from ..methods.fairness.weights import follow_losses, reweighing
from ..tasks.task import Batch, Examples
from .groups import groups_for_training
from .loop import Objective


def build_reweighing(settings: Reweighing, training: Examples) -> Objective:
    """Return the objective that weighs each example by its group and class.

    Raises:
        DataError: the column has no groups for these rows.
    """
    codes = groups_for_training(training, settings.column).codes
    targets = np.asarray(training.columns["target"])
    weights = torch.from_numpy(reweighing(codes, targets, settings.strength)[codes, targets]).float()

    def objective(losses: torch.Tensor, batch: Batch) -> torch.Tensor:
        return losses * weights[torch.from_numpy(np.asarray(batch.indices))]

    return objective


def build_group_robust(settings: GroupRobust, training: Examples) -> GroupRobustObjective:
    """Return the objective that minimises the loss of the groups that fare worst.

    Raises:
        DataError: the column has no groups for these rows.
    """
    grouping = groups_for_training(training, settings.column)
    codes = grouping.codes.astype(np.int64)
    if settings.by_class:
        codes = codes * len(training.learnt["classes"]) + np.asarray(training.columns["target"])
    found, codes = np.unique(codes, return_inverse=True)
    counts = np.bincount(codes, minlength=len(found))
    return GroupRobustObjective(torch.from_numpy(codes), torch.from_numpy(counts), settings.step, settings.adjustment)


class GroupRobustObjective:
    """State: the weight of each group, which each batch changes before it is weighed.

    The whole batch has to come at once: the mean loss of a group in a micro-batch is another one.
    """

    def __init__(self, codes_N: torch.Tensor, counts_G: torch.Tensor, step: float, adjustment: float) -> None:
        self.codes, self.step = codes_N, step
        self.adjustment_G = adjustment / counts_G.double().sqrt()
        self.weights_G = torch.full((len(counts_G),), 1 / len(counts_G), dtype=torch.float64)

    def __call__(self, losses: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the losses weighed so that their mean is the weighted sum of the groups' mean losses."""
        codes_B = self.codes[torch.from_numpy(np.asarray(batch.indices))]
        seen_G = torch.bincount(codes_B, minlength=len(self.weights_G)).double()
        sums_G = torch.zeros_like(seen_G).index_add_(0, codes_B, losses.detach().double().cpu())
        means_G = sums_G / seen_G.clamp(min=1) + self.adjustment_G
        # A step that the guard will not take must not spoil the weights of all that come after it.
        if bool(torch.isfinite(means_G).all()):
            self.weights_G = follow_losses(self.weights_G, means_G, seen_G > 0, self.step)
        of_example_B = (self.weights_G / seen_G.clamp(min=1))[codes_B] * len(codes_B)
        return losses * of_example_B.to(losses)

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        return {"weights": self.weights_G}, {}

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.weights_G = tensors["weights"].clone()
