"""The step `prune`: small weights become zero and are not stored, or weak channels are removed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...core.errors import RecipeError
from ...engine.fine_tuning import keep_zeros
from ...engine.loop import GradientRule
from ...engine.network_folder import Stored, read_network, write_network
from ...methods.compression.channels import remove_channels, widths_of
from ...methods.compression.settings import Prune
from ...methods.compression.sparsity import zero_smallest
from .bench import Bench, train_on


def run(settings: Prune, bench: Bench, before: Path, after: Path) -> dict[str, Any]:
    """Write the pruned model; say how many multiplications and additions an example takes before and after.

    Raises:
        RecipeError: the network has no channels that could be removed.
    """
    stored = read_network(before)
    example = bench.task.collate(bench.validation, np.arange(1)).inputs
    facts: dict[str, Any] = {"operations_before": count_operations(stored.network, example)}
    rules: list[GradientRule] = []
    if settings.how == "structured":
        stored = _without_channels(stored, settings, bench)
    else:
        rules = [keep_zeros(zero_smallest(stored.network, settings.amount), stored.network)]
    facts["fine_tuning_steps"] = train_on(stored.network, settings, bench, rules)
    weights = [weight for weight in stored.network.parameters() if weight.dim() > 1]
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    facts["zeros"] = zeros / sum(weight.numel() for weight in weights)
    facts["operations"] = count_operations(stored.network, example)
    write_network(after, stored)
    return facts


def _without_channels(stored: Stored, settings: Prune, bench: Bench) -> Stored:
    kinds = [change["kind"] for change in stored.config.get("changes", [])]
    if any(kind not in ("widths",) for kind in kinds):
        raise RecipeError(
            f"the channels of this model cannot be removed any more: the step {kinds[-1]} came before",
            where=bench.place,
            expected="prune: structured before quantise and low_rank",
            next_step="change the order of compress.steps",
        )
    inputs = bench.task.collate(bench.validation, np.arange(min(2, len(bench.validation)))).inputs
    old = widths_of(stored.network)
    remove_channels(stored.network.eval(), inputs, settings.amount)
    new = widths_of(stored.network)
    if new == old:
        raise RecipeError(
            "no channel was removed",
            where=bench.place,
            expected="a larger amount, or a network of wider layers",
            next_step="raise the step's amount",
        )
    # Widths take the place of those of an earlier step.
    config = {**stored.config, "changes": []}
    return replace(stored, config=config).changed("widths", new)


def count_operations(network: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> int:
    """Return the floating-point operations of matrix products and convolutions for one batch of inputs."""
    from torch.utils.flop_counter import FlopCounterMode

    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(**inputs)
    return int(counter.get_total_flops())
