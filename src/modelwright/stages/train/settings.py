"""The stage `train`. Torch-free."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ...core.settings import Auto, Choice, Length, Sequence, Settings
from ...core.stage import Stage
from ...core.units import Span
from ...methods.augmentation.settings import Augment


class EarlyStopping(Settings):
    """Stop when the validation part no longer gets better."""

    measure: Literal["loss", "accuracy"] = Field("loss", description="what is watched on the validation part")
    patience: int = Field(
        0, ge=0, description="validations without an improvement before training stops; 0: never stop early"
    )
    least: float = Field(0.0, ge=0, description="an improvement is a change of more than this")


class Saving(Settings):
    """When checkpoints are written, and how many stay."""

    every: Length = Field(Span(1, "epochs"), description="a checkpoint after every so many epochs or steps")
    keep: int = Field(2, ge=1, description="how many checkpoints stay")


class Train(Settings):
    """How the model is trained."""

    length: Length = Field(Span(10, "epochs"), description="how long to train: '10 epochs' or '500 steps'")
    batch: int = Field(64, ge=1, description="examples per optimiser step")
    micro_batch: int = Field(
        0, ge=0, description="examples per forward pass, accumulated to a batch; 0: the whole batch at once"
    )
    optimiser: Annotated[Any, Choice("optimiser")] = Field(
        "adam", validate_default=True, description="what turns gradients into steps"
    )
    schedule: Annotated[Any, Choice("schedule")] = Field(
        "constant", validate_default=True, description="how the learning rate changes with the step"
    )
    initialise: Annotated[Any, Choice("initialisation")] = Field(
        "default", validate_default=True, description="how the weights begin; default: as each layer of torch does"
    )
    objective: Annotated[Any, Choice("objective")] = Field(
        "mean", validate_default=True, description="what becomes of the examples' losses before their mean is minimised"
    )
    sampler: Annotated[Any, Choice("sampler")] = Field(
        "shuffled", validate_default=True, description="which examples stand in a batch"
    )
    augment: Augment = Field(Augment(), description="how training pictures are changed (task image only)")
    mixing: Sequence[Annotated[Any, Choice("mixing")]] = Field(
        (), description="what happens to a training batch: label_smoothing, mixup, cutmix, in this order"
    )
    clip_norm: float = Field(0.0, ge=0, description="largest norm of the gradient; 0: no clipping")
    l1: float = Field(0.0, ge=0, description="weight of the L1 penalty on all matrices")
    early_stopping: EarlyStopping = EarlyStopping()
    validate_every: Length = Field(
        Span(1, "epochs"), description="the validation part is measured after every so many epochs or steps"
    )
    keep: Literal["best", "last"] = Field(
        "best", description="best: the weights of the best validation; last: the last ones"
    )
    save: Saving = Saving()
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="bfloat16: autocast of matrix products and convolutions"
    )
    memory: Literal["fast", "tight"] = Field(
        "fast", description="fast: keep freed memory for the next step; tight: give it back to the system"
    )
    threads: Annotated[int, Field(ge=1)] | Auto = Field(
        "auto", description="CPU threads; auto: the cores this process may use"
    )


STAGE = Stage(
    name="train",
    settings="modelwright.stages.train.settings:Train",
    function="modelwright.stages.train.run:run",
    reads=("task", "model"),
    needs=("dataset",),
    gives=("model",),
    claims=(
        "validation_accuracy",
        "validation_loss",
        "examples_per_second",
        "training_seconds",
        "parameters",
        "size",
        "steps",
        "skipped_steps",
    ),
)
