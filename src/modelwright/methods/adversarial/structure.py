"""What stays of a picture when its colours change: brightness, seen by fixed filters at several sizes."""

from __future__ import annotations

import torch
from torch.nn import functional

# Fixed filters of this side, at pictures halved so often; the finest size is left to the strokes of the style.
FILTERS, SIDE, HALVINGS = 24, 7, (1, 2, 3)
SEED = 20260
BRIGHTNESS = (0.299, 0.587, 0.114)
EPSILON = 1e-3


def structure_apart(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return how far the structures of brightness of each pair lie apart.

    Shapes: one (batch, 3, height, width) float, other (batch, 3, height, width) float -> (batch,) float

    Source: Gatys, Ecker and Bethge 2016, equation 1; Ustyuzhaninov et al. 2017 for filters that nobody trained.
    """
    found = [(mine - theirs).abs().flatten(1).mean(dim=1) for mine, theirs in zip(_see(one), _see(other), strict=True)]
    return torch.stack(found).mean(dim=0)


def _see(image_BCHW: torch.Tensor) -> list[torch.Tensor]:
    weights = torch.tensor(BRIGHTNESS, device=image_BCHW.device).view(1, 3, 1, 1)
    bright_BHW = (image_BCHW.float() * weights).sum(dim=1, keepdim=True)
    filters = _filters().to(image_BCHW.device)
    seen = []
    for halvings in HALVINGS:
        smaller = functional.avg_pool2d(bright_BHW, 2**halvings)
        # Contrast, not brightness: a dark sky may become a light one.
        spread = smaller.std(dim=(2, 3), keepdim=True, correction=0)
        smaller = (smaller - smaller.mean(dim=(2, 3), keepdim=True)) / (spread + EPSILON)
        padded = functional.pad(smaller, [SIDE // 2] * 4, mode="replicate")
        seen.append(functional.conv2d(padded, filters))
    return seen


def _filters() -> torch.Tensor:
    drawn = torch.randn(FILTERS, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(SEED))
    drawn = drawn - drawn.mean(dim=(2, 3), keepdim=True)
    return drawn / drawn.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
