"""Integrated gradients: the gradient of a score, summed along the straight way from a neutral input, by Captum."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .shapley import captum

# Gradients that are computed in one pass.
AT_ONCE = 64


def integrated_gradients(
    score: Callable[..., torch.Tensor],
    inputs: tuple[torch.Tensor, ...],
    neutral: tuple[torch.Tensor, ...],
    steps: int,
) -> tuple[tuple[torch.Tensor, ...], float, float]:
    """Return the share of every number of the inputs in the change of the score, what is missing from the whole, and the whole.

    Shapes: inputs and neutral (1, ...) float each -> the same shapes, gap, change

    Raises:
        MissingExtra: captum is not installed.
    Source: Sundararajan, Taly and Yan 2017, Axiomatic attribution for deep networks, equation 1; completeness: proposition 1.
    """
    method = captum().IntegratedGradients(score)
    found = method.attribute(
        tuple(item.detach() for item in inputs),
        baselines=tuple(item.detach() for item in neutral),
        n_steps=steps,
        internal_batch_size=AT_ONCE,
    )
    with torch.no_grad():
        change = float(score(*inputs).sum() - score(*neutral).sum())
    whole = sum(float(item.double().sum()) for item in found)
    return tuple(item.detach() for item in found), abs(whole - change), abs(change)
