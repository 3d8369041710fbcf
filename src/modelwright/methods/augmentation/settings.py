"""What a recipe may say of mixing examples and softening labels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelwright.core.settings import Fraction, Settings

Alpha = Annotated[
    float,
    Field(gt=0, le=100, description="Both parameters of the Beta distribution of the share; larger mixes more evenly."),
]


class MixupSettings(Settings):
    """Each example becomes a weighted mean of two, and so does its label."""

    kind: Literal["mixup"] = "mixup"
    alpha: Alpha = 0.2


class CutmixSettings(Settings):
    """A box of each image is replaced by another image's, and its label is shared by area."""

    kind: Literal["cutmix"] = "cutmix"
    alpha: Alpha = 1.0


class LabelSmoothingSettings(Settings):
    """Every label gives a little of its weight to all classes."""

    kind: Literal["label_smoothing"] = "label_smoothing"
    amount: Annotated[
        Fraction, Field(ge=0, lt=1, description="Share of a label's weight that is spread over all classes.")
    ] = 0.1
