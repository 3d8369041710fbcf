"""What would break the promise of `train.privacy`, by name: one table, judged before any data is touched. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ...core.settings import AUTO
from .combinations import Conflict

if TYPE_CHECKING:
    from .settings import Train

PRIVATE = "privacy: dp_sgd"
LOOKS = "it looks at losses without noise, and what it then does tells of them"


def _where(condition: Callable[[Any], bool], second: str, why: str, next_step: str) -> Conflict:
    return Conflict(PRIVATE, second, condition, why, next_step)


CONFLICTS = (
    _where(
        lambda train: train.sampler.kind != "shuffled",
        "sampler",
        "the accountant counts on Poisson sampling, in which every example is as likely as every other",
        "leave train.sampler out",
    ),
    _where(
        lambda train: train.objective.kind == "class_weights",
        "objective: class_weights",
        "the weights are made from counts of the private examples, without noise",
        "set train.objective: mean or focal",
    ),
    _where(
        lambda train: getattr(type(train.objective), "of_groups", False),
        "objective: reweighing or group_robust",
        "the weights of an example follow from other private examples, without noise",
        "set train.objective: mean or focal, and choose thresholds by group afterwards (audit.fairness.mitigations)",
    ),
    _where(
        lambda train: train.resample.kind != "none",
        "resample",
        "an example made from others, or repeated, contributes more than the accountant counts",
        "set train.resample: none",
    ),
    _where(
        lambda train: any(mix.kind in ("mixup", "cutmix") for mix in train.mixing),
        "mixing: mixup or cutmix",
        "a mixed example carries another one, so clipping no longer bounds what each contributes",
        "leave them out; label_smoothing mixes nobody",
    ),
    _where(
        lambda train: getattr(train.optimiser, "lr", None) == AUTO,
        "optimiser.lr: auto",
        "the range test trains on the private examples without noise",
        "give train.optimiser.lr a number",
    ),
    _where(
        lambda train: train.guard.then == "rewind",
        "guard.then: rewind",
        "steps that are thrown away because of what they gave would have to be counted too",
        "set train.guard.then: stop",
    ),
    _where(lambda train: train.guard.spike > 0, "guard.spike above 0", LOOKS, "set train.guard.spike: 0"),
    _where(
        lambda train: train.gradient_release is True,
        "gradient_release: true",
        "the step is taken before there is a gradient to be clipped and covered by noise",
        "set train.gradient_release: false",
    ),
    _where(
        lambda train: train.compile is not False,
        "compile: true or auto",
        "the gradient of each example cannot be had through a compiled network",
        "set train.compile: false",
    ),
    _where(
        lambda train: train.checkpointing != "none",
        "checkpointing",
        "the gradient of each example cannot be had through blocks that are computed again",
        "set train.checkpointing: none, and train.micro_batch to save memory",
    ),
    _where(
        lambda train: train.precision != "float32",
        "precision other than float32",
        "eight bits of mantissa are too few for a norm that must not exceed the limit",
        "set train.precision: float32",
    ),
)


def private_conflicts_of(train: Train) -> list[str]:
    """Return a sentence for every key of a recipe's `train` that a private training excludes."""
    if train.privacy.kind == "none":
        return []
    return [
        f"found {conflict.first} with {conflict.second}: {conflict.why}; next: {conflict.next_step}"
        for conflict in CONFLICTS
        if conflict.holds(train)
    ]


def disagreements_of(train: Train, sections: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (key of train, what was found, what was expected) where other sections of a recipe exclude a private training."""
    model: Any = sections.get("model")
    if train.privacy.kind == "none" or model is None:
        return
    if getattr(type(model), "at_once", False):
        found = f"'{model.kind}' is fitted at once, and only training by steps is private"
        yield "privacy", f"'train.privacy': {found}", "a model that is trained by steps, or privacy: none"
    if getattr(model, "normalisation", "") == "batch":
        found = f"'{model.kind}' has batch normalisation, which mixes the examples of a batch"
        yield "privacy", f"'train.privacy': {found}", "model.normalisation: group, layer or none"
