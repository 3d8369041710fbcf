"""Objectives: what becomes of the examples' losses before their mean is minimised."""

from __future__ import annotations

import numpy as np
import torch

from ..methods.balance.imbalance import class_weights, focal_loss
from ..methods.balance.settings import ClassWeightsSettings, FocalSettings
from ..tasks.task import Batch
from .loop import Objective
from .settings import Mean


def build_mean(settings: Mean, counts: np.ndarray) -> Objective:
    """Return the objective that leaves the losses as they are."""
    return lambda losses, batch: losses


def build_class_weights(settings: ClassWeightsSettings, counts: np.ndarray) -> Objective:
    """Return the objective that weighs each example by its class; `counts` holds the training examples of each class."""
    weights = class_weights(torch.from_numpy(counts), settings.how, settings.beta).float()

    def objective(losses: torch.Tensor, batch: Batch) -> torch.Tensor:
        # A soft target, from mixing or smoothing, carries the mean weight of the classes it stands for.
        of_example = weights[batch.targets] if batch.targets.dim() == 1 else batch.targets @ weights
        return losses * of_example

    return objective


def build_focal(settings: FocalSettings, counts: np.ndarray) -> Objective:
    """Return the objective that turns down what the model already gets right."""
    return lambda losses, batch: focal_loss(losses, settings.gamma)
