"""The stage `train`. Torch-free."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ...core import registry
from ...core.settings import AUTO, CLASSIFICATION, Auto, Choice, Fraction, Length, Sequence, Settings
from ...core.stage import Stage
from ...core.units import Span
from ...methods.augmentation.settings import Augment, AugmentTable, AugmentText
from .combinations import conflicts_of
from .layout_conflicts import layout_disagreements
from .private_conflicts import disagreements_of, private_conflicts_of


class EarlyStopping(Settings):
    """Stop when the validation part no longer gets better."""

    measure: Literal["loss", "accuracy"] = Field("loss", description="what is watched on the validation part")
    patience: int = Field(
        0, ge=0, description="validations without an improvement before training stops; 0: never stop early"
    )
    least: float = Field(0.0, ge=0, description="an improvement is a change of more than this")


class Saving(Settings):
    """When checkpoints are written, and how many stay."""

    every: Length | Auto = Field(
        "auto",
        description="a checkpoint after every so many epochs or steps; auto: after as few epochs as keep saving below 3 % of the "
        "time, which the first steps show",
    )
    keep: int = Field(2, ge=1, description="how many checkpoints stay")


class Guard(Settings):
    """What happens when a loss or a gradient is not a finite number, or a loss jumps. Such a step is always skipped."""

    spike: float = Field(
        20.0,
        ge=0,
        description="a mean loss above this many times the median of the last steps, and above the first one, is a spike; "
        "0: only what is not finite is bad",
    )
    window: int = Field(50, ge=2, description="how many good steps the median is taken over")
    patience: int = Field(3, ge=1, description="bad steps in a row before `then` happens")
    then: Literal["rewind", "stop"] = Field(
        "rewind", description="rewind: back to the last checkpoint and past the bad steps; stop: end with an error"
    )
    rewinds: int = Field(3, ge=1, description="how often training goes back before it ends with an error")


class Subset(Settings):
    """Train on a random share of the training part: shadow models, learning curves."""

    share: Fraction = Field(1.0, gt=0, le=1, description="share of the training part that is trained on")
    seed: int = Field(0, ge=0, description="another number, another share of the same size")


class Train(Settings):
    """How the model is trained."""

    length: Length = Field(Span(10, "epochs"), description="how long to train: '10 epochs' or '500 steps'")
    batch: int = Field(64, ge=1, description="examples per optimiser step")
    micro_batch: Annotated[int, Field(ge=0)] | Auto = Field(
        0,
        description="examples per forward pass, accumulated to a batch; 0: the whole batch at once; auto: as many as plan.budget "
        "allows, for a recipe with a section plan",
    )
    layout: Annotated[Any, Choice("layout")] = Field(
        "auto", validate_default=True, description="how several processes share the work; auto: by examples (data)"
    )
    on: Literal["here", "ray"] = Field(
        "here",
        description="what starts several processes: here: this machine; ray: Ray Train, on this machine or on a cluster",
        json_schema_extra={"x-no-effect": True},
    )
    subset: Subset = Subset()
    privacy: Annotated[Any, Choice("privacy")] = Field(
        "none", validate_default=True, description="a bound on what the weights tell of a single training example"
    )
    adversarial: Annotated[Any, Choice("adversary")] = Field(
        "none", validate_default=True, description="a second player that the model is trained against (task style only)"
    )
    preference: Annotated[Any, Choice("preference")] = Field(
        "none", validate_default=True, description="what is learnt of pairs of answers (task language only)"
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
    resample: Annotated[Any, Choice("resampling")] = Field(
        "none", validate_default=True, description="what becomes of the training part before training begins"
    )
    augment: Augment = Field(Augment(), description="how training pictures are changed (task image only)")
    augment_text: AugmentText = Field(AugmentText(), description="how training texts are changed (task text only)")
    augment_table: AugmentTable = Field(
        AugmentTable(), description="how rows of tables are changed (task tabular only)"
    )
    mixing: Sequence[Annotated[Any, Choice("mixing")]] = Field(
        (), description="what happens to a training batch: label_smoothing, mixup, cutmix, in this order"
    )
    clip_norm: float = Field(0.0, ge=0, description="largest norm of the gradient; 0: no clipping")
    clip_value: float = Field(0.0, ge=0, description="largest size of each entry of the gradient; 0: no clipping")
    guard: Guard = Guard()
    average: Annotated[Any, Choice("averaging")] = Field(
        "none", validate_default=True, description="an average of the weights that is validated and kept in their place"
    )
    l1: float = Field(0.0, ge=0, description="weight of the L1 penalty on all matrices")
    early_stopping: EarlyStopping = EarlyStopping()
    validate_every: Length = Field(
        Span(1, "epochs"), description="the validation part is measured after every so many epochs or steps"
    )
    keep: Literal["best", "last"] = Field(
        "best", description="best: the weights of the best validation; last: the last ones"
    )
    save: Saving = Saving()
    precision: Literal["float32", "bfloat16", "bfloat16_parameters"] | Auto = Field(
        "float32",
        description="bfloat16: autocast of matrix products and convolutions; bfloat16_parameters: the matrices and all between "
        "them, too, while the optimiser changes masters in float32, which are what is validated and stored",
    )
    checkpointing: Literal["none", "blocks", "selective"] | Auto = Field(
        "none",
        description="blocks: each block of the model computes its activations again for the gradient instead of keeping them; "
        "selective: but keeps the results of matrix products, convolutions and attention; auto: whatever is fastest under "
        "plan.budget, for a recipe with a section plan",
    )
    low_rank: Annotated[Any, Choice("low_rank")] = Field(
        "none",
        validate_default=True,
        description="train thin matrices instead of linear layers; the model is stored plain",
    )
    gradient_release: bool | Auto = Field(
        False,
        description="true: each parameter is stepped in the backward pass and its gradient freed at once; a bad step cannot be "
        "skipped then, so guard.patience must be 1; auto: where plan.budget needs it, for a recipe with a section plan",
    )
    cuda_allocator: str = Field(
        "",
        description="settings of CUDA's memory allocator, such as 'expandable_segments:True'; without a CUDA device the journal "
        "notes that they have no effect",
        json_schema_extra={"x-no-effect": True},
    )
    compile: bool | Auto = Field(
        False,
        description="let torch.compile fuse the network's operations; costs some ten seconds before the first step. auto: where a "
        "trial shows that this training wins them back",
    )
    memory: Literal["fast", "tight"] = Field(
        "fast",
        description="fast: keep freed memory for the next step; tight: give it back to the system, and of two players keep pictures alone "
        "between the passes through a generator, each of which is then gone twice",
    )
    threads: Annotated[int, Field(ge=1)] | Auto = Field(
        "auto",
        description="CPU threads; auto: the cores this process may use, or what a long training measures as fastest",
    )
    workers: Annotated[int, Field(ge=0, le=64)] | Auto = Field(
        "auto",
        description="threads that make batches ahead; 0: none; auto: one, where making a batch takes a noticeable share of a step",
        json_schema_extra={"x-no-effect": True},
    )

    @model_validator(mode="after")
    def _compatible(self) -> Train:
        found = [*conflicts_of(self), *private_conflicts_of(self)]
        if found:
            raise ValueError("; ".join(found))
        return self

    def disagreements(self, sections: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
        """Yield (key, what was found, what was expected) where other sections of the recipe exclude what this one says."""
        task: Any = sections.get("task")
        if self.early_stopping.measure == "accuracy" and task is not None and task.kind not in CLASSIFICATION:
            found = f"'train.early_stopping.measure' is accuracy, and the task {task.kind} has no classes"
            yield "early_stopping", found, "measure: loss"
        if task is not None and task.kind == "style":
            yield from _of_style(self, task)
        yield from _of_pairs(self, sections)
        yield from disagreements_of(self, sections)
        yield from layout_disagreements(self, sections)
        for name in left_open(self):
            if "plan" not in sections:
                yield (
                    name,
                    "auto, which the plan decides",
                    "a section plan in the recipe, such as plan: {budget: {memory: 2 GiB}}",
                )


def _of_pairs(train: Train, sections: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield what a model excludes that begins with random weights: there is nothing to compare what is learnt with."""
    model: Any = sections.get("model")
    if train.preference.kind != "none" and model is not None and model.kind not in registry.names("pretrained"):
        found = f"'train.preference' is {train.preference.kind}, and the model {model.kind} begins with no weights from outside"
        yield "preference", found, "model: {kind: open_weights, path: ...}"


