"""From pictures as preparation normalised them to pictures as a pre-trained network expects them.

Legend: B batch, C channels, H height, W width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class Resizing(nn.Module):
    """State: nothing that is trained or stored; how to undo one normalisation and put on another, and the size.

    Means and deviations have one number per channel, in units of the 0..255 pixel value; a grey picture becomes three
    equal channels.
    """

    def __init__(
        self, learnt: dict[str, Any], mean: tuple[float, ...], deviation: tuple[float, ...], size: int
    ) -> None:
        super().__init__()
        self.size = size
        given_mean, given_deviation = (torch.tensor(learnt[name]).view(1, -1, 1, 1) for name in ("mean", "deviation"))
        wanted_mean, wanted_deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (mean, deviation))
        # ((x * given_deviation + given_mean) - wanted_mean) / wanted_deviation, as one factor and one term.
        self.register_buffer("factor", (given_deviation / wanted_deviation).float(), persistent=False)
        self.register_buffer("term", ((given_mean - wanted_mean) / wanted_deviation).float(), persistent=False)

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Convert.

        Shapes: image (batch, channels, height, width) float -> (batch, 3, size, size) float
        """
        side = (self.size, self.size)
        if image_BCHW.shape[2:] != side:
            image_BCHW = functional.interpolate(
                image_BCHW, side, mode="bilinear", align_corners=False, antialias=max(image_BCHW.shape[2:]) > self.size
            )
        converted: torch.Tensor = image_BCHW * self.factor + self.term  # type: ignore[operator]
        return converted
