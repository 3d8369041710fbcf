"""The stage `evaluate`. Torch-free."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...core.settings import Fraction, Settings
from ...core.stage import Stage


class Evaluate(Settings):
    """How the model is judged, on the test part, which is opened once per model."""

    resamples: int = Field(1000, ge=100, description="bootstrap resamples behind each interval")
    confidence: Fraction = Field(0.95, gt=0, lt=1, description="confidence of each interval")
    worst: int = Field(12, ge=0, description="how many of the worst examples the report shows")
    folds: int = Field(
        0,
        ge=0,
        description="stratified folds of cross-validation over the rows that are not test; everything is rebuilt in each; 0: none",
    )
    floor: Literal["auto", "none"] = Field(
        "auto",
        description="auto: train the honest simple model of the task too (TF-IDF with logistic regression for texts, gradient boosting "
        "for tables) and show both; none: do not",
    )


CLASSIFICATION = (
    "accuracy",
    "balanced_accuracy",
    "precision_macro",
    "precision_micro",
    "precision_weighted",
    "precision",
    "recall_macro",
    "recall_micro",
    "recall_weighted",
    "recall",
    "f1_macro",
    "f1_micro",
    "f1_weighted",
    "f1",
    "roc_auc",
    "pr_auc",
    "recall_at_90_precision",
    "log_loss",
    "calibration_error",
    "brier",
)

STAGE = Stage(
    name="evaluate",
    settings="modelwright.stages.evaluate.settings:Evaluate",
    function="modelwright.stages.evaluate.run:run",
    reads=("task", "data", "model", "prepare", "train"),
    needs=("dataset", "model"),
    gives=("predictions", "evaluation"),
    claims=(*CLASSIFICATION, "cross_validation", "floor", "gain_over_floor", "energy_per_answer"),
)
