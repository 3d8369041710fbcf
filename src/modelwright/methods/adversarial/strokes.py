"""How a picture is painted: its small patches, taken together and wherever they lie, at several sizes.

Legend: B batch, C channels, F filters, N places. Filters are drawn anew in each step and nobody trained them: no encoder is asked,
and none that a metric looks through.
"""

from __future__ import annotations

import torch
from torch.nn import functional

# Patches of this side in so many directions, at the full picture and at halves of it.
SIDE, DIRECTIONS, SIZES = 7, 16, 4
# At full size every second place in each direction is enough.
STRIDE = 2


def strokes_apart(output: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    """Return how far the patches of each output, as a heap, lie from those of the picture of style beside it.

    Shapes: output (batch, 3, height, width) float, style (batch, 3, height, width) float -> (batch,) float

    Source: Bonneel et al. 2015, equation 9 (sliced distance); Elnekave and Weiss 2022, section 3, for patches at several sizes.
    """
    found = []
    for number in range(SIZES):
        if min(output.shape[2:]) < SIDE:
            break
        filters = _directions(output.device)
        stride = STRIDE if number == 0 else 1
        heaps = [
            functional.conv2d(side.float(), filters, stride=stride).flatten(2).sort(dim=2).values
            for side in (output, style)
        ]
        found.append((heaps[0] - heaps[1]).abs().mean(dim=(1, 2)))
        output, style = (functional.avg_pool2d(side, 2) for side in (output, style))
    return torch.stack(found).mean(dim=0)


def _directions(device: torch.device) -> torch.Tensor:
    """Draw directions of length one in the space of patches.

    Shapes: (filters, 3, side, side) float
    """
    drawn = torch.randn(DIRECTIONS, 3, SIDE, SIDE, device=device)
    return drawn / drawn.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
