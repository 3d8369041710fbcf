"""Pictures moved, turned, recoloured and covered a little, each in its own way, with randomness that is handed in.

Pictures are uint8 from 0 to 255, or float of any range; what comes out has the type of what went in.
Legend: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

# Weights of red, green and blue in the brightness that people see.
LUMA = (0.299, 0.587, 0.114)
MODES = {"nearest": "replicate", "reflect": "reflect"}
# What torch calls the ways to fill what comes into view.
BORDERS = {"constant": "zeros", "nearest": "border", "reflect": "reflection"}


def flip_horizontally(images: Tensor, share: float, generator: Generator) -> Tensor:
    """Mirror about `share` of the pictures.

    Shapes: images (batch, channels, height, width) -> the same
    Source: Krizhevsky et al. 2012, section 4.1.
    """
    chosen_B111 = _uniform(images, 0, 1, generator).view(-1, 1, 1, 1) < share
    return torch.where(chosen_B111, images.flip(3), images)


def crop_padded(
    images: Tensor, pixels: int, generator: Generator, fill: float = 0.0, border: str = "constant"
) -> Tensor:
    """Put a border of `pixels` round each picture and cut the old size out of it at an evenly drawn place.

    The border is `fill`, the nearest pixel of the edge, or the picture mirrored in the edge.

    Shapes: images (batch, channels, height, width) -> the same
    Source: He et al. 2016, section 4.2.
    """
    size, _, height, width = images.shape
    sides = (pixels, pixels, pixels, pixels)
    padded_BCHW = (
        functional.pad(images, sides, value=fill)
        if border == "constant"
        else functional.pad(images.float(), sides, mode=MODES[border]).to(images.dtype)
    )
    offsets_2B = torch.randint(2 * pixels + 1, (2, size), generator=generator, device=generator.device).to(
        images.device
    )
    # All places at which a picture could be cut out, as a view; whole pictures are copied out of it and no single pixels.
    places_BCYXHW = padded_BCHW.unfold(2, height, 1).unfold(3, width, 1)
    return places_BCYXHW[torch.arange(size, device=images.device), :, offsets_2B[0], offsets_2B[1]]


def warp(
    images: Tensor,
    generator: Generator,
    *,
    degrees: float = 0.0,
    zoom: float = 0.0,
    shear: float = 0.0,
    shift: float = 0.0,
    flip: float = 0.0,
    fill: float = 0.0,
    border: str = "constant",
) -> Tensor:
    """Mirror about `flip` of the pictures; then rotate, zoom, shear and shift each about its middle; all by one bilinear sampling.

    What comes into view is `fill`, the nearest pixel of the edge, or the picture mirrored in the edge: `border` says which.

    Rotation and shear are drawn evenly up to `degrees` and `shear` (degrees) either way, the zoom's logarithm up to
    that of 1 + `zoom`, the shift up to `shift` of the side.

    Shapes: images (batch, channels, height, width) -> the same
    Units: degrees and shear in degrees
    Source: Simard et al. 2003, section 2; Jaderberg et al. 2015, equations 1 and 3 (sampling by an affine grid).
    """
    height, width = images.shape[2:]
    mirrored_B = _uniform(images, 0, 1, generator) < flip if flip else None
    angle_B = _uniform(images, -math.radians(degrees), math.radians(degrees), generator)
    slant_B = _uniform(images, -math.radians(shear), math.radians(shear), generator).tan()
    scale_B = _uniform(images, -math.log1p(zoom), math.log1p(zoom), generator).exp()
    right_B, down_B = (2 * _uniform(images, -shift, shift, generator) for _ in range(2))
    cosine_B, sine_B = angle_B.cos() / scale_B, angle_B.sin() / scale_B
    # From places in the result to places in the picture, in half sides; the ratio keeps a rotation one where H != W.
    ratio = height / width
    theta_B23 = torch.stack(
        [
            torch.stack([cosine_B, (slant_B * cosine_B - sine_B) * ratio, right_B], dim=1),
            torch.stack([sine_B / ratio, slant_B * sine_B + cosine_B, down_B], dim=1),
        ],
        dim=1,
    )
    if mirrored_B is not None:
        # A place in the mirrored picture is the place in the picture as far on the other side of the middle.
        theta_B23[:, 0] *= torch.where(mirrored_B, -1.0, 1.0)[:, None]
    return sample_by(images, theta_B23, fill, border)


def jitter_colours(
    images: Tensor,
    generator: Generator,
    *,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    white: float | None = None,
) -> Tensor:
    """Multiply brightness, contrast and saturation, in this order, each by a factor from 1 - x to 1 + x; black is 0.

    `white` is the largest value; by default 255 for uint8 and 1 for float. Pictures without three channels have no
    saturation to change.

    Shapes: images (batch, channels, height, width) -> the same
    Source: Howard 2013, section 2; blending as in Haeberli and Voorhies 1994, "Image processing by interpolation and
        extrapolation".
    """
    white = white or (1.0 if images.is_floating_point() else 255.0)
    # A copy that may be changed in place, plane by plane: with channels last, three numbers would be an inner loop.
    mixed_BCHW = images.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
    factors = [
        _uniform(images, 1 - amount, 1 + amount, generator).view(-1, 1, 1, 1)
        for amount in (brightness, contrast, saturation)
    ]
    if brightness:
        mixed_BCHW.mul_(factors[0]).clamp_(0, white)
    if contrast:
        mean_B111 = grey(mixed_BCHW).mean(dim=(1, 2, 3), keepdim=True)
        mixed_BCHW.sub_(mean_B111).mul_(factors[1]).add_(mean_B111).clamp_(0, white)
    if saturation and images.shape[1] == 3:
        grey_B1HW = grey(mixed_BCHW)
        mixed_BCHW.sub_(grey_B1HW).mul_(factors[2]).add_(grey_B1HW).clamp_(0, white)
    return _as_type(mixed_BCHW, images)


def cut_out(images: Tensor, side: int, generator: Generator, fill: float = 0.0) -> Tensor:
    """Cover a square of `side` pixels round an evenly drawn pixel of each picture; what sticks out is cut off.

    Shapes: images (batch, channels, height, width) -> the same
    Source: DeVries and Taylor 2017, section 3.2.
    """
    height, width = images.shape[2:]
    covered_BH = _interval(images, height, side, generator)
    covered_BW = _interval(images, width, side, generator)
    covered_B1HW = (covered_BH[:, :, None] & covered_BW[:, None, :])[:, None]
    # Filling with anything but 0 takes several times as long as a product.
    return images.masked_fill(covered_B1HW, fill) if fill else images * ~covered_B1HW


def _uniform(images: Tensor, low: float, high: float, generator: Generator) -> Tensor:
    return (torch.rand(len(images), generator=generator, device=generator.device) * (high - low) + low).to(
        images.device
    )


def _interval(images: Tensor, size: int, side: int, generator: Generator) -> Tensor:
    middle_B1 = torch.randint(size, (len(images), 1), generator=generator, device=generator.device).to(images.device)
    distance = torch.arange(size, device=images.device) - (middle_B1 - side // 2)
    return (distance >= 0) & (distance < side)


def grey(images: Tensor) -> Tensor:
    """Return the brightness of pictures in colour, and the mean of the channels of others.

    Shapes: images (batch, channels, height, width) float -> (batch, 1, height, width) float
    Source: Recommendation ITU-R BT.601-7, section 2.5.1.
    """
    if images.shape[1] != 3:
        return images.mean(dim=1, keepdim=True)
    red, green, blue = (images[:, plane : plane + 1] for plane in range(3))
    return (LUMA[0] * red).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def sample_by(images: Tensor, theta_B23: Tensor, fill: float = 0.0, border: str = "constant") -> Tensor:
    """Sample pictures at places moved by an affine map each, bilinearly.

    Shapes: images (batch, channels, height, width), theta (batch, 2, 3) float -> images of the same shape
    Source: Jaderberg et al. 2015, equations 1 and 3.
    """
    # Sampling knows no other border than zeros, so the fill is made zero for as long as it takes.
    pixels_BCHW = images.float() - fill if fill else images.float()
    sampled_BCHW = functional.grid_sample(
        pixels_BCHW,
        _affine_grid(theta_B23, *images.shape[2:]),
        mode="bilinear",
        padding_mode=BORDERS[border],
        align_corners=False,
    )
    return _as_type(sampled_BCHW + fill if fill else sampled_BCHW, images)


def _affine_grid(theta_B23: Tensor, height: int, width: int) -> Tensor:
    """Return what `functional.affine_grid` does, a row and a column at a time instead of by a product of matrices for each pixel."""
    x_W, y_H = (((torch.arange(side, device=theta_B23.device) + 0.5) * (2 / side) - 1) for side in (width, height))
    grid_BHW2 = theta_B23.new_empty(len(theta_B23), height, width, 2)
    for axis in range(2):
        along, across, offset = (theta_B23[:, axis, place, None] for place in range(3))
        torch.add((along * x_W + offset)[:, None], (across * y_H)[:, :, None], out=grid_BHW2[..., axis])
    return grid_BHW2


def _as_type(values: Tensor, images: Tensor) -> Tensor:
    return values.to(images.dtype) if images.is_floating_point() else values.round().clamp(0, 255).to(images.dtype)
