"""Settings of CUDA's memory allocator, by the words that torch documents for them."""

from __future__ import annotations

import torch

from ..core.errors import RecipeError


def set_cuda_allocator(words: str) -> str:
    """Hand the settings to the allocator and say what became of them; without a CUDA device nothing does.

    Raises:
        RecipeError: the allocator does not know them.
    Source: PyTorch documentation, CUDA semantics, PYTORCH_ALLOC_CONF.
    """
    if not torch.cuda.is_available():
        return f"train.cuda_allocator: {words} has no effect, there is no CUDA device"
    try:
        torch._C._accelerator_setAllocatorSettings(words)
    except (RuntimeError, ValueError) as error:
        raise RecipeError(
            f"the allocator does not accept '{words}': {str(error).splitlines()[0]}",
            where="train.cuda_allocator",
            expected="words of PYTORCH_ALLOC_CONF, such as expandable_segments:True",
        ) from None
    return f"CUDA's allocator was told {words}"
