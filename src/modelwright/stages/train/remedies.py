"""From what may help to what can be tried: edits of the recipe as they stand on the command line. Torch-free."""

from __future__ import annotations

from collections.abc import Callable
from math import log10
from typing import Any

from ...core import registry
from ...core.errors import RecipeError
from ...core.recipe import Recipe
from ...core.units import Span
from ...methods.diagnosis.finding import Finding

Edit = tuple[str, Any] | None
# What makes a model larger or smaller; the first that it has is changed.
SIZES = ("hidden", "widths", "channels", "dense", "width", "leaves")
DEPTHS = ("blocks", "layers", "depth")
SHOWN = 4


def next_steps(finding: Finding, recipe: Recipe) -> list[str]:
    """Return the remedies of a finding as overrides `key=value`; only those that make another recipe which is valid."""
    found: list[str] = []
    for name in finding.remedies:
        edit = _rate_for(float(finding.numbers["ratio"]))(recipe) if name == "rate_fit" else REMEDIES[name](recipe)
        if edit and _is_valid(recipe, *edit):
            found.append(f"{edit[0]}={_written(edit[1])}")
    return list(dict.fromkeys(found))[:SHOWN]


def _is_valid(recipe: Recipe, key: str, value: Any) -> bool:
    try:
        return recipe.edited({key: value}).digest != recipe.digest
    except RecipeError:
        return False


def _written(value: Any) -> str:
    """Write a value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_written(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_written, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _modality(recipe: Recipe) -> str:
    return str(getattr(recipe.sections["task"], "kind", ""))


def _train(recipe: Recipe) -> Any:
    return recipe.sections["train"]


def _by_steps(edit: Callable[[Recipe], Edit]) -> Callable[[Recipe], Edit]:
    """Keep a remedy to models that are trained by steps; keys of `train` do not concern the others."""
    return lambda recipe: None if getattr(type(recipe.sections["model"]), "at_once", False) else edit(recipe)


def _rate(times: float) -> Callable[[Recipe], Edit]:
    def edit(recipe: Recipe) -> Edit:
        rate = getattr(_train(recipe).optimiser, "lr", None)
        return ("train.optimiser.lr", float(f"{rate * times:.3g}")) if isinstance(rate, float) else None

    return edit


def _rate_for(ratio: float) -> Callable[[Recipe], Edit]:
    """Scale the rate by the power of ten that brings the ratio of updates to weights nearest to the usual one."""
    usual = 1e-3
    return _by_steps(_rate(10.0 ** round(log10(usual / ratio)) if ratio > 0 else 1 / usual))


def _decay(recipe: Recipe, times: float) -> Edit:
    decay = getattr(_train(recipe).optimiser, "weight_decay", None)
    if decay is None:
        return None
    return "train.optimiser.weight_decay", float(f"{decay * times:.3g}") if decay else (0.01 if times > 1 else 0.0)


def _dropout(recipe: Recipe, change: Callable[[float], float]) -> Edit:
    dropout = getattr(recipe.sections["model"], "dropout", None)
    return None if dropout is None else ("model.dropout", round(change(dropout), 3))


def _scaled(names: tuple[str, ...], times: float) -> Callable[[Recipe], Edit]:
    def edit(recipe: Recipe) -> Edit:
        model = recipe.sections["model"]
        for name in names:
            size = getattr(model, name, None)
            if isinstance(size, int):
                return f"model.{name}", max(1, round(size * times))
            if isinstance(size, tuple) and size:
                return f"model.{name}", [max(1, round(width * times)) for width in size]
        return None

    return edit


def _shallower(recipe: Recipe) -> Edit:
    hidden = getattr(recipe.sections["model"], "hidden", None)
    if isinstance(hidden, tuple):
        return ("model.hidden", list(hidden[: len(hidden) // 2])) if len(hidden) > 1 else None
    return _scaled(DEPTHS, 0.5)(recipe)


def _mixing(name: str, modalities: tuple[str, ...]) -> Callable[[Recipe], Edit]:
    def edit(recipe: Recipe) -> Edit:
        present = [choice.kind for choice in _train(recipe).mixing]
        # The settings of those that are there would be lost.
        return None if present or _modality(recipe) not in modalities else ("train.mixing", [name])

    return edit


def _augment(recipe: Recipe) -> Edit:
    absent = _modality(recipe) == "image" and not _train(recipe).augment.shift
    return ("train.augment.shift", 0.1) if absent else None


def _initialise(recipe: Recipe) -> Edit:
    usual = _train(recipe).initialise.kind == "default"
    return "train.initialise", "he_normal" if usual else "default"


def _normalisation(recipe: Recipe) -> Edit:
    return (
        ("model.normalisation", "batch") if getattr(recipe.sections["model"], "normalisation", "") == "none" else None
    )


def _longer(recipe: Recipe) -> Edit:
    length: Span = _train(recipe).length
    return "train.length", str(Span(length.count * 2, length.unit))


def _clip(recipe: Recipe) -> Edit:
    return None if _train(recipe).clip_norm else ("train.clip_norm", 1.0)


def _schedule(recipe: Recipe) -> Edit:
    return ("train.schedule", "cosine") if _train(recipe).schedule.kind == "constant" else None


def _warm_up(recipe: Recipe) -> Edit:
    return None if getattr(_train(recipe).schedule, "warm_up", 1) else ("train.schedule.warm_up", 0.05)


def _early_stopping(recipe: Recipe) -> Edit:
    return None if _train(recipe).early_stopping.patience else ("train.early_stopping.patience", 5)


def _average(recipe: Recipe) -> Edit:
    usable = "ema" in registry.names("averaging") and _train(recipe).average.kind == "none"
    return ("train.average", "ema") if usable else None


REMEDIES: dict[str, Callable[[Recipe], Edit]] = {
    "augment": _by_steps(_augment),
    "mixup": _by_steps(_mixing("mixup", ("image",))),
    "label_smoothing": _by_steps(_mixing("label_smoothing", ("image", "text", "tabular"))),
    "no_smoothing": _by_steps(lambda recipe: ("train.mixing", []) if _train(recipe).mixing else None),
    "dropout": _by_steps(lambda recipe: _dropout(recipe, lambda share: min(0.8, share + 0.2))),
    "less_dropout": _by_steps(lambda recipe: _dropout(recipe, lambda share: share / 2)),
    "weight_decay": _by_steps(lambda recipe: _decay(recipe, 10.0)),
    "less_decay": _by_steps(lambda recipe: _decay(recipe, 0.1)),
    "early_stopping": _by_steps(_early_stopping),
    "average": _by_steps(_average),
    "smaller": _scaled(SIZES, 0.5),
    "wider": _scaled(SIZES, 2.0),
    "shallower": _by_steps(_shallower),
    "longer": _by_steps(_longer),
    "rate_up": _by_steps(_rate(10.0)),
    "rate_down": _by_steps(_rate(0.1)),
    "initialise": _by_steps(_initialise),
    "normalisation": _by_steps(_normalisation),
    "clip_norm": _by_steps(_clip),
    "more_clip": _by_steps(lambda recipe: ("train.clip_norm", _train(recipe).clip_norm * 10)),
    "warm_up": _by_steps(_warm_up),
    "schedule": _by_steps(_schedule),
    "keep_best": _by_steps(lambda recipe: ("train.keep", "best")),
}
