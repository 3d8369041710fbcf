"""Which keys of `train` do not go together, and why: one table. Torch-free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...core.settings import AUTO

if TYPE_CHECKING:
    from .settings import Train


@dataclass(frozen=True)
class Conflict:
    """Two keys that exclude each other where both conditions hold."""

    first: str
    second: str
    holds: Callable[[Any], bool]
    why: str
    next_step: str


LATER = "it needs the whole gradient, which is never there"
WITHOUT = "set train.gradient_release: false, or"


def splits(train: Any) -> bool:
    """Say whether a batch is cut into micro-batches; what is left to the plan is judged when it has been decided."""
    return train.micro_batch != AUTO and 0 < train.micro_batch < train.batch


def releases(train: Any) -> bool:
    """Say whether gradients are released; what is left to the plan is judged when it has been decided."""
    return train.gradient_release is True


CONFLICTS = (
    Conflict(
        "gradient_release: true",
        "micro_batch",
        lambda train: releases(train) and splits(train),
        "the gradient of a batch is whole after its last micro-batch only",
        f"{WITHOUT} leave train.micro_batch out and set train.checkpointing: blocks",
    ),
    Conflict(
        "gradient_release: true",
        "clip_norm",
        lambda train: releases(train) and train.clip_norm > 0,
        LATER,
        f"{WITHOUT} train.clip_norm: 0",
    ),
    Conflict(
        "gradient_release: true",
        "clip_value",
        lambda train: releases(train) and train.clip_value > 0,
        "it acts after the backward pass, when the step has been taken",
        f"{WITHOUT} train.clip_value: 0",
    ),
    Conflict(
        "gradient_release: true",
        "l1",
        lambda train: releases(train) and train.l1 > 0,
        "it is added after the backward pass, when the step has been taken",
        f"{WITHOUT} train.l1: 0",
    ),
    Conflict(
        "gradient_release: true",
        "guard.patience above 1",
        lambda train: releases(train) and train.guard.patience > 1,
        "a bad step has been taken when it is seen, so it cannot be skipped; only going back or stopping helps",
        f"{WITHOUT} train.guard.patience: 1",
    ),
    Conflict(
        "objective: group_robust",
        "micro_batch",
        lambda train: train.objective.kind == "group_robust" and splits(train),
        "the mean loss of a group in a micro-batch is not its mean loss in the batch",
        "leave train.micro_batch out, or set train.objective: reweighing",
    ),
    Conflict(
        "objective: reweighing or group_robust",
        "mixing: mixup or cutmix",
        lambda train: (
            getattr(type(train.objective), "of_groups", False)
            and any(mix.kind in ("mixup", "cutmix") for mix in train.mixing)
        ),
        "a mixed example belongs to two groups",
        "leave one of the two out",
    ),
)

ALONE = "it was made for one player"


def _with_two(condition: Callable[[Any], bool], second: str, why: str, next_step: str) -> Conflict:
    return Conflict(
        "adversarial: gan", second, lambda train: train.adversarial.kind != "none" and condition(train), why, next_step
    )


WITH_TWO_PLAYERS = (
    _with_two(splits, "micro_batch", "what one player made is shown to the other as a whole batch", "leave it out"),
    _with_two(releases, "gradient_release", ALONE, "leave it out"),
    _with_two(lambda train: train.optimiser.lr == AUTO, "optimiser.lr: auto", ALONE, "give it a number, such as 2e-4"),
    _with_two(lambda train: bool(train.compile), "compile", ALONE, "leave it out"),
    _with_two(lambda train: train.schedule.kind == "plateau", "schedule: plateau", ALONE, "take linear or cosine"),
    _with_two(lambda train: train.low_rank.kind != "none", "low_rank", ALONE, "leave it out"),
    _with_two(
        lambda train: train.precision in ("bfloat16_parameters", AUTO),
        "precision",
        "the discriminator's penalty needs its parameters as they are",
        "set train.precision: float32 or bfloat16",
    ),
)


def conflicts_of(train: Train) -> list[str]:
    """Return a sentence for every two keys of a recipe's `train` that exclude each other."""
    return [
        f"found {conflict.first} with {conflict.second}: {conflict.why}; next: {conflict.next_step}"
        for conflict in (*CONFLICTS, *WITH_TWO_PLAYERS)
        if conflict.holds(train)
    ]
