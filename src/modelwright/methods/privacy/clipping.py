"""Clipping: what one example may at most contribute.

Dimensions: B examples.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

# Share of the limit that is left free, so that rounding carries nobody above it.
SLACK = 1e-5


def clip_each(gradients: Sequence[torch.Tensor], limit: float) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Scale the gradient of each example to a norm of at most `limit` over all parameters, and sum over the examples.

    An example whose gradient is not finite contributes nothing, which is a bounded contribution too: to skip the whole step
    for it would tell that it was there.

    Shapes: gradients [(b, ...) float] -> [(...) float], norms before clipping (b,) float
    Source: Abadi et al. 2016, algorithm 1, "clip gradient".
    """
    norms_B = torch.stack([gradient.flatten(start_dim=1).norm(dim=1) for gradient in gradients]).norm(dim=0)
    usable_B = norms_B.isfinite()
    factors_B = torch.where(usable_B, (limit * (1 - SLACK) / norms_B).clamp(max=1.0), torch.zeros_like(norms_B))
    if not bool(usable_B.all()):
        gradients = [gradient.masked_fill(_like(~usable_B, gradient), 0.0) for gradient in gradients]
    return [torch.tensordot(factors_B.to(gradient.dtype), gradient, dims=1) for gradient in gradients], norms_B


def _like(mask_B: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    return mask_B.view(-1, *[1] * (gradient.dim() - 1))
