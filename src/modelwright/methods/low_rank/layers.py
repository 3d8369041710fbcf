"""Linear layers of low rank, and the way back to plain ones.

Dimensions: O outputs, I inputs, R rank.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import linear

from .frozen import FrozenLinear


class LoraLinear(nn.Module):
    """State: a linear layer that does not learn, and two thin matrices whose product is added to it.

    Source: Hu et al. 2021, equation 3.
    """

    def __init__(
        self, plain: nn.Linear, rank: int, scale: float, dropout: float, generator: torch.Generator, bits: int = 0
    ) -> None:
        super().__init__()
        self.base = FrozenLinear(plain, bits) if bits else plain
        self.factor, self.dropout = scale / rank, nn.Dropout(dropout)
        bound = plain.in_features**-0.5
        down_RI = torch.empty(rank, plain.in_features).uniform_(-bound, bound, generator=generator)
        self.down = nn.Parameter(down_RI.to(plain.weight))
        # Zero, so that training begins with the layer as it was.
        self.up = nn.Parameter(torch.zeros(plain.out_features, rank).to(plain.weight))

    def forward(self, input_BI: torch.Tensor) -> torch.Tensor:
        """Apply the layer and its addition.

        Shapes: input (..., i) float -> (..., o) float
        """
        return self.base(input_BI) + self.factor * linear(linear(self.dropout(input_BI), self.down), self.up)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """Return the plain layer that answers the same."""
        layer = self.base.plain() if isinstance(self.base, FrozenLinear) else self.base
        layer.weight += self.factor * (self.up @ self.down)
        return layer


class ThinLinear(nn.Module):
    """State: two thin matrices whose product is the weight, and the bias.

    Source: Denil et al. 2013, section 2.
    """

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        up_OR, down_RI = factor(base.weight.detach(), rank)
        self.up, self.down, self.bias = nn.Parameter(up_OR), nn.Parameter(down_RI), base.bias

    def forward(self, input_BI: torch.Tensor) -> torch.Tensor:
        """Apply one matrix after the other.

        Shapes: input (..., i) float -> (..., o) float
        """
        return linear(linear(input_BI, self.down), self.up, self.bias)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """Return the plain layer that answers the same."""
        outputs, inputs = len(self.up), self.down.shape[1]
        plain = nn.Linear(inputs, outputs, bias=False, device=self.up.device, dtype=self.up.dtype)
        plain.weight.copy_(self.up @ self.down)
        plain.bias = self.bias
        return plain


def factor(weight_OI: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the two thin matrices whose product is nearest to a matrix; both have the same share of its size.

    Shapes: weight (o, i) float -> (o, rank) float, (rank, i) float
    Source: Eckart and Young 1936, section 2.
    """
    left_OR, values_R, right_RI = torch.linalg.svd(weight_OI.float(), full_matrices=False)
    root_R = values_R[:rank].sqrt()
    up_OR, down_RI = left_OR[:, :rank] * root_R, root_R[:, None] * right_RI[:rank]
    return up_OR.contiguous().to(weight_OI.dtype), down_RI.contiguous().to(weight_OI.dtype)
