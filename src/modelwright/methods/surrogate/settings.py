"""A simple model that stands for a complicated one, as a recipe may name it. Torch-free."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelwright.core.settings import Auto, Settings


class NoSurrogate(Settings):
    """The model is not approximated."""

    kind: Literal["none"] = "none"


class TreeSurrogate(Settings):
    """A decision tree, grown and then pruned; it can be read as rules."""

    kind: Literal["tree"] = "tree"
    depth: int = Field(6, ge=1, le=32, description="most questions from the root to a leaf, before pruning")
    leaf_rows: int = Field(5, ge=1, description="a leaf must hold at least so many examples")
    pruning: Annotated[float, Field(ge=0)] | Auto = Field(
        "auto",
        description="impurity that a subtree must save per leaf to stay; auto: the smallest tree within one standard error of "
        "the best, on a fifth of the examples kept aside",
    )


class LinearSurrogate(Settings):
    """Logistic regression; each feature has one weight for each class."""

    kind: Literal["linear"] = "linear"
    strength: float = Field(1.0, gt=0, description="inverse strength of the L2 penalty: smaller is stronger")
