"""The sizes of the generators. Torch-free."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..core.settings import Settings

Change = Annotated[
    bool, Field(description="true: the network answers a change of the picture; false: the whole picture anew")
]
Normalise = Annotated[
    Literal["instance", "none"],
    Field(
        description="instance: each channel of each picture is brought to mean 0 and spread 1; none: a place is answered by what is "
        "around it alone, so that flat colours stay flat and tiles agree"
    ),
]


class ResidualGenerator(Settings):
    """Picture to picture: smaller, through residual blocks, and back to size (Johnson et al. 2016)."""

    serves: ClassVar[tuple[str, ...]] = ("style",)
    kind: Literal["residual_generator"] = "residual_generator"
    channels: int = Field(32, ge=4, description="channels at full size; doubled each time the side is halved")
    halvings: int = Field(2, ge=1, le=4, description="how often the side is halved")
    blocks: int = Field(4, ge=1, description="residual blocks at the smallest size")
    change: Change = True
    normalise: Normalise = "instance"


class UNet(Settings):
    """Picture to picture: each size on the way down is seen again on the way up (Ronneberger et al. 2015)."""

    serves: ClassVar[tuple[str, ...]] = ("style",)
    kind: Literal["unet"] = "unet"
    channels: int = Field(32, ge=4, description="channels at full size; doubled each time the side is halved")
    halvings: int = Field(3, ge=1, le=6, description="how often the side is halved")
    change: Change = True
    normalise: Normalise = "instance"
