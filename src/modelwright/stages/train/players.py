"""Who takes turns in a step: the model alone, or a generator and a discriminator."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ...core import registry
from ...core.randomness import derive_seed
from ...engine.adversarial import Game, Heads
from ...engine.turn import Turn
from ...engine.watch import steps_between_looks
from ...layouts.local import Local
from ...methods.adversarial.settings import Gan
from ...tasks.task import Task
from .parts import build_turn
from .settings import Train

# A side on which every generator can be tried to see how wide its features are.
TRIED = 64


@dataclass(frozen=True)
class Players:
    """The turns of a step, the first of which trains the model that is kept; and the game they play, if there are two."""

    turns: list[Turn]
    game: Game | None = None


def build_players(settings: Train, task: Task, network: nn.Module, total: int, per_epoch: int, seed: int) -> Players:
    """Build one turn, or both of two players, in the same way for a trial and for the training itself."""
    if settings.adversarial.kind == "none":
        return Players([build_turn(settings, task, network, total, per_epoch)])
    gan: Gan = settings.adversarial
    # Building must not depend on what was drawn before, nor change what is drawn after.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "players"))
        companions = _companions(gan, network)
        players: nn.ModuleDict = registry.function_of("adversary", gan.kind)(gan)
    layout = Local()
    layout.place(companions)
    layout.place(players)
    game = Game(gan, network, companions, players, steps_between_looks(per_epoch, total), settings.memory == "tight")
    schedule: Callable[..., Any] = registry.function_of("schedule", settings.schedule.kind)
    build: Callable[..., Any] = registry.function_of("optimiser", settings.optimiser.kind)
    learning = [*network.named_parameters(), *companions.named_parameters()]
    second = settings.optimiser.model_copy(update={"lr": gan.discriminator.lr})
    return Players(
        [
            Turn(
                "model",
                network,
                game.generator_losses,
                task.sizes,
                build(settings.optimiser, learning),
                schedule(settings.schedule, total, per_epoch),
            ),
            Turn(
                "discriminator",
                players,
                game.discriminator_losses,
                task.sizes,
                build(second, players.named_parameters()),
                schedule(settings.schedule, total, per_epoch),
            ),
        ],
        game,
    )


def _companions(gan: Gan, network: Any) -> nn.ModuleDict:
    """Build what learns with the generator and is not kept."""
    if gan.content == "cycle":
        back = copy.deepcopy(network)
        for module in back.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        return nn.ModuleDict({"back": back})
    if gan.content == "contrastive":
        with torch.inference_mode():
            widths = [seen.shape[1] for seen in network.features(torch.zeros(1, 3, TRIED, TRIED))]
        return nn.ModuleDict({"heads": Heads(widths)})
    return nn.ModuleDict()
