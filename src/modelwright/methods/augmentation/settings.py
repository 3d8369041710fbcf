"""What a recipe may say of changing pictures, mixing examples and softening labels. Torch-free."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from modelwright.core.settings import CLASSIFICATION, Fraction, Sequence, Settings

Alpha = Annotated[
    float,
    Field(gt=0, le=100, description="Both parameters of the Beta distribution of the share; larger mixes more evenly."),
]


class MixupSettings(Settings):
    """Each example becomes a weighted mean of two, and so does its label."""

    serves: ClassVar[tuple[str, ...]] = ("image",)
    kind: Literal["mixup"] = "mixup"
    alpha: Alpha = 0.2


class CutmixSettings(Settings):
    """A box of each image is replaced by another image's, and its label is shared by area."""

    serves: ClassVar[tuple[str, ...]] = ("image",)
    kind: Literal["cutmix"] = "cutmix"
    alpha: Alpha = 1.0


class LabelSmoothingSettings(Settings):
    """Every label gives a little of its weight to all classes."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    kind: Literal["label_smoothing"] = "label_smoothing"
    amount: Annotated[
        Fraction, Field(ge=0, lt=1, description="Share of a label's weight that is spread over all classes.")
    ] = 0.1


class Augment(Settings):
    """Each training picture is changed a little, anew in every epoch; everything is off until it is asked for."""

    serves: ClassVar[tuple[str, ...]] = ("image",)
    flip: Fraction = Field(0.0, ge=0, le=1, description="share of pictures that are mirrored left to right")
    crop: int = Field(
        0, ge=0, description="pixels of border put round a picture before its old size is cut out at a drawn place"
    )
    rotation: float = Field(0.0, ge=0, le=180, description="largest rotation either way, in degrees")
    zoom: float = Field(0.0, ge=0, le=10, description="0.2: from 1/1.2 of the size to 1.2 times the size")
    shear: float = Field(0.0, ge=0, lt=90, description="largest shear either way, in degrees")
    shift: Fraction = Field(0.0, ge=0, le=1, description="largest shift either way, as a share of the side")
    brightness: float = Field(0.0, ge=0, le=1, description="0.2: brightness times 0.8 to 1.2")
    contrast: float = Field(0.0, ge=0, le=1, description="0.2: contrast times 0.8 to 1.2")
    saturation: float = Field(0.0, ge=0, le=1, description="0.2: saturation times 0.8 to 1.2; colour pictures only")
    cutout: int = Field(0, ge=0, description="side of the square that is covered, in pixels")
    erasing: Fraction = Field(
        0.0, ge=0, le=1, description="share of pictures of which a rectangle of 2 to 33 % of the area is covered"
    )
    noise: float = Field(0.0, ge=0, le=1, description="0.05: normal noise of 5 % of the way from black to white")
    blur: float = Field(0.0, ge=0, le=20, description="largest deviation of a Gaussian blur, in pixels")
    border: Literal["constant", "nearest", "reflect"] = Field(
        "constant",
        description="what comes into view where a picture is moved: the zero of normalised pictures, the nearest pixel of the "
        "edge, or the picture mirrored in the edge",
    )
    policy: Literal["none", "trivial", "rand"] = Field(
        "none",
        description="trivial: each picture is changed in one of 14 ways, with a drawn strength; rand: in `changes` of them, with "
        "the strength given",
    )
    changes: int = Field(2, ge=1, le=14, description="changes of each picture, for policy rand")
    strength: Fraction = Field(0.3, gt=0, le=1, description="strength of each change, for policy rand")


class AugmentText(Settings):
    """Each training text is changed a little, anew in every epoch."""

    serves: ClassVar[tuple[str, ...]] = ("text",)
    delete: Fraction = Field(0.0, ge=0, lt=1, description="share of tokens that are left out")
    hide: Fraction = Field(0.0, ge=0, lt=1, description="share of tokens that become the unknown token")
    swap: Fraction = Field(0.0, ge=0, lt=1, description="share of tokens that change places with a neighbour")
    replace: Fraction = Field(
        0.0, ge=0, lt=1, description="share of the tokens with synonyms that become one of them; needs `synonyms`"
    )
    synonyms: Sequence[Annotated[Sequence[str], Field(min_length=2)]] = Field(
        (),
        description="lists of words of one meaning, such as [[film, movie], [good, fine, great]]; words that are no token of the "
        "vocabulary are passed over",
    )

    @model_validator(mode="after")
    def _has_synonyms(self) -> AugmentText:
        if bool(self.replace) != bool(self.synonyms):
            raise ValueError("found one of replace and synonyms, expected both or neither")
        return self


class AugmentTable(Settings):
    """Each training row of a table is changed a little, anew in every epoch."""

    serves: ClassVar[tuple[str, ...]] = ("tabular",)
    noise: float = Field(
        0.0,
        ge=0,
        le=10,
        description="deviation of normal noise on scaled numbers that are there, in their units after scaling",
    )
