"""What a recipe may say of learning from preferences. Torch-free."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from modelwright.core.settings import Settings


class NoPreference(Settings):
    """Learn the answers as they are; of a pair, the one that was chosen."""

    kind: Literal["none"] = "none"


class Dpo(Settings):
    """Learn which of two answers is preferred: the chosen one is to gain more likelihood over the weights from outside."""

    serves: ClassVar[tuple[str, ...]] = ("language",)
    kind: Literal["dpo"] = "dpo"
    beta: float = Field(
        0.1, gt=0, description="how dear it is to move away from the weights from outside; smaller: further"
    )
    loss: Literal["sigmoid", "ipo"] = Field(
        "sigmoid",
        description="sigmoid: the log-odds of the chosen answer; ipo: the squared distance of what it gains from 1 / (2 beta)",
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=0.5, description="share of pairs that are taken to be the wrong way round (loss: sigmoid only)"
    )

    @model_validator(mode="after")
    def _of_one_kind(self) -> Dpo:
        if self.loss == "ipo" and self.label_smoothing:
            raise ValueError("found loss ipo with label_smoothing, expected loss: sigmoid, or label_smoothing: 0")
        return self
