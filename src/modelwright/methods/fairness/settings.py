"""What a recipe may say of objectives that know groups. Torch-free."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ...core.settings import CLASSIFICATION, Settings


class Reweighing(Settings):
    """Weigh each example so that group and class look independent (Kamiran and Calders 2012)."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    # The objective is built from groups as well as from classes.
    of_groups: ClassVar[bool] = True

    kind: Literal["reweighing"] = "reweighing"
    column: str = Field(
        min_length=1, description="the column of the data whose values are the groups; it need not be a feature"
    )
    strength: float = Field(1.0, ge=0, le=1, description="0: plain training; 1: the full weights")


class GroupRobust(Settings):
    """Minimise the loss of the groups that fare worst (Sagawa et al. 2020)."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    of_groups: ClassVar[bool] = True

    kind: Literal["group_robust"] = "group_robust"
    column: str = Field(
        min_length=1, description="the column of the data whose values are the groups; it need not be a feature"
    )
    step: float = Field(0.01, gt=0, description="how fast the weights of the groups follow their losses")
    by_class: bool = Field(True, description="true: each class within a group is a group of its own")
    adjustment: float = Field(
        0.0, ge=0, description="small groups count as if their loss were larger by this over the root of their size"
    )
