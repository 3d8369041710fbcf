"""The stage `evaluate`. Torch-free."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field

from ...core import registry
from ...core.settings import CLASSIFICATION as SERVED
from ...core.settings import Fraction, Sequence, Settings
from ...core.stage import Stage


class Samples(Settings):
    """What a language model writes for people to read."""

    serves: ClassVar[tuple[str, ...]] = ("language",)
    count: int = Field(
        3, ge=0, description="samples: the first from nothing, the others from beginnings of test documents"
    )
    tokens: int = Field(200, ge=1, description="longest sample, in tokens")
    temperature: float = Field(0.8, ge=0, description="0: always the most likely token; 1: as likely as the model says")
    nucleus: float = Field(
        1.0, gt=0, le=1, description="only the most likely tokens that together have this probability"
    )


class Choices(Settings):
    """Conversations of the test part as questions: which of some answers is the most likely."""

    serves: ClassVar[tuple[str, ...]] = ("language",)
    answers: Sequence[str] = Field(
        (), description="all answers that conversations may end with; empty: nothing is asked"
    )
    by_row: bool = Field(
        False,
        description="true: each conversation lists what may be answered, in a column choices; claims choice_accuracy",
    )
    before: bool = Field(
        False, description="true: the weights from outside are asked the same before any training, claims before[...]"
    )


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
        "for tables, counted 5-grams for language), or do without one (for style: the picture as it is, its colours moved, the nearest "
        "picture of style), and show both; none: do not",
    )
    samples: Samples = Samples()
    choices: Choices = Choices()

    def disagreements(self, sections: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
        """Yield (key, what was found, what was expected) where the task excludes what this section says."""
        task: Any = sections.get("task")
        if self.folds and task is not None and task.kind not in (*SERVED, "style"):
            found = f"'evaluate.folds' is {self.folds}, and the texts of this task are no rows to deal out"
            yield "folds", found, "0 for this task"
        if self.choices.by_row and self.choices.answers:
            found = "'evaluate.choices' has answers for all rows, and by_row asks for those of each row"
            yield "choices.by_row", found, "one of the two"
        model: Any = sections.get("model")
        if self.choices.before and model is not None and model.kind not in registry.names("pretrained"):
            found = f"'evaluate.choices.before' is true, and the model {model.kind} begins with no weights from outside"
            yield "choices.before", found, "false, or model: {kind: open_weights, path: ...}"


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

LANGUAGE = ("loss", "perplexity", "bits_per_character", "bits_per_byte", "unknown_tokens")

CHOICES = (
    "choice_accuracy",
    "choice_balanced_accuracy",
    "choice_precision",
    "choice_recall",
    "choice_f1",
    "choice_f1_macro",
    "choice_log_loss",
    "choice_accuracy_by_byte",
    "before",
)

PAIRS = ("preference_accuracy", "preference_margin", "reward_accuracy", "reward_margin")

STYLE = (
    "l1",
    "ssim",
    "perceptual",
    "kid",
    "kid_gain",
    "perceptual_gain",
    "style_distance",
    "style_distance_ratio",
    "taken_for_style",
    "edge_f1",
)

STAGE = Stage(
    name="evaluate",
    settings="modelwright.stages.evaluate.settings:Evaluate",
    function="modelwright.stages.evaluate.run:run",
    reads=("task", "data", "model", "prepare", "train"),
    needs=("dataset", "model"),
    gives=("predictions", "evaluation"),
    claims=(
        *CLASSIFICATION,
        *LANGUAGE,
        *CHOICES,
        *PAIRS,
        *STYLE,
        "cross_validation",
        "floor",
        "gain_over_floor",
        "energy_per_answer",
    ),
)
