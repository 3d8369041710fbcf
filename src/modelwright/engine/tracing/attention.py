"""Attention as a GPU computes it: never the whole matrix of weights, also where a CPU would, as for grouped queries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch

from ...models import decoder, transformer

NAME = "scaled_dot_product_attention"


@contextmanager
def attention_of_gpus() -> Iterator[None]:
    """Let the models that attend do so with what a GPU would keep: the inputs, the output, and a number for each row."""
    with ExitStack() as stack:
        for module in (decoder, transformer):
            stack.enter_context(patch.object(module, NAME, attend))
        yield


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """Do as torch's function of that name, on tensors that are only shapes.

    Without a mask flash attention takes grouped heads as they are; with one, the kernel that takes masks wants as many heads
    of keys and values as of queries, and the mask as numbers.

    Source: Dao et al. 2022 (FlashAttention), section 3.1, for what is kept.
    """
    mask: Any = None
    if attn_mask is not None:
        mask = attn_mask.to(query.dtype)
        if enable_gqa:
            times = query.shape[1] // key.shape[1]
            key, value = key.repeat_interleave(times, dim=1), value.repeat_interleave(times, dim=1)
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    found: torch.Tensor = kernel(query, key, value, dropout_p, is_causal, attn_mask=mask, scale=scale)[0]
    return found
