"""What the discriminator is shown: pictures changed alike on both sides, and outputs of earlier steps."""

from __future__ import annotations

import torch
from torch.nn import functional

# A shift by an eighth of the side, a cover of half of it: the strengths of the source.
SHIFT, COVER = 8, 2
# The discriminator is too sure when it knows more than this share of real pictures, less those it does not know.
SURE = 0.6


def change_pictures(images: torch.Tensor, probability: float) -> torch.Tensor:
    """Recolour, shift and cover each picture with so great a probability for each; gradients pass.

    Shapes: images (batch, channels, height, width) float -> (batch, channels, height, width) float

    Source: Zhao et al. 2020 (differentiable augmentation), section 3; Karras et al. 2020, section 2.2, for the probability.
    """
    if probability <= 0:
        return images
    images = _recolour(images, probability)
    return _cover(_shift(images, probability), probability)


def _some(images: torch.Tensor, probability: float) -> torch.Tensor:
    """Draw which pictures are changed.

    Shapes: images (batch, channels, height, width) float -> (batch, 1, 1, 1) float
    """
    return (torch.rand(len(images), 1, 1, 1, device=images.device) < probability).to(images.dtype)


def _recolour(images: torch.Tensor, probability: float) -> torch.Tensor:
    chosen = _some(images, probability)
    images = images + chosen * (torch.rand_like(chosen) - 0.5)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (1 + chosen * (2 * torch.rand_like(chosen) - 1))
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * (1 + chosen * (torch.rand_like(chosen) - 0.5))


def _shift(images: torch.Tensor, probability: float) -> torch.Tensor:
    height, width = images.shape[2:]
    chosen = _some(images, probability)[:, 0, 0, 0]
    moves = [(2 * torch.rand_like(chosen) - 1) * chosen * 2 / SHIFT for _ in range(2)]
    turn = torch.zeros(len(images), 2, 3, dtype=images.dtype, device=images.device)
    turn[:, 0, 0] = turn[:, 1, 1] = 1
    for row, (move, side) in enumerate(zip(moves, (width, height), strict=True)):
        # Whole pixels: half a pixel would be seen as blur, and learnt.
        turn[:, row, 2] = (move * side / 2).round() * 2 / side
    places = functional.affine_grid(turn, list(images.shape), align_corners=False)
    return functional.grid_sample(images, places, mode="nearest", padding_mode="reflection", align_corners=False)


def _cover(images: torch.Tensor, probability: float) -> torch.Tensor:
    height, width = images.shape[2:]
    chosen = _some(images, probability)
    tops = (torch.rand_like(chosen) * height).long()
    lefts = (torch.rand_like(chosen) * width).long()
    rows = torch.arange(height, device=images.device).view(1, 1, -1, 1)
    columns = torch.arange(width, device=images.device).view(1, 1, 1, -1)
    down, across = rows - tops, columns - lefts
    inside = (down.abs() < height // COVER / 2) & (across.abs() < width // COVER / 2)
    return images * (1 - inside.to(images.dtype) * chosen)


def adapt_probability(probability: float, sureness: float, step: float) -> float:
    """Return the probability of a change after it was seen how surely real pictures are known.

    Source: Karras et al. 2020 (adaptive augmentation), section 3.1.
    """
    moved = probability + (step if sureness > SURE else -step)
    return min(max(moved, 0.0), 0.8)
