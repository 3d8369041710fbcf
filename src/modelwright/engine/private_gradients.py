"""The seam ExampleGradients: instead of one gradient of the mean loss, the sum of each example's own, clipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..core.errors import RecipeError
from ..layouts.short import Replaceable
from ..methods.privacy.clipping import clip_each
from ..models.needs import BATCH_NORMS
from ..tasks.task import Batch
from .loop import Objective
from .turn import Turn

# A packed sequence has another shape for each example.
ONE_BY_ONE = (nn.RNNBase, nn.EmbeddingBag)
Gradients = dict[str, torch.Tensor]


@dataclass(frozen=True)
class ClippedGradients:
    """Puts into each parameter's gradient the sum over the examples, each clipped to the norm `clip`; not their mean.

    Micro-batches add up: clipping is done for each example, so how a batch is cut changes nothing. `how` is vmap or one_by_one.
    """

    clip: float
    how: str

    def __call__(self, turn: Turn, parts: Sequence[Batch], objective: Objective) -> torch.Tensor:
        """Fill the gradients and return the losses; of an empty batch the gradient is zero and there are no losses."""
        learning = {name: weight for name, weight in turn.model.named_parameters() if weight.requires_grad}
        _refuse_leftovers(learning)
        for weight in learning.values():
            weight.grad = torch.zeros_like(weight)
        of_each = together if self.how == "vmap" else one_by_one
        losses = [torch.empty(0)]
        for part in parts:
            if not len(part):
                continue
            loss, gradients = of_each(turn, learning, part, objective)
            sums, _ = clip_each(list(gradients.values()), self.clip)
            for name, summed in zip(gradients, sums, strict=True):
                gradient = learning[name].grad
                assert gradient is not None
                gradient += summed
            losses.append(loss)
        return torch.cat(losses)


def _refuse_leftovers(learning: dict[str, nn.Parameter]) -> None:
    """Two backward passes into one gradient would let an example contribute twice what the accountant counts."""
    for name, weight in learning.items():
        if weight.grad is not None and bool(weight.grad.any()):
            raise AssertionError(f"the gradient of {name} was not cleared before a private backward pass")


def choose_how(network: nn.Module) -> str:
    """Return how the gradient of each example of a network can be had."""
    return "one_by_one" if any(isinstance(module, ONE_BY_ONE) for module in network.modules()) else "vmap"


def refuse_batch_statistics(network: nn.Module) -> None:
    """Refuse what mixes the examples of a batch: then no example has a gradient of its own.

    Raises:
        RecipeError: names the first such layer.
    """
    for name, module in network.named_modules():
        if isinstance(module, BATCH_NORMS):
            raise RecipeError(
                f"the layer '{name}' of the model normalises by the statistics of its batch, which mixes the examples in it",
                where="train.privacy",
                expected="a model in which an example's gradient is its own",
                next_step="set model.normalisation: group, layer or none",
            )


def together(
    turn: Turn, learning: dict[str, nn.Parameter], part: Batch, objective: Objective
) -> tuple[torch.Tensor, Gradients]:
    """Return the losses and the gradients of all examples, computed at once.

    Raises:
        RecipeError: torch cannot do that with this model.
    """
    stage = Replaceable(turn.model)

    def loss_of_one(weights: Gradients, inputs: Gradients, target: torch.Tensor) -> torch.Tensor:
        example = Batch({name: tensor[None] for name, tensor in inputs.items()}, target[None], np.zeros(1, np.int64))

        def work() -> torch.Tensor:
            return objective(turn.losses(example), example)[0]

        return functional_call(stage, {f"model.{name}": weight for name, weight in weights.items()}, (work,))

    weights: Any = {name: weight.detach() for name, weight in learning.items()}
    try:
        # The plain formula for attention: the fused ones have no gradient for each example.
        with sdpa_kernel(SDPBackend.MATH):
            of_all = vmap(grad_and_value(loss_of_one), in_dims=(None, 0, 0), randomness="different")
            gradients, losses = of_all(weights, part.inputs, part.targets)
    except RuntimeError as error:
        raise RecipeError(
            f"the gradients of this model cannot be had all at once: {str(error).splitlines()[0]}",
            where="train.privacy.gradients",
            expected="one_by_one, which every model allows",
            next_step="set train.privacy.gradients: one_by_one",
        ) from error
    return losses.detach(), {name: gradient.detach() for name, gradient in gradients.items()}


def one_by_one(
    turn: Turn, learning: dict[str, nn.Parameter], part: Batch, objective: Objective
) -> tuple[torch.Tensor, Gradients]:
    """Return the losses and the gradients of all examples, by one backward pass for each."""
    losses, found = [], []
    for place in range(len(part)):
        example = part.part(place, place + 1)
        loss = objective(turn.losses(example), example)[0]
        found.append(torch.autograd.grad(loss, list(learning.values()), allow_unused=True, materialize_grads=True))
        losses.append(loss.detach())
    return torch.stack(losses), {
        name: torch.stack([gradients[place] for gradients in found]) for place, name in enumerate(learning)
    }