def left_open(train: Any) -> list[str]:
    """Return the keys of `train` that the recipe leaves to the plan."""
    found = [name for name in ("micro_batch", "checkpointing", "gradient_release") if getattr(train, name) == AUTO]
    found += ["optimiser.bits"] * (getattr(train.optimiser, "bits", 32) == AUTO)
    return found + ["low_rank"] * (train.low_rank.kind == AUTO)


def _of_style(train: Train, task: Any) -> Iterator[tuple[str, str, str]]:
    """Yield what a task of style transfer excludes: it needs a second player, and pairs only where they are learnt from."""
    if train.adversarial.kind == "none":
        yield "adversarial", "the task style without a second player", "train.adversarial: gan"
    elif (train.adversarial.content == "pairs") != task.pairs:
        found = f"'train.adversarial.content' is {train.adversarial.content}, and 'task.pairs' is {task.pairs}"
        yield "adversarial", found, "content: pairs together with task.pairs: true"


STAGE = Stage(
    name="train",
    settings="modelwright.stages.train.settings:Train",
    function="modelwright.stages.train.run:run",
    reads=("task", "model"),
    needs=("dataset",),
    gives=("model",),
    resumable=True,
    joint=True,
    claims=(
        "validation_accuracy",
        "validation_loss",
        "examples_per_second",
        "training_seconds",
        "energy_per_example",
        "parameters",
        "size",
        "steps",
        "skipped_steps",
        "overfitting_gap",
        "dead_units",
        "rewinds",
        "data_wait",
        "saving_share",
        "epsilon",
        "delta",
        "noise_multiplier",
        "sampling_rate",
        "weights_change",
        "processes",
        "discriminator_right",
        "output_diversity",
    ),
)
