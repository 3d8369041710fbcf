"""What a recipe may say against imbalance between classes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from modelwright.core.settings import CLASSIFICATION, Length, Settings
from modelwright.core.units import Span

Ratio = Annotated[
    float, Field(gt=0, le=1, description="How large each class becomes at least, as a share of the largest.")
]


class ClassWeightsSettings(Settings):
    """Each example's loss is weighted by its class."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    kind: Literal["class_weights"] = "class_weights"
    how: Literal["inverse", "effective"] = Field(
        default="inverse",
        description="'inverse' to a class's count, or to its 'effective' number of examples, which grows slower.",
    )
    beta: float = Field(
        default=0.999,
        ge=0,
        lt=1,
        description="How much examples of a class overlap, for 'effective'; near 1 is like 'inverse'.",
    )


class FocalSettings(Settings):
    """Losses of examples that the model already gets right are turned down."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    kind: Literal["focal"] = "focal"
    gamma: float = Field(default=2.0, ge=0, le=10, description="How strongly; 0 is the plain loss.")


class BalancedSamplingSettings(Settings):
    """Examples of rare classes are drawn more often."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    kind: Literal["balanced"] = "balanced"
    strength: float = Field(
        default=1.0, ge=0, le=1, description="0 draws classes as often as they are, 1 draws all equally often."
    )


class OverSamplingSettings(Settings):
    """Examples of rare classes are repeated; every example stands in an epoch at least once."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    kind: Literal["over_sampling"] = "over_sampling"
    ratio: Ratio = 1.0


class UnderSamplingSettings(Settings):
    """Examples of frequent classes are left out, in each epoch others."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    kind: Literal["under_sampling"] = "under_sampling"
    ratio: float = Field(
        default=1.0, gt=0, le=1, description="How large the smallest class is beside every other: 1 is as large."
    )


class NoResampling(Settings):
    """The training part stays as it is."""

    kind: Literal["none"] = "none"


class SmoteSettings(Settings):
    """Rare classes get new examples, made between neighbours of the class. Tables only; needs the extra `data`."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    kind: Literal["smote"] = "smote"
    neighbours: int = Field(default=5, ge=1, description="How many nearest examples of the class are mixed with.")
    ratio: Ratio = 1.0


class GanRowsSettings(Settings):
    """Rare classes get new rows, made by a generator that plays against a critic (CTGAN). Tables only."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    kind: Literal["gan"] = "gan"
    ratio: Ratio = 1.0
    length: Length = Field(Span(2000, "steps"), description="How long both players learn, '2000 steps' or '50 epochs'.")
    batch: int = Field(default=256, ge=2, description="Rows in a step; classes are drawn alike.")
    modes: int = Field(default=10, ge=1, le=30, description="Modes of a number at most; a mixture finds how many.")
    noise: int = Field(default=32, ge=1, description="Random numbers that a row is made from.")
    width: int = Field(default=128, ge=4, description="Width of the two dense layers of each player.")
    loss: Literal["least_squares", "non_saturating", "hinge"] = Field(
        default="non_saturating", description="What the players minimise."
    )
    r1: float = Field(default=1.0, ge=0, description="Weight of the penalty on the critic's gradient at real rows.")
    lr: float = Field(default=1e-3, gt=0, description="Learning rate of the generator; it falls to zero.")
    critic_lr: float = Field(default=1e-3, gt=0, description="Learning rate of the critic; it falls to zero.")
