"""Examples made of two examples, and labels that are not quite sure.

Targets are weights of classes, one row an example. Legend: B batch, C channels, H height, W width, K classes.
"""

from __future__ import annotations

import math

import numpy
import torch
from torch import Generator, Tensor


def smooth_labels(labels: Tensor, classes: int, amount: float = 0.0) -> Tensor:
    """Turn class numbers into targets that give `amount` of the weight to all classes alike; with 0 they are one-hot.

    Shapes: labels (batch,) int -> (batch, classes) float
    Source: Szegedy et al. 2016, section 7.
    """
    targets_BK = torch.nn.functional.one_hot(labels, classes).float()
    return targets_BK * (1 - amount) + amount / classes


def mixup(inputs: Tensor, targets: Tensor, alpha: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Mix each example with another of its batch, in one share for the batch.

    Shapes: inputs (batch, ...) float, targets (batch, classes) float -> (batch, ...) float, (batch, classes) float
    Source: Zhang et al. 2018, equation 1 and figure 1a.
    """
    share = _draw_share(alpha, generator)
    partner_B = _draw_partners(inputs, generator)
    return inputs.lerp(inputs[partner_B], 1 - share), targets.lerp(targets[partner_B], 1 - share)


def cutmix(images: Tensor, targets: Tensor, alpha: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Paste a box of another image of the batch into each image, the same box in all, and share the label by area.

    Shapes: images (batch, channels, height, width) float, targets (batch, classes) float -> the same two shapes
    Source: Yun et al. 2019, equations 1 and 2 and algorithm A1.
    """
    height, width = images.shape[-2:]
    side = math.sqrt(1 - _draw_share(alpha, generator))
    partner_B = _draw_partners(images, generator)
    top, bottom = _draw_interval(height, side, generator)
    left, right = _draw_interval(width, side, generator)
    mixed_BCHW = images.clone()
    mixed_BCHW[..., top:bottom, left:right] = images[partner_B, ..., top:bottom, left:right]
    # The box is cut off at the border, so the share is that of the pixels that were really replaced.
    pasted = (bottom - top) * (right - left) / (height * width)
    return mixed_BCHW, targets.lerp(targets[partner_B], pasted)


def _draw_share(alpha: float, generator: Generator) -> float:
    # Torch draws from Beta with its global generator only.
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    return float(numpy.random.default_rng(seed).beta(alpha, alpha))


def _draw_partners(inputs: Tensor, generator: Generator) -> Tensor:
    return torch.randperm(len(inputs), generator=generator, device=generator.device).to(inputs.device)


def _draw_interval(size: int, share: float, generator: Generator) -> tuple[int, int]:
    """Draw the middle of an interval evenly and cut what sticks out."""
    middle = int(torch.randint(size, (), generator=generator, device=generator.device))
    half = int(size * share) // 2
    return max(middle - half, 0), min(middle + half, size)
