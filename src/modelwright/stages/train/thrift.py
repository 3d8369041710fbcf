"""What saves memory in training: low-rank layers, checkpointing, precision, micro-batches, gradient release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from ...core import registry
from ...core.errors import LayoutError
from ...core.randomness import derive_seed
from ...core.settings import AUTO
from ...core.stage import Context
from ...engine.allocator import set_cuda_allocator
from ...engine.predictor import Predictor
from ...layouts.local import Local
from ...methods.low_rank.adapt import merge
from ...methods.memory.checkpointing import checkpoint_blocks
from ...methods.memory.release import ReleasingOptimiser
from ...methods.optimisation.parameter_groups import Optimiser
from ...models.blocks import find_blocks
from ...models.needs import needs_of
from .settings import Train


def tell_allocator(context: Context) -> None:
    """Hand the recipe's words to CUDA's allocator; the journal holds what became of them."""
    if context.settings.cuda_allocator:
        became = set_cuda_allocator(context.settings.cuda_allocator)
        context.note("allocator", became=became)
        context.progress(message=became)


def adapt_network(settings: Train, section: Any, network: torch.nn.Module, seed: int, note: Callable[..., Any]) -> None:
    """Put low-rank layers into a network and let its blocks forget their activations, as the recipe says, in place."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "low_rank"))
    layers = registry.function_of("low_rank", settings.low_rank.kind)(settings.low_rank, network, generator)
    if layers:
        sizes = [(parameter.numel(), parameter.requires_grad) for parameter in network.parameters()]
        learning = sum(size for size, learns in sizes if learns)
        note(
            "low rank", kind=settings.low_rank.kind, layers=layers, learning=learning, of=sum(size for size, _ in sizes)
        )
    how = settings.checkpointing
    if how != "none":
        assert how != AUTO, "the plan has decided it by now"
        path: str = getattr(type(section), "block_list", "")
        checkpoint_blocks(find_blocks(network, path, section.kind), how)


def build_local(
    settings: Train, network: torch.nn.Module, example_gradients: Callable[..., torch.Tensor] | None = None
) -> Local:
    """Build the layout of one process, if it has what the network needs.

    Raises:
        LayoutError: batch normalisation with micro-batches.
    """
    # A micro-batch that holds the whole batch takes nothing away; but a private batch may be larger than is expected.
    # What was left to the plan is a number by now.
    said = int(settings.micro_batch)
    micro_batch = said if said < settings.batch or example_gradients else 0
    layout = Local(precision=settings.precision, micro_batch=micro_batch, example_gradients=example_gradients)
    missing = needs_of(network) - layout.provides
    if missing:
        raise LayoutError(
            f"the model needs the {', '.join(sorted(missing))}: it normalises by the statistics of the batch, and micro-batches "
            f"of {micro_batch} have statistics of their own",
            where="train.micro_batch",
            expected="0, or a model without batch normalisation",
            next_step="set model.normalisation: group or layer, or leave train.micro_batch out",
        )
    return layout


def build_optimiser(settings: Train, network: torch.nn.Module) -> Optimiser:
    """Build the optimiser over all parameters that learn; one for each where gradients are released."""
    build = registry.function_of("optimiser", settings.optimiser.kind)
    if settings.gradient_release is True:
        return ReleasingOptimiser(lambda named: build(settings.optimiser, named), network.named_parameters())
    optimiser: Optimiser = build(settings.optimiser, network.named_parameters())
    return optimiser


def make_plain(predictor: Predictor, network: torch.nn.Module) -> Predictor:
    """Turn low-rank layers into plain ones, in place, and return the predictor of what is left."""
    merge(network)
    return replace(predictor, parameters=sum(parameter.numel() for parameter in network.parameters()))
