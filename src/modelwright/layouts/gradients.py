"""Gradients and losses of several processes brought together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist

# Entries that are sent at a time: enough to be worth a message, few enough to be copied.
ENTRIES = 1 << 23


@torch.no_grad()
def sum_gradients(parameters: Sequence[torch.nn.Parameter], group: Any) -> None:
    """Add up what the processes of a group have as the gradient of each parameter; where none has one, there is none.

    All processes get the same bits.
    """
    present = torch.tensor([parameter.grad is not None for parameter in parameters], dtype=torch.uint8)
    dist.all_reduce(present, dist.ReduceOp.MAX, group=group)
    wanted = [parameter for parameter, there in zip(parameters, present.tolist(), strict=True) if there]
    for parameter in wanted:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    for bucket in _buckets([local_part(parameter.grad) for parameter in wanted if parameter.grad is not None]):
        flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
        dist.all_reduce(flat, group=group)
        start = 0
        for gradient in bucket:
            gradient.copy_(flat[start : start + gradient.numel()].view(gradient.shape))
            start += gradient.numel()


def _buckets(gradients: Sequence[torch.Tensor]) -> list[list[torch.Tensor]]:
    """Deal tensors out, in their order, into lists of one type that are sent together."""
    buckets: list[list[torch.Tensor]] = []
    room = 0
    for gradient in gradients:
        if not buckets or gradient.numel() > room or buckets[-1][0].dtype != gradient.dtype:
            buckets.append([])
            room = ENTRIES
        buckets[-1].append(gradient)
        room -= gradient.numel()
    return buckets


def local_part(tensor: torch.Tensor) -> torch.Tensor:
    """Return what this process holds of a tensor; all of one that is not sharded."""
    held: torch.Tensor = getattr(tensor, "_local_tensor", tensor)
    return held


def gather_unequal(value: torch.Tensor, counts: Sequence[int], group: Any) -> list[torch.Tensor]:
    """Return what each process of a group has; they know how much that is.

    Shapes: value (counts[rank],) float -> (counts[i],) float for each process i
    """
    padded = value.new_zeros(max(counts))
    padded[: len(value)] = value
    everyone = [torch.empty_like(padded) for _ in counts]
    dist.all_gather(everyone, padded, group=group)
    return [row[:count] for row, count in zip(everyone, counts, strict=True)]
