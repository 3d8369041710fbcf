"""What a recipe may say of a model's first weights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelwright.core.settings import Auto, Sequence, Settings

EmbeddingSpread = Annotated[float, Field(gt=0, le=10, description="Standard deviation of embeddings.")]
Slope = Annotated[float, Field(ge=0, le=1, description="Slope of the activation below zero; 0 is ReLU.")]
Gain = Annotated[
    float, Field(gt=0, le=100, description="Factor on the weights, which depends on the activation; 1 is linear.")
]


class DefaultSettings(Settings):
    """The weights that the model's constructor drew."""

    kind: Literal["default"] = "default"


class HeNormalSettings(Settings):
    """Normal weights that keep the variance of a ReLU network's activations."""

    kind: Literal["he_normal"] = "he_normal"
    slope: Slope = 0.0
    embedding_spread: EmbeddingSpread = 0.02


class HeUniformSettings(Settings):
    """Uniform weights that keep the variance of a ReLU network's activations."""

    kind: Literal["he_uniform"] = "he_uniform"
    slope: Slope = 0.0
    embedding_spread: EmbeddingSpread = 0.02


class XavierNormalSettings(Settings):
    """Normal weights that keep the variance of a linear or tanh network's activations and gradients."""

    kind: Literal["xavier_normal"] = "xavier_normal"
    gain: Gain = 1.0
    embedding_spread: EmbeddingSpread = 0.02


class XavierUniformSettings(Settings):
    """Uniform weights that keep the variance of a linear or tanh network's activations and gradients."""

    kind: Literal["xavier_uniform"] = "xavier_uniform"
    gain: Gain = 1.0
    embedding_spread: EmbeddingSpread = 0.02


class OrthogonalSettings(Settings):
    """Random orthogonal matrices."""

    kind: Literal["orthogonal"] = "orthogonal"
    gain: Gain = 1.0
    embedding_spread: EmbeddingSpread = 0.02


class ScaledResidualSettings(Settings):
    """GPT-2's: small normal weights, smaller still on projections that are added to the residual stream."""

    kind: Literal["scaled_residual"] = "scaled_residual"
    spread: float = Field(
        default=0.02, gt=0, le=10, description="Standard deviation of all weights but the residual projections."
    )
    layers: Annotated[int, Field(ge=1, le=10_000)] | Auto = Field(
        default="auto",
        description="Number of transformer layers, each with two residual projections; 'auto' counts the projections.",
    )
    residual: Sequence[str] = Field(
        default=("c_proj", "o_proj", "out_proj", "down_proj", "output_projection"),
        description="How the names of residual projections end, without '.weight'.",
    )
    embedding_spread: EmbeddingSpread = 0.02
