"""The sizes of the models that are fitted at once, on one page. Torch-free. `serves` names the tasks of a model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..core.settings import Auto, Fraction, Settings

Balanced = Field(False, description="count every class as much as every other, however few rows it has")
Inverse = "inverse strength of the L2 penalty: smaller is stronger"
Iterations = Field(100, ge=1, description="most Newton steps of the solver; not to converge within them is an error")


class Boosting(Settings):
    """Boosted trees over histograms of the columns; missing values and categories are split natively."""

    serves: ClassVar[tuple[str, ...]] = ("tabular",)
    at_once: ClassVar[bool] = True
    kind: Literal["boosting"] = "boosting"
    iterations: int = Field(
        300, ge=1, description="most rounds; a round adds one tree, or one tree per class where there are more than two"
    )
    learning_rate: float = Field(0.1, gt=0, le=1, description="share of each tree's answer that is added")
    leaves: int = Field(31, ge=2, description="most leaves of a tree")
    leaf_rows: int = Field(20, ge=1, description="a leaf must hold at least so many training rows")
    l2: float = Field(1.0, ge=0, description="L2 penalty of a leaf's answer")
    early_stopping: Fraction = Field(
        0.1,
        ge=0,
        le=0.5,
        description="share of the rows kept aside to stop early; 0: never stop; "
        "nor where a class is too rare to have a row among them",
    )
    patience: int = Field(10, ge=1, description="rounds without a better loss on the rows kept aside before stopping")
    balanced: bool = Balanced


class Tree(Settings):
    """One decision tree that can be read as rules."""

    serves: ClassVar[tuple[str, ...]] = ("tabular",)
    at_once: ClassVar[bool] = True
    kind: Literal["tree"] = "tree"
    depth: int = Field(6, ge=1, le=64, description="most questions from the root to a leaf")
    leaf_rows: int = Field(10, ge=1, description="a leaf must hold at least so many training rows")
    criterion: Literal["gini", "entropy"] = Field("gini", description="impurity that a split reduces")
    pruning: float = Field(
        0.0, ge=0, description="impurity a subtree must save per leaf to be kept (minimal cost-complexity pruning)"
    )
    balanced: bool = Balanced


class Logistic(Settings):
    """Logistic regression over numbers, flags of missing values and one-hot categories, solved to convergence."""

    serves: ClassVar[tuple[str, ...]] = ("tabular",)
    at_once: ClassVar[bool] = True
    kind: Literal["logistic"] = "logistic"
    C: float = Field(1.0, gt=0, description=Inverse)
    balanced: bool = Balanced
    iterations: int = Iterations


class Tfidf(Settings):
    """Logistic regression over the weighted n-grams of a text."""

    serves: ClassVar[tuple[str, ...]] = ("text",)
    at_once: ClassVar[bool] = True
    kind: Literal["tfidf"] = "tfidf"
    ngrams: Annotated[int, Field(ge=1, le=5)] | Auto = Field(
        "auto", description="longest n-gram, in tokens; auto: 3 for characters, else 2"
    )
    least: int = Field(2, ge=1, description="training texts that an n-gram must occur in")
    sublinear: bool = Field(True, description="count an n-gram that occurs t times as 1 + ln t")
    C: float = Field(30.0, gt=0, description=Inverse)
    balanced: bool = Balanced
    iterations: int = Iterations
