"""EfficientNet-Lite0 without its last layer, batch normalisation folded into the convolutions.

Folded, the network does the same in training as in use, an example's answer ignores its neighbours, and each layer is
one pass. Legend: B batch, C channels, H height, W width, D features.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

FEATURES = 1280
STRIDE = 32
# (repeats, kernel, stride of the first, expansion, channels), in order; Lite variants have no squeeze-and-excitation.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
BATCH_NORM_EPSILON = 1e-3


class SameConvolution(nn.Module):
    """State: one convolution, padded so that the output's side is the input's divided by the stride, rounded up.

    Source: TensorFlow, padding "SAME": what is odd goes to the right and the bottom.
    """

    def __init__(self, channels: int, wider: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.convolution = nn.Conv2d(channels, wider, kernel, stride=stride, groups=groups)

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Convolve.

        Shapes: image (batch, channels, height, width) float -> (batch, wider, height / stride, width / stride) float
        """
        height, width = (
            max(0, (-(-side // self.stride) - 1) * self.stride + self.kernel - side) for side in image_BCHW.shape[2:]
        )
        if height == width and height % 2 == 0:
            return functional.conv2d(
                image_BCHW,
                self.convolution.weight,
                self.convolution.bias,
                self.stride,
                height // 2,
                groups=self.convolution.groups,
            )
        padded_BCHW = functional.pad(image_BCHW, (width // 2, width - width // 2, height // 2, height - height // 2))
        return self.convolution(padded_BCHW)


class InvertedBottleneck(nn.Module):
    """State: expansion, depthwise convolution, projection; a shortcut where the shape stays.

    Source: Sandler et al. 2018, section 3.3.
    """

    def __init__(self, channels: int, wider: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        self.expand = SameConvolution(channels, inner, 1) if expansion > 1 else None
        self.depthwise = SameConvolution(inner, inner, kernel, stride, groups=inner)
        self.project = SameConvolution(inner, wider, 1)
        self.shortcut = stride == 1 and channels == wider

    def forward(self, stream_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the stream after this block.

        Shapes: stream (batch, channels, height, width) float -> (batch, wider, height / stride, width / stride) float
        """
        inner_BCHW = stream_BCHW if self.expand is None else functional.relu6(self.expand(stream_BCHW))
        out_BCHW = self.project(functional.relu6(self.depthwise(inner_BCHW)))
        return stream_BCHW + out_BCHW if self.shortcut else out_BCHW


class EfficientNetLite0(nn.Module):
    """State: the stem, 16 inverted bottlenecks, the last 1 x 1 convolution.

    Source: Tan and Le 2019, table 1, with the changes of the Lite variants: ReLU6, no squeeze-and-excitation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConvolution(3, 32, 3, 2)
        blocks, channels = [], 32
        for repeats, kernel, stride, expansion, wider in STAGES:
            for repeat in range(repeats):
                blocks.append(InvertedBottleneck(channels, wider, kernel, 1 if repeat else stride, expansion))
                channels = wider
        self.blocks = nn.Sequential(*blocks)
        self.last = SameConvolution(channels, FEATURES, 1)

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the features, averaged over the picture.

        Shapes: image (batch, 3, height, width) float -> (batch, 1280) float
        """
        last_BDHW = functional.relu6(self.last(self.blocks(functional.relu6(self.stem(image_BCHW)))))
        return last_BDHW.mean(dim=(2, 3))


def fold_published(published: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Turn the published weights into those of `EfficientNetLite0`; the published last layer is left out.

    Source: Jacob et al. 2018, section 3.2, equation 14: batch normalisation folded into the convolution before it.
    """
    pairs = {"stem": ("_conv_stem", "_bn0"), "last": ("_conv_head", "_bn1")}
    for block in range(sum(stage[0] for stage in STAGES)):
        names = {
            "expand": ("_expand_conv", "_bn0"),
            "depthwise": ("_depthwise_conv", "_bn1"),
            "project": ("_project_conv", "_bn2"),
        }
        pairs |= {
            f"blocks.{block}.{ours}": (f"_blocks.{block}.{theirs}", f"_blocks.{block}.{norm}")
            for ours, (theirs, norm) in names.items()
        }
    # The first block does not expand.
    del pairs["blocks.0.expand"]
    folded = {}
    for ours, (convolution, norm) in pairs.items():
        scale = published[f"{norm}.weight"] / (published[f"{norm}.running_var"] + BATCH_NORM_EPSILON).sqrt()
        folded[f"{ours}.convolution.weight"] = published[f"{convolution}.weight"] * scale.view(-1, 1, 1, 1)
        folded[f"{ours}.convolution.bias"] = published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * scale
    return folded
