"""Parameters in bfloat16 for the length of a forward and backward pass; their masters in float32 stay where they are."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.func import functional_call


class Replaceable(nn.Module):
    """State: none of its own; it lets the work on a model run where the model's parameters are replaced."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, work: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Do the work."""
        return work()


def with_short_parameters(model: nn.Module, work: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Do forward and backward passes with every matrix of a model in bfloat16; gradients arrive at the masters in float32.

    Vectors (biases, gains of norms) stay as they are: they are small, and sums into them are long. All parts of a batch
    share one short copy, which is forgotten afterwards.

    Source: Micikevicius et al. 2018, section 3.1; torch.distributed.fsdp.MixedPrecisionPolicy does the same.
    """
    shorts = {
        f"model.{name}": parameter.to(torch.bfloat16)
        for name, parameter in model.named_parameters()
        if parameter.ndim > 1 and parameter.dtype is torch.float32
    }
    done: torch.Tensor = functional_call(Replaceable(model), shorts, (work,))
    return done
