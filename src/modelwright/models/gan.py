"""Generators from picture to picture, and the discriminator of patches.

Every convolution that keeps the size pads by reflection: zeros would draw a frame. Legend: B batch, C channels, H height,
W width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from .gan_settings import ResidualGenerator, UNet

SLOPE = 0.2
GAIN = (2 / (1 + SLOPE**2)) ** 0.5
# The whole range of a pixel, from -1 to 1: a change may be as large.
RANGE = 2.0


class _Convolution(nn.Module):
    """State: one convolution and what follows it; a stride of 2 halves the side."""

    def __init__(self, channels: int, wider: int, normalise: str, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        free = normalise == "none"
        self.convolution = nn.Conv2d(
            channels, wider, kernel, stride=stride, padding=kernel // 2, padding_mode="reflect", bias=free
        )
        self.normalise = nn.Identity() if free else nn.InstanceNorm2d(wider, affine=True)
        if free:
            # He et al. 2015, equation 10: nothing else keeps the signal's size.
            nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")
            assert self.convolution.bias is not None
            nn.init.zeros_(self.convolution.bias)

    def forward(self, stream_BCHW: torch.Tensor) -> torch.Tensor:
        return self.normalise(self.convolution(stream_BCHW))


class _Block(nn.Module):
    """State: two convolutions beside a shortcut."""

    def __init__(self, channels: int, normalise: str) -> None:
        super().__init__()
        self.first = _Convolution(channels, channels, normalise)
        self.second = _Convolution(channels, channels, normalise)

    def forward(self, stream_BCHW: torch.Tensor) -> torch.Tensor:
        return stream_BCHW + self.second(functional.relu(self.first(stream_BCHW)))


def _larger(stream_BCHW: torch.Tensor) -> torch.Tensor:
    """Double the side by repeating pixels; transposed convolutions would leave a chequered pattern (Odena et al. 2016)."""
    return functional.interpolate(stream_BCHW, scale_factor=2.0, mode="nearest")


class _Generator(nn.Module):
    """State: the last convolution, and whether its answer is a change of the picture or the picture."""

    def __init__(self, channels: int, multiple: int, change: bool) -> None:
        super().__init__()
        self.last = nn.Conv2d(channels, 3, 7, padding=3, padding_mode="reflect")
        self.multiple, self.change = multiple, change
        if change:
            # Training begins with the picture as it is.
            nn.init.normal_(self.last.weight, std=1e-3)
            assert self.last.bias is not None
            nn.init.zeros_(self.last.bias)

    def forward(self, image_BCHW: torch.Tensor, stream_BCHW: torch.Tensor) -> torch.Tensor:
        answer_BCHW = self.last(stream_BCHW).float()
        if self.change:
            return (image_BCHW + RANGE * torch.tanh(answer_BCHW)).clamp(-1.0, 1.0)
        return torch.tanh(answer_BCHW)


def _padded(image_BCHW: torch.Tensor, multiple: int) -> torch.Tensor:
    """Make both sides a multiple, and twice it at least, by repeating the border: what is smallest must have something to reflect."""
    height, width = image_BCHW.shape[2:]
    down, across = (torch.sym_max(-side % multiple, 2 * multiple - side) for side in (height, width))
    if torch.compiler.is_exporting():
        # The same by choosing rows and columns: whether there is anything to repeat is not known for every size at once.
        rows = torch.arange(height + down).clamp(max=height - 1)
        columns = torch.arange(width + across).clamp(max=width - 1)
        return image_BCHW.index_select(2, rows).index_select(3, columns)
    return functional.pad(image_BCHW, (0, across, 0, down), mode="replicate") if down or across else image_BCHW


class _WayDown(nn.Module):
    """State: the convolutions of the way down; whoever goes on from there has an `end`, which knows what sides must divide by."""

    end: _Generator

    def __init__(self, channels: int, halvings: int, normalise: str) -> None:
        super().__init__()
        self.first = _Convolution(3, channels, normalise, 7)
        self.down = nn.ModuleList(
            _Convolution(channels << number, channels << number + 1, normalise, 3, 2) for number in range(halvings)
        )

    def features(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return what is seen of a picture at each size, the full one first.

        Shapes: image (batch, 3, height, width) float -> list of (batch, channels, ...) float
        """
        found = [functional.relu(self.first(_padded(image, self.end.multiple)))]
        for layer in self.down:
            found.append(functional.relu(layer(found[-1])))
        return found


