"""The stage `compress`. Torch-free."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from ...core.settings import CLASSIFICATION, Choice, Fraction, Sequence, Settings
from ...core.stage import Stage


class Compress(Settings):
    """How the model is made smaller and faster; everything after this stage gets the compressed model."""

    serves: ClassVar[tuple[str, ...]] = (*CLASSIFICATION, "style")
    steps: Sequence[Annotated[Any, Choice("compression")]] = Field(
        (),
        description="quantise, prune, low_rank, distil, export, in this order; each is measured against the model before it; "
        "of style transfer: export alone",
    )
    least_agreement: Fraction = Field(
        0.995,
        ge=0,
        le=1,
        description="a quantised model must decide as the one before on this share of the validation part",
    )
    resamples: int = Field(1000, ge=100, description="bootstrap resamples behind each interval")
    confidence: Fraction = Field(0.95, gt=0, lt=1, description="confidence of each interval")
    rounds: int = Field(
        100, ge=3, description="how often each model answers when latency is measured, in turn with the others"
    )
    groups: Sequence[str] = Field(
        (),
        description="columns of the data whose groups are compared before and after, features or not; empty: those that "
        "audit.fairness.columns names",
    )
    positive: Sequence[str] = Field(
        (),
        description="the classes that are good for whom they are given to; empty: the second one of two, and of more classes none, so "
        "that groups are compared by accuracy alone",
    )


STAGE = Stage(
    name="compress",
    settings="modelwright.stages.compress.settings:Compress",
    function="modelwright.stages.compress.run:run",
    problems="modelwright.stages.compress.problems:problems",
    needs=("dataset", "groups", "model"),
    gives=("model", "compression"),
    claims=(
        "compress",
        "size",
        "size_ratio",
        "parameters",
        "validation_accuracy",
        "validation_loss",
        "accuracy_change",
        "worst_class_change",
        "worst_group_change",
        "agreement",
        "export_difference",
        "latency_p50",
        "latency_p99",
        "latency_ratio",
        "answering_cpu_seconds",
        "answering_energy",
        "energy_ratio",
        "gap_change",
    ),
)
