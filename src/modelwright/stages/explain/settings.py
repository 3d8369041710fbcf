"""The stage `explain`. Torch-free."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ...core.settings import CLASSIFICATION, Choice, Fraction, Sequence, Settings
from ...core.stage import Stage


class Checks(Settings):
    """How attributions are put to the test: parts taken away in their order, and the same question to random models."""

    examples: int = Field(
        32, ge=2, description="validation examples on which parts are taken away and put back in order"
    )
    orders: int = Field(5, ge=1, description="random orders of each example that an attribution must beat")
    models: int = Field(10, ge=2, description="random models whose explanations must be unlike those of this one")
    most_similar: float = Field(
        0.5,
        gt=0,
        le=1,
        description="likeness to explanations of random models that is too much: 0 is chance, 1 is the same",
    )


class Shown(Settings):
    """Which validation examples the report explains."""

    worst: int = Field(4, ge=0, description="those whose true class got the lowest probability")
    typical: int = Field(
        4, ge=0, description="those in the middle of their class: as sure as most that were answered rightly"
    )


class Explain(Settings):
    """Why the model answers as it does, on training and validation part; the test part stays closed."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    layer: str = Field(
        "auto",
        description="whose features are projected: a layer's name; answers: the log-probabilities; auto: the last hidden layer, "
        "or the answers of a model without layers",
    )
    projections: Sequence[Annotated[Any, Choice("projection")]] = Field(
        ("pca",), validate_default=True, description="pictures of the features in two dimensions: pca, tsne, umap"
    )
    examples: int = Field(
        1000, ge=10, description="validation examples that are projected, or whose columns are dealt out anew"
    )
    attributions: Sequence[Annotated[Any, Choice("attribution")]] = Field(
        ("occlusion",),
        validate_default=True,
        description="which parts an answer rests on: occlusion, shapley, permutation, integrated_gradients, grad_cam, "
        "attention_rollout",
    )
    hidden: Literal["mean", "empty"] = Field(
        "mean",
        description="what stands where a part is hidden; mean: the mean picture, the mean number and most frequent category, the "
        "unknown token; empty: black, a missing value, padding",
    )
    patches: int = Field(8, ge=2, description="patches along each edge of a picture that are hidden one at a time")
    checks: Checks = Checks()
    shown: Shown = Shown()
    surrogate: Annotated[Any, Choice("surrogate")] = Field(
        "tree",
        validate_default=True,
        description="a simple model fitted to the answers of this one: tree, linear or none",
    )
    surrogate_rows: int = Field(5000, ge=10, description="most training examples that the surrogate learns from")
    confidence: Fraction = Field(0.95, gt=0, lt=1, description="confidence of each interval")


STAGE = Stage(
    name="explain",
    settings="modelwright.stages.explain.settings:Explain",
    function="modelwright.stages.explain.run:run",
    reads=("task", "data", "model", "prepare", "train", "compress"),
    needs=("dataset", "model"),
    gives=("explanation",),
    claims=(
        "projection_trustworthiness",
        "projection_agreement",
        "attribution_deletion",
        "attribution_insertion",
        "attribution_randomisation",
        "attribution_completeness",
        "surrogate_fidelity",
        "surrogate_leaves",
    ),
    problems="modelwright.stages.explain.problems:problems",
)
