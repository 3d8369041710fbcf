"""What a recipe may say of training two players against each other. Torch-free."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from modelwright.core.settings import Fraction, Settings


class NoAdversary(Settings):
    """One player: the model's own losses are minimised."""

    kind: Literal["none"] = "none"


class Discriminator(Settings):
    """The second player: judges patches of a picture."""

    serves: ClassVar[tuple[str, ...]] = ("style",)
    channels: int = Field(32, ge=4, description="channels after the first convolution; doubled by each further one")
    layers: int = Field(
        2, ge=1, le=4, description="convolutions that halve the side; each widens the patch that is judged"
    )
    lr: float = Field(2e-4, gt=0, description="the second player's learning rate; it follows the schedule of the first")


class Gan(Settings):
    """A generator and a discriminator, each with an optimiser of its own, take turns in every step."""

    serves: ClassVar[tuple[str, ...]] = ("style",)
    kind: Literal["gan"] = "gan"
    loss: Literal["least_squares", "non_saturating", "hinge"] = Field(
        "least_squares", description="what the players minimise"
    )
    content: Literal["contrastive", "cycle", "pairs", "features"] = Field(
        "contrastive",
        description="what holds a picture to its content; contrastive: each place of the output resembles the same place of the "
        "input; cycle: a second generator finds the way back; pairs: the true answer is known, for task.pairs: true; "
        "features: structure of brightness seen by fixed filters",
    )
    weight: float = Field(1.0, ge=0, description="weight of what holds the content, beside the adversarial loss")
    identity: float = Field(
        0.0, ge=0, description="weight of leaving alone what is in the style already; not with content: pairs"
    )
    r1: float = Field(0.0, ge=0, description="weight of the penalty on the discriminator's gradient at real pictures")
    strokes: float = Field(
        0.0,
        ge=0,
        description="weight of painting with the patches of the picture of style, at several sizes; for content: features, where both "
        "are crops of one picture",
    )
    margin: int = Field(
        0,
        ge=0,
        le=64,
        description="pixels at each border that the discriminator is not shown, where the two kinds of pictures are framed differently",
    )
    pool: int = Field(0, ge=0, description="earlier outputs that the discriminator is shown again; 0: the latest only")
    augment: Fraction | Literal["adaptive"] = Field(
        0.0,
        description="how probably what the discriminator sees is shifted, recoloured and covered, real and generated alike; adaptive: "
        "more when it knows real pictures too surely",
    )
    discriminator: Discriminator = Discriminator()

    @model_validator(mode="after")
    def _together(self) -> Gan:
        if self.strokes and self.content != "features":
            raise ValueError(
                f"found strokes with content: {self.content}, expected content: features; the patches of one picture of style are "
                "not those of another"
            )
        return self
