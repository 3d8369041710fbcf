"""Linear layers that do not learn, with weights of 8 or 4 bits.

Dimensions: O outputs, I inputs, G groups of inputs, S size of a group.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear, pad

# Inputs that share a scale in four bits, as in QLoRA.
GROUP = 64


class FrozenLinear(nn.Module):
    """State: a weight in whole numbers of 8 bits with a scale for each output, or of 4 bits with one for each group of inputs.

    Source: Dettmers et al. 2022 (LLM.int8()), section 2.1, a scale for each row; Dettmers et al. 2023 (QLoRA), section 3,
        block-wise 4 bits, here evenly spaced.
    """

    def __init__(self, plain: nn.Linear, bits: int) -> None:
        super().__init__()
        self.in_features, self.out_features, self.bits = plain.in_features, plain.out_features, bits
        weight_OI = plain.weight.detach().float()
        size = GROUP if bits == 4 else plain.in_features
        grouped_OGS = pad(weight_OI, (0, -plain.in_features % size)).unflatten(1, (-1, size))
        most = 2 ** (bits - 1) - 1
        scale_OG1 = grouped_OGS.abs().amax(dim=2, keepdim=True).clamp(min=1e-12) / most
        codes_OI = (grouped_OGS / scale_OG1).round().to(torch.int8).flatten(1)
        self.codes: torch.Tensor
        self.scale: torch.Tensor
        self.register_buffer("codes", _packed(codes_OI) if bits == 4 else codes_OI)
        self.register_buffer("scale", scale_OG1.squeeze(2))
        self.bias = plain.bias

    def weight(self) -> torch.Tensor:
        """Return the weight that the whole numbers stand for.

        Shapes: -> (o, i) float
        """
        codes_OI = _unpacked(self.codes) if self.bits == 4 else self.codes
        groups = self.scale.shape[1]
        weight_OI = (codes_OI.unflatten(1, (groups, -1)) * self.scale[:, :, None]).flatten(1)
        return weight_OI[:, : self.in_features]

    def forward(self, input_BI: torch.Tensor) -> torch.Tensor:
        """Apply the layer; its weight is there during the product alone, forwards and backwards.

        Shapes: input (..., i) float -> (..., o) float
        """
        output_BO: torch.Tensor = _Product.apply(input_BI, self)
        return output_BO if self.bias is None else output_BO + self.bias

    @torch.no_grad()
    def plain(self) -> nn.Linear:
        """Return the plain layer that answers the same."""
        layer = nn.Linear(self.in_features, self.out_features, bias=False)
        layer.weight.copy_(self.weight())
        layer.bias = self.bias
        return layer


class _Product(torch.autograd.Function):
    """The product with a weight that is made from whole numbers each time it is needed, and never kept."""

    @staticmethod
    def forward(context: Any, input_BI: torch.Tensor, layer: FrozenLinear) -> torch.Tensor:
        context.layer = layer
        return linear(input_BI, layer.weight().to(input_BI.dtype))

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient_BO,) = gradients
        return gradient_BO @ context.layer.weight().to(gradient_BO.dtype), None


def _packed(codes_OI: torch.Tensor) -> torch.Tensor:
    """Put two numbers of four bits into a byte."""
    pairs = (codes_OI + 8).to(torch.uint8).unflatten(1, (-1, 2))
    return pairs[:, :, 0] | (pairs[:, :, 1] << 4)


def _unpacked(bytes_OP: torch.Tensor) -> torch.Tensor:
    return torch.stack([bytes_OP & 15, bytes_OP >> 4], dim=2).flatten(1).to(torch.int8) - 8
