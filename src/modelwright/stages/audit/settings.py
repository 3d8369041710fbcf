"""The stage `audit`. Torch-free."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ...core.settings import CLASSIFICATION, Fraction, Settings
from ...core.stage import Stage
from .fairness_settings import Fairness


class Privacy(Settings):
    """What is measured of how much the model tells of its training examples."""

    checks: bool = Field(
        True, description="true: test noise, clipping, sampling and counting of a private training directly, in seconds"
    )
    canaries: int = Field(
        0,
        ge=0,
        le=100_000,
        description="train once more with so many made-up examples, and bound epsilon from below by finding them; 0: do not",
    )
    guesses: Fraction = Field(
        0.1, gt=0, le=1, description="share of the canaries that are guessed at: the most and the least conspicuous"
    )
    membership: bool = Field(
        True, description="true: measure how well training examples are told from others by the model's confidence"
    )
    shadows: int = Field(
        0,
        ge=0,
        le=256,
        description="models trained on random halves, with which each example's confidence is compared; 0: a plain threshold",
    )
    false_positives: Fraction = Field(
        0.001, gt=0, lt=1, description="share of other examples that may be taken for training examples"
    )
    confidence: Fraction = Field(0.95, gt=0, lt=1, description="confidence of each bound and interval")


class Audit(Settings):
    """What of a model is looked at beyond how well it does."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    fairness: Fairness = Fairness()
    privacy: Privacy = Privacy()


# Epsilon and delta are claimed here of a compressed model alone; of others, train has claimed them.
PRIVACY = ("epsilon", "delta", "epsilon_lower_bound", "membership_tpr", "membership_auc", "privacy_checks")

FAIRNESS = ("fairness", "mitigated")
SECURITY = ("security_scan",)

STAGE = Stage(
    name="audit",
    settings="modelwright.stages.audit.settings:Audit",
    function="modelwright.stages.audit.run:run",
    problems="modelwright.stages.audit.problems:problems",
    reads=("task", "data", "model", "prepare", "train", "evaluate"),
    needs=("dataset", "groups", "model", "predictions"),
    gives=("audit",),
    claims=(*FAIRNESS, *SECURITY, *PRIVACY),
)
