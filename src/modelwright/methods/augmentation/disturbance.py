"""Pictures and tables disturbed: noise, blur, and rectangles rubbed out, with randomness that is handed in.

Legend: B batch, K places of a kernel.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional


def add_noise(values: Tensor, deviation: float, generator: Generator) -> Tensor:
    """Add normal noise to every number.

    Shapes: values (batch, ...) float -> the same
    Source: Bishop 1995, Training with noise is equivalent to Tikhonov regularization, section 2.
    """
    drawn = torch.randn(values.shape, generator=generator, device=generator.device).to(values.device)
    return values + deviation * drawn


def blur(images: Tensor, deviation: float, generator: Generator) -> Tensor:
    """Blur each picture by a Gaussian whose deviation is drawn evenly from 0 to `deviation` pixels.

    Shapes: images (batch, channels, height, width) float -> the same
    Source: Chen et al. 2020, SimCLR, appendix A; Gonzalez and Woods 2018, section 3.5 (separable Gaussian kernels).
    """
    size, channels, height, width = images.shape
    drawn_B1 = torch.rand(size, 1, generator=generator, device=generator.device).to(images.device) * deviation
    reach = min(math.ceil(3 * deviation), height - 1, width - 1)
    places_K = torch.arange(-reach, reach + 1, device=images.device)
    kernel_BK = torch.exp(-(places_K**2) / (2 * drawn_B1.clamp(min=1e-3) ** 2))
    kernel_BK = (kernel_BK / kernel_BK.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    # Each channel of each picture has a kernel of its own, so all of them are groups of one convolution.
    flat = functional.pad(images.reshape(1, size * channels, height, width), (reach,) * 4, mode="reflect")
    flat = functional.conv2d(flat, kernel_BK[:, None, None, :], groups=size * channels)
    flat = functional.conv2d(flat, kernel_BK[:, None, :, None], groups=size * channels)
    return flat.view(size, channels, height, width)


def erase(images: Tensor, share: float, generator: Generator, fill: float = 0.0) -> Tensor:
    """Cover a rectangle of about `share` of the pictures: 2 % to 33 % of the area, 0.3 to 3.3 times as high as wide.

    Shapes: images (batch, channels, height, width) -> the same
    Source: Zhong et al. 2020, Random erasing data augmentation, algorithm 1.
    """
    size, _, height, width = images.shape
    draw = torch.rand(5, size, generator=generator, device=generator.device).to(images.device)
    area_B = (0.02 + draw[0] * (0.33 - 0.02)) * height * width
    aspect_B = torch.exp((draw[1] * 2 - 1) * math.log(3.3))
    covered = []
    for length_B, place_B, extent in (
        ((area_B * aspect_B).sqrt(), draw[2], height),
        ((area_B / aspect_B).sqrt(), draw[3], width),
    ):
        side_B = length_B.round().clamp(1, extent)
        start_B = (place_B * (extent - side_B + 1)).floor()
        steps = torch.arange(extent, device=images.device)
        covered.append((steps >= start_B[:, None]) & (steps < (start_B + side_B)[:, None]))
    chosen_B111 = (draw[4] < share).view(-1, 1, 1, 1)
    return images.masked_fill(chosen_B111 & (covered[0][:, :, None] & covered[1][:, None, :])[:, None], fill)
