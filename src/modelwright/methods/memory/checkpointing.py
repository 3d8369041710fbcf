"""Activation checkpointing: blocks forget their activations and compute them again when the gradient needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

aten = torch.ops.aten
# What costs most to compute again for the bytes it takes: products of matrices, convolutions, attention.
KEPT = [
    aten.mm.default,
    aten.addmm.default,
    aten.bmm.default,
    aten.baddbmm.default,
    aten.convolution.default,
    aten._scaled_dot_product_flash_attention_for_cpu.default,
    aten._scaled_dot_product_flash_attention.default,
    aten._scaled_dot_product_efficient_attention.default,
    aten._scaled_dot_product_cudnn_attention.default,
]
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
Contexts = tuple[AbstractContextManager[Any], AbstractContextManager[Any]]


def checkpoint_blocks(blocks: Iterable[nn.Module], how: Literal["blocks", "selective"]) -> None:
    """Let each block compute its activations twice instead of keeping them, in training; losses and gradients stay the same.

    `selective` keeps the results of matrix products, convolutions and attention, and computes the cheap rest again.
    Random numbers are drawn again as they were; running statistics of batch norms learn from the first pass alone.

    Source: Chen et al. 2016, section 3; selective: Korthikanti et al. 2022, section 5.
    """
    for block in blocks:
        # A partial, and not a closure: a deep copy of the block must call its own forward.
        block.forward = partial(_forward, block.forward, block, how)


def _forward(forward: Callable[..., Any], block: nn.Module, how: str, *inputs: Any, **named: Any) -> Any:
    if not (block.training and torch.is_grad_enabled()):
        return forward(*inputs, **named)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=partial(_contexts, block, how), **named)


def _contexts(block: nn.Module, how: str) -> Contexts:
    first: AbstractContextManager[Any] = nullcontext()
    again: AbstractContextManager[Any] = nullcontext()
    if how == "selective":
        first, again = create_selective_checkpoint_contexts(KEPT)
    return first, _computing_again(block, again)


@contextmanager
def _computing_again(block: nn.Module, inner: AbstractContextManager[Any]) -> Iterator[None]:
    norms = [module for module in block.modules() if isinstance(module, BATCH_NORMS)]
    before = [(module.momentum, module.num_batches_tracked) for module in norms]
    for module in norms:
        # Momentum 0 keeps the running statistics as they are; to take them away would change what autograd saves.
        module.momentum = 0.0
        module.num_batches_tracked = None if module.num_batches_tracked is None else module.num_batches_tracked.clone()
    try:
        with inner:
            yield
    finally:
        for module, (momentum, counted) in zip(norms, before, strict=True):
            module.momentum, module.num_batches_tracked = momentum, counted