class ResidualNetwork(_WayDown):
    """State: the way down, the blocks, the way up, the end. `features` shows what the way down sees, for contrasting."""

    def __init__(self, settings: ResidualGenerator) -> None:
        super().__init__(settings.channels, settings.halvings, settings.normalise)
        width = settings.channels * 2**settings.halvings
        self.blocks = nn.Sequential(*(_Block(width, settings.normalise) for _ in range(settings.blocks)))
        self.up = nn.ModuleList(
            _Convolution(width >> number, width >> number + 1, settings.normalise)
            for number in range(settings.halvings)
        )
        self.end = _Generator(settings.channels, 2**settings.halvings, settings.change)

    def features(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return what is seen of a picture at each size of the way down, and after the first block.

        Shapes: image (batch, 3, height, width) float -> list of (batch, channels, ...) float
        """
        found = super().features(image)
        return [*found, self.blocks[0](found[-1])]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the picture in the other style.

        Shapes: image (batch, 3, height, width) float -> (batch, 3, height, width) float
        """
        height, width = image.shape[2:]
        image = _padded(image, self.end.multiple)
        stream_BCHW = self.blocks(super().features(image)[-1])
        for layer in self.up:
            stream_BCHW = functional.relu(layer(_larger(stream_BCHW)))
        return self.end(image, stream_BCHW)[:, :, :height, :width]


class UNetNetwork(_WayDown):
    """State: the way down, the way up over what the way down saw, the end."""

    def __init__(self, settings: UNet) -> None:
        super().__init__(settings.channels, settings.halvings, settings.normalise)
        width = settings.channels * 2**settings.halvings
        self.up = nn.ModuleList(
            _Convolution((width >> number) + (width >> number + 1), width >> number + 1, settings.normalise)
            for number in range(settings.halvings)
        )
        self.end = _Generator(settings.channels, 2**settings.halvings, settings.change)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the picture in the other style.

        Shapes: image (batch, 3, height, width) float -> (batch, 3, height, width) float
        """
        height, width = image.shape[2:]
        image = _padded(image, self.end.multiple)
        seen = self.features(image)
        stream_BCHW = seen.pop()
        for layer in self.up:
            stream_BCHW = functional.relu(layer(torch.cat([_larger(stream_BCHW), seen.pop()], dim=1)))
        return self.end(image, stream_BCHW)[:, :, :height, :width]


class PatchDiscriminator(nn.Module):
    """State: convolutions with spectral normalisation, and a last one without; each place of the answer judges a patch.

    Nothing is padded by zeros, which would tell where the border is. Normalised layers let the signal fade, so that each is
    followed by a gain; the last one must be free to answer as surely as it can.

    Source: Isola et al. 2017, section 3.2.2; Miyato et al. 2018 for the normalisation; He et al. 2015, equation 14, for the gain.
    """

    def __init__(self, channels: int, width: int, layers: int) -> None:
        super().__init__()
        widths = [width * 2**layer for layer in range(layers)]
        found: list[nn.Module] = []
        for narrow, wide in zip([channels, *widths], widths, strict=False):
            found.append(spectral_norm(nn.Conv2d(narrow, wide, 4, stride=2)))
        found.append(spectral_norm(nn.Conv2d(widths[-1], 2 * widths[-1], 3, padding=1, padding_mode="reflect")))
        self.layers = nn.ModuleList(found)
        self.last = nn.Conv2d(2 * widths[-1], 1, 3, padding=1, padding_mode="reflect")

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return how real each patch looks.

        Shapes: image (batch, channels, height, width) float -> (batch, 1, rows, columns) float
        """
        for layer in self.layers:
            image = GAIN * functional.leaky_relu(layer(image), SLOPE)
        return self.last(image)


def build_residual(settings: ResidualGenerator, learnt: dict[str, Any]) -> ResidualNetwork:
    """Build the generator with residual blocks; the same weights serve pictures of every size."""
    return ResidualNetwork(settings)


def build_unet(settings: UNet, learnt: dict[str, Any]) -> UNetNetwork:
    """Build the U-Net; the same weights serve pictures of every size."""
    return UNetNetwork(settings)
