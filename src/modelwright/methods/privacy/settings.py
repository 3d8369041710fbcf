"""What a recipe may say of private training. Torch-free."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from modelwright.core.settings import CLASSIFICATION, Auto, Settings


class NoPrivacy(Settings):
    """Train without a bound on what the weights tell of a single example."""

    kind: Literal["none"] = "none"


class DpSgd(Settings):
    """Poisson sampling, each example's gradient clipped, Gaussian noise, and an accountant: (epsilon, delta)-differential privacy.

    In this bundle `train.batch` is the expected size of a batch: every example stands in it with probability batch / examples.
    """

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    kind: Literal["dp_sgd"] = "dp_sgd"
    epsilon: float = Field(
        3.0,
        ge=0.01,
        le=100,
        description="the privacy loss at which the whole planned training arrives; used where noise is auto",
    )
    delta: float = Field(
        1e-5, gt=0, lt=1, description="how improbable a larger privacy loss is; must be below 1 / training examples"
    )
    clip: float = Field(1.0, gt=0, description="largest L2 norm of one example's gradient over all parameters")
    noise: Annotated[float, Field(gt=0)] | Auto = Field(
        "auto",
        description="standard deviation of the noise on the sum of clipped gradients, as a multiple of clip; auto: the least "
        "that keeps the planned training within epsilon",
    )
    gradients: Literal["auto", "vmap", "one_by_one"] = Field(
        "auto",
        description="how the gradient of each example is had: all at once (vmap), or one backward pass each, which every model "
        "allows; auto: one by one where there are recurrent layers",
    )
    canaries: int = Field(
        0,
        ge=0,
        le=100_000,
        description="made-up examples, each put in by the toss of a coin, whose traces an audit looks for; "
        "0 in any model that is to be used",
    )
