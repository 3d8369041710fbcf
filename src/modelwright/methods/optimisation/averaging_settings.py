"""What a recipe may say of averaging the weights that training passes through."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelwright.core.settings import Settings
from modelwright.core.units import Span

from .settings import Stretch


class NoAverage(Settings):
    """The weights themselves are validated and kept."""

    kind: Literal["none"] = "none"


class EmaSettings(Settings):
    """An exponential moving average: recent weights count most."""

    kind: Literal["ema"] = "ema"
    decay: float = Field(default=0.999, gt=0, lt=1, description="Share of the old average that a step keeps.")


class SwaSettings(Settings):
    """Stochastic weight averaging: a plain mean over the last stretch of the run."""

    kind: Literal["swa"] = "swa"
    start: Annotated[Stretch, Field(description="When averaging starts: a length, or a share of the run ('75 %').")] = (
        0.75
    )
    every: Annotated[Stretch, Field(description="How far apart the weights that are averaged lie.")] = Span(1, "epochs")
