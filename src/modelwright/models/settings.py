"""The sizes of every model from scratch, on one page. Torch-free."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..core.settings import Sequence, Settings


class Cnn(Settings):
    """Convolutions, each but the last followed by pooling, then one dense layer."""

    kind: Literal["cnn"] = "cnn"
    channels: Sequence[int] = Field((32, 64, 64), description="output channels of each convolution", min_length=1)
    kernel: int = Field(3, ge=1, description="side of the convolution kernel, in pixels")
    padding: Literal["valid", "same"] = Field("valid", description="valid: no padding; same: the picture keeps its size")
    pool: int = Field(2, ge=1, description="side of the pooling window, in pixels")
    dense: int = Field(64, ge=1, description="width of the dense layer")
    normalisation: Literal["none", "batch"] = Field("none", description="batch: batch normalisation after each convolution")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of the dense layer's inputs dropped in training")


class Mlp(Settings):
    """Dense layers over the flattened input."""

    kind: Literal["mlp"] = "mlp"
    hidden: Sequence[int] = Field((128,), description="width of each hidden layer", min_length=1)
    dropout: float = Field(0.0, ge=0, lt=1, description="share of each hidden layer's outputs dropped in training")


class Linear(Settings):
    """Multinomial logistic regression over the flattened input."""

    kind: Literal["linear"] = "linear"
