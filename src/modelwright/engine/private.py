"""Private training as a bundle of seams: Poisson sampler, clipped gradients of each example, noise, accountant."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..core.errors import RecipeError
from ..core.files import read_json, write_bytes, write_json
from ..core.settings import AUTO
from ..methods.privacy.accounting import epsilon_pld, epsilon_prv, noise_for, versions
from ..methods.privacy.settings import DpSgd, NoPrivacy
from ..tasks.task import Batch
from .guard import Guard
from .incidents import DataOrder
from .loop import GradientRule, Moment, Verdict
from .private_accountant import Accountant
from .private_canaries import Canaries, WithCanaries
from .private_gradients import ClippedGradients, choose_how, refuse_batch_statistics
from .private_noise import Noise
from .private_sampler import Poisson
from .turn import Turn

KEY_BYTES = 16


class BatchSizes:
    """State: how many steps there were, and the sums of the sizes of their batches and of the squares of these."""

    def __init__(self) -> None:
        self.steps = self.total = self.squares = 0

    def __call__(self, moment: Moment) -> bool:
        """Take in one step."""
        size = 0 if moment.batch is None else len(moment.batch)
        self.steps, self.total, self.squares = self.steps + 1, self.total + size, self.squares + size * size
        return False

    def summary(self) -> dict[str, float]:
        """Return the mean and the variance of the sizes."""
        mean = self.total / max(1, self.steps)
        variance = (self.squares - self.total * mean) / (self.steps - 1) if self.steps > 1 else math.nan
        return {"steps": self.steps, "mean": mean, "variance": variance}

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        return {}, {"steps": self.steps, "total": self.total, "squares": self.squares}

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.steps, self.total, self.squares = numbers["steps"], numbers["total"], numbers["squares"]


@dataclass(frozen=True)
class Private:
    """The parts of one private training, and the weights it began with."""

    settings: DpSgd
    examples: int
    sampler: Poisson | WithCanaries
    gradients: ClippedGradients
    accountant: Accountant
    noise: Noise
    sizes: BatchSizes
    canaries: Canaries | None
    first: dict[str, torch.Tensor]

    def rules(self, guard: Guard) -> list[GradientRule]:
        """Return the rules that come first: noise, and a guard that sees nothing but what the noise has covered."""
        watched: list[GradientRule] = [self.canaries.watch] if self.canaries else []
        return [self.noise, *watched, lambda turn, losses: guard(turn, torch.zeros(1))]

    def memories(self) -> dict[str, Any]:
        """Return what belongs in the checkpoint, by name."""
        return {
            "accountant": self.accountant,
            "batch_sizes": self.sizes,
            **({"canaries": self.canaries} if self.canaries else {}),
        }

    def leave(self, *networks: nn.Module) -> None:
        """Take out of the networks what was put in for the training alone."""
        for network in {id(network): network for network in networks}.values():
            if self.canaries:
                self.canaries.leave(network)

    def record(self, kept: nn.Module, order: DataOrder) -> dict[str, Any]:
        """Return what was spent, and what shows that it was spent as claimed."""
        rate, noise, delta = self.accountant.rate, self.accountant.noise, self.settings.delta
        steps, begun = self.accountant.steps, self.accountant.begun
        epsilon = epsilon_prv(rate, noise, steps, delta)
        return {
            "kind": self.settings.kind,
            "epsilon": epsilon,
            "epsilon_begun": epsilon if begun == steps else epsilon_prv(rate, noise, begun, delta),
            "epsilon_checked": epsilon_pld(rate, noise, steps, delta),
            "delta": delta,
            "noise": noise,
            "rate": rate,
            "clip": self.accountant.clip,
            "batch": self.sampler.batch,
            "steps": steps,
            "begun": begun,
            "examples": self.examples,
            "drawn_from": self.examples + (int(self.canaries.included.sum()) if self.canaries else 0),
            "versions": versions(),
            "sizes": self.sizes.summary(),
            "order_as_drawn": order.digest == self._order_as_drawn(steps),
            "weights_change": change(self.first, kept),
            "gradients": self.gradients.how,
            "canaries": self.canaries.record() if self.canaries else {},
        }

    def _order_as_drawn(self, steps: int) -> str:
        """Return the digest of the order of an undisturbed training: a resumed one must have the same."""
        undisturbed = DataOrder()
        for step, indices in self.sampler.batches(0, steps):
            batch = Batch({}, torch.empty(0), indices)
            undisturbed(Moment(step, (), torch.empty(0), Verdict.APPLY, batch))
        return undisturbed.digest


def build_none(settings: NoPrivacy, network: nn.Module, **plan: Any) -> None:
    """Return nothing: an ordinary training."""


def build_dp_sgd(
    settings: DpSgd,
    network: nn.Module,
    *,
    examples: int,
    batch: int,
    total: int,
    folder: Path,
    note: Callable[..., Any],
) -> Private:
    """Build the parts of a private training of `total` steps; secrets and counts lie in `folder`.

    Raises:
        RecipeError: the model, delta, the batch or the noise does not allow what is asked for.
        MissingExtra: the libraries that count are not installed.
    """
    refuse_batch_statistics(network)
    _refuse_sizes(settings, examples, batch)
    rate = batch / examples
    noise = _choose_noise(settings, rate, total, folder, note)
    first = {name: weight.detach().clone() for name, weight in network.named_parameters() if weight.requires_grad}
    how = choose_how(network) if settings.gradients == AUTO else settings.gradients
    canaries = Canaries(network, examples, settings.canaries, settings.clip) if settings.canaries else None
    accountant = Accountant(folder / "privacy.steps", noise=noise, rate=rate, clip=settings.clip)
    sampler = Poisson(examples + settings.canaries, batch, rate, _secret(folder / "sampling.key"))
    return Private(
        settings=settings,
        examples=examples,
        sampler=WithCanaries(sampler, canaries) if canaries else sampler,
        gradients=ClippedGradients(settings.clip, how),
        accountant=accountant,
        noise=Noise(accountant, batch),
        sizes=BatchSizes(),
        canaries=canaries,
        first=first,
    )


def _refuse_sizes(settings: DpSgd, examples: int, batch: int) -> None:
    if settings.delta >= 1 / examples:
        raise RecipeError(
            f"delta is {settings.delta:g}, and there are {examples} training examples: with that probability training might "
            "give one of them away whole",
            where="train.privacy.delta",
            expected=f"less than 1 / {examples} = {1 / examples:.2g}",
            next_step=f"set train.privacy.delta: {0.1 / examples:.0e}",
        )
    if batch > examples:
        raise RecipeError(
            f"a batch of {batch} is expected, and there are {examples} training examples",
            where="train.batch",
            expected="at most as many as there are",
        )


def _choose_noise(settings: DpSgd, rate: float, total: int, folder: Path, note: Callable[..., Any]) -> float:
    """Return the noise, which a killed training finds again, and say what the whole training will have spent."""
    path = folder / "privacy.json"
    plan = {"rate": rate, "steps": total, **settings.model_dump(mode="json")}
    found = read_json(path) if path.exists() else {}
    if found.get("plan") == plan:
        return float(found["noise"])
    noise = noise_for(settings.epsilon, settings.delta, rate, total) if settings.noise == AUTO else settings.noise
    epsilon = epsilon_prv(rate, noise, total, settings.delta)
    if epsilon > settings.epsilon:
        raise RecipeError(
            f"with noise {noise:g}, {total} steps spend epsilon {epsilon:.4g} at delta {settings.delta:g}",
            where="train.privacy.noise",
            expected=f"at most epsilon {settings.epsilon:g}",
            next_step="set train.privacy.noise: auto, or raise it or train.privacy.epsilon, or train for fewer steps",
        )
    if settings.noise == AUTO:
        why = f"epsilon {epsilon:.4g} at delta {settings.delta:g} after {total} steps at rate {rate:.4g}"
        note("auto resolved", name="train.privacy.noise", value=noise, why=why)
    write_json(path, {"plan": plan, "noise": noise})
    return noise


def _secret(path: Path) -> int:
    """Return the key of the sampler: drawn once a training, and gone with its unfinished work."""
    if not path.exists():
        write_bytes(path, os.urandom(KEY_BYTES))
        path.chmod(0o600)
    return int.from_bytes(path.read_bytes(), "big")


def change(first: dict[str, torch.Tensor], network: nn.Module) -> dict[str, float]:
    """Return the norm of the change of the weights, and the norm they had."""
    now = dict(network.named_parameters())
    moved = math.sqrt(
        sum(float((now[name].detach() - weight).double().square().sum()) for name, weight in first.items())
    )
    return {"norm": moved, "of": math.sqrt(sum(float(weight.double().square().sum()) for weight in first.values()))}


def with_canaries(private: Private, turn: Turn) -> Turn:
    """Return the turn whose losses know the canaries, if there are any."""
    if private.canaries is None:
        return turn
    losses = private.canaries.losses(turn.losses)
    return Turn(turn.name, turn.model, losses, turn.sizes, turn.optimiser, turn.rate_factor)
