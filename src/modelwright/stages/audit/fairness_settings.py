"""What the stage `audit` is told of groups of people. Torch-free."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from ...core.settings import Fraction, Sequence, Settings


class Fairness(Settings):
    """Which groups are compared, on the test part, and by what. Without columns nothing is said about fairness."""

    columns: Sequence[str] = Field(
        (),
        description="columns of the data whose values are groups; they are kept for this, also where task.ignore names them",
    )
    intersections: bool = Field(True, description="true: compare the groups of all columns together, too")
    positive: Sequence[str] = Field(
        (), description="the classes that are good for whom they are given to; empty: the second one of two"
    )
    bins: dict[str, Sequence[float]] = Field(
        {}, description="cuts of a column of numbers, such as {age: [25, 60]}, each the beginning of a group"
    )
    least: int = Field(30, ge=2, description="groups with fewer rows are named, and nothing is claimed of them")
    resamples: int = Field(1000, ge=100, description="bootstrap resamples behind each interval")
    confidence: Fraction = Field(0.95, gt=0, lt=1, description="confidence of each interval")
    mitigations: Sequence[Literal["thresholds", "reweighing", "group_robust"]] = Field(
        (),
        description="what is tried for the first column and shown beside the model as it is; thresholds: one for each group, chosen "
        "on the validation part; reweighing, group_robust: the same recipe trained again with that objective",
    )
    constraint: Literal["demographic_parity", "equal_opportunity", "equalised_odds"] = Field(
        "equalised_odds", description="what thresholds are to make alike"
    )
    tolerance: Fraction = Field(
        0.02,
        ge=0,
        le=1,
        description="gap on the validation part that thresholds may leave; among those within, the most accurate",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Fairness:
        if self.mitigations and not self.columns:
            raise ValueError(
                f"found mitigations {', '.join(self.mitigations)} without columns, expected fairness.columns"
            )
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("found the same column twice, expected columns that differ")
        unused = [name for name in self.bins if name not in self.columns]
        if unused:
            raise ValueError(f"found bins for {', '.join(unused)}, expected bins for columns that are compared")
        for name, cuts in self.bins.items():
            if not cuts or any(high <= low for low, high in pairwise(cuts)):
                raise ValueError(f"found the cuts {list(cuts)} for {name}, expected numbers that grow")
        return self
