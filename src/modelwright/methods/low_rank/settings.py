"""What a recipe may say of low-rank training. Torch-free."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from modelwright.core.settings import Fraction, Sequence, Settings


def _compiled(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"found {pattern!r}, expected a regular expression: {error}") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_compiled)]
Targets = Annotated[
    Pattern | Sequence[str],
    Field(
        description="which linear layers: a regular expression that is searched for in their names, or a list of names "
        "or of endings of names"
    ),
]


class NoLowRank(Settings):
    """Train the weights themselves."""

    kind: Literal["none"] = "none"


class Lora(Settings):
    """Freeze the weights and train a thin product beside the chosen linear layers; it is added to them at the end."""

    kind: Literal["lora"] = "lora"
    rank: int = Field(8, ge=1, description="width of the thin product")
    scale: float = Field(16.0, gt=0, description="the product is multiplied by scale / rank (alpha of the paper)")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of the product's inputs dropped in training")
    targets: Targets = ""
    base: Literal["plain", "int8", "int4"] = Field(
        "plain",
        description="the linear layers that do not learn: plain, or in whole numbers of 8 bits (a scale for each output) or 4 bits (one "
        "for each 64 inputs), which saves memory; the model that is stored has the rounded weights",
    )
    full: Pattern = Field(
        "^head",
        description="a regular expression: parameters whose names contain it are trained in full, as a new last layer must be",
    )


class OpenLora(Lora):
    """As `lora`, but only where nothing fits plan.budget otherwise; for a recipe with a section plan."""

    kind: Literal["auto"] = "auto"  # type: ignore[assignment]


class Svd(Settings):
    """Replace the chosen linear layers by the best products of two thin ones and train those; they are multiplied at the end."""

    kind: Literal["svd"] = "svd"
    rank: Annotated[int, Field(ge=1)] | Annotated[Fraction, Field(gt=0, lt=1)] = Field(
        0.25, description="width of the products: a number, or a share of the smaller side of each layer"
    )
    targets: Targets = ""
