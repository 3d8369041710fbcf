"""Averages of the weights, kept beside the model while it trains; they are what is validated and stored."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch

from ..methods.optimisation.averaging import start_average, update_exponential, update_uniform
from ..methods.optimisation.averaging_settings import EmaSettings, NoAverage, SwaSettings
from ..methods.optimisation.schedules import count_steps
from .loop import Moment, Verdict

# average, weights, number of updates before this one
Update = Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor], int], None]


class Average:
    """State: the average, how many weights are in it, and a copy of the network that can carry it.

    From step `start` on the weights enter the average after every `every` steps; before, the copy is the network itself.
    """

    def __init__(self, network: torch.nn.Module, update: Update, start: int, every: int) -> None:
        self.network = copy.deepcopy(network)
        self.update, self.start, self.every = update, start, every
        self.average: dict[str, torch.Tensor] = {}
        self.updates = 0

    def __call__(self, moment: Moment) -> bool:
        """Let the weights of this step enter, if it is time and the step was a good one."""
        since = moment.step + 1 - self.start
        if since > 0 and since % self.every == 0 and moment.verdict is Verdict.APPLY:
            weights = moment.turns[0].model.state_dict()
            if not self.average:
                self.average = start_average(weights)
            self.update(self.average, weights, self.updates)
            self.updates += 1
        return False

    def place(self, model: torch.nn.Module) -> torch.nn.Module:
        """Return the copy of the network with the average in it; with the present weights until there is an average."""
        self.network.load_state_dict(self.average or model.state_dict())
        return self.network

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        return self.average, {"updates": self.updates}

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.average, self.updates = dict(tensors), numbers["updates"]


def build_none(settings: NoAverage, network: torch.nn.Module, total: int, per_epoch: int) -> None:
    """Return no average: the weights themselves are kept."""


def build_ema(settings: EmaSettings, network: torch.nn.Module, total: int, per_epoch: int) -> Average:
    """Return the exponential average."""

    def update(average: dict[str, torch.Tensor], weights: dict[str, torch.Tensor], updates: int) -> None:
        update_exponential(average, weights, settings.decay, updates)

    return Average(network, update, start=0, every=1)


def build_swa(settings: SwaSettings, network: torch.nn.Module, total: int, per_epoch: int) -> Average:
    """Return the plain average over the last stretch of the run.

    The running statistics of batch norms are averaged as the weights are; Izmailov et al. take a pass over the training
    part for them instead.
    """
    every = max(1, count_steps(settings.every, total, per_epoch))
    return Average(network, update_uniform, start=count_steps(settings.start, total, per_epoch), every=every)
