"""What norms of gradients, weights and updates say: exploding, vanishing, steps too long or too short, dead units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite
from statistics import median

from .finding import Finding

# The norm of the whole gradient of a mean cross entropy is of the order of 1 in a training that goes well.
ENORMOUS = 1000.0
GROWN = 100.0
CLIPPED_SHARE, CLIPPED_TIMES = 0.95, 10.0
FADED = 1e-4
FEWEST_LAYERS = 4
# Two orders of magnitude either way from the ratio of 1e-3 that updates should have.
LONG, SHORT = 1e-1, 1e-5
# A single step longer than the weights themselves leaves nothing of where training began.
LEAP = 1.0
DEAD_LAYER, DEAD_ALL = 0.5, 0.25


@dataclass(frozen=True)
class Layer:
    """Norms of one layer's matrices at one step: gradient, weights, and the update over the weights (None: no step)."""

    gradient: float
    weights: float
    update: float | None


@dataclass(frozen=True)
class Sample:
    """What was seen at one step: the norm of the whole gradient before clipping, and each layer, the first ones first."""

    step: int
    norm: float
    layers: Mapping[str, Layer]


def judge_gradients(samples: Sequence[Sample], clip_norm: float) -> list[Finding]:
    """Return what the norms of the gradient say; `clip_norm` is the limit that the recipe sets, 0 for none.

    Source: Pascanu, Mikolov and Bengio 2013, sections 2 and 3 (exploding, vanishing, clipping); Glorot and Bengio 2010,
        section 4.2 (back-propagated gradients that shrink from layer to layer); He et al. 2015, section 2.2.
    """
    if not samples:
        return []
    return [*_exploding(samples), *_clipped(samples, clip_norm), *_vanishing(samples)]


def _exploding(samples: Sequence[Sample]) -> list[Finding]:
    largest = max(samples, key=lambda sample: sample.norm if isfinite(sample.norm) else inf)
    usual = median(sample.norm if isfinite(sample.norm) else inf for sample in samples)
    grown = largest.norm > GROWN * usual and largest.norm > GROWN / 10
    if isfinite(largest.norm) and largest.norm <= ENORMOUS and not grown:
        return []
    enormous = not isfinite(largest.norm) or largest.norm > ENORMOUS
    return [
        Finding(
            "exploding_gradients",
            "severe" if enormous else "warning",
            "The gradient explodes: its norm was {norm} at step {step}, and {usual} at most other steps. In a training "
            "that goes well it is about 1.",
            {"norm": largest.norm, "step": largest.step, "usual": usual},
            ("clip_norm", "initialise", "rate_down", "warm_up", "normalisation"),
        )
    ]


def _clipped(samples: Sequence[Sample], clip_norm: float) -> list[Finding]:
    norms = [sample.norm for sample in samples if isfinite(sample.norm)]
    if not clip_norm or not norms:
        return []
    share = sum(norm > clip_norm for norm in norms) / len(norms)
    usual = median(norms)
    if share < CLIPPED_SHARE or usual < CLIPPED_TIMES * clip_norm:
        return []
    return [
        Finding(
            "always_clipped",
            "warning",
            "{share} of the gradients looked at were clipped, most of them to a small part: the usual norm is {usual}, "
            "the limit {limit}. The limit, and no longer the loss, decides how long a step is.",
            {"share": share, "usual": usual, "limit": clip_norm},
            ("more_clip", "initialise", "normalisation"),
        )
    ]


def _vanishing(samples: Sequence[Sample]) -> list[Finding]:
    ratios = [ratio for sample in samples if (ratio := _faded(sample)) is not None]
    if not ratios or median(ratios) >= FADED:
        return []
    names = list(samples[0].layers)
    return [
        Finding(
            "vanishing_gradients",
            "severe",
            "The gradient vanishes on its way back: in the first layers ({first}) it is {ratio} of what it is in the "
            "last ones ({last}).",
            {"first": names[0], "last": names[-1], "ratio": median(ratios)},
            ("normalisation", "initialise", "shallower"),
        )
    ]


def _faded(sample: Sample) -> float | None:
    """Return the usual gradient of the first quarter of the layers over that of the last quarter."""
    norms = [layer.gradient for layer in sample.layers.values()]
    end = ceil(len(norms) / 4)
    last = median(norms[-end:]) if len(norms) >= FEWEST_LAYERS else 0.0
    if not all(map(isfinite, norms)) or not last:
        return None
    return median(norms[:end]) / last


def judge_updates(samples: Sequence[Sample]) -> list[Finding]:
    """Return whether the steps are far too long or far too short for the weights.

    Source: Karpathy, CS231n notes "Neural Networks Part 3", "Ratio of weights:updates": it should be around 1e-3.
    """
    # The usual layer of each step.
    usual = [median(found) for sample in samples if (found := _updates(sample))]
    if not usual:
        return []
    if max(usual) > LEAP:
        return [_length_of_steps("leap", max(usual), ("rate_fit", "warm_up", "clip_norm"))]
    if median(usual) > LONG:
        return [_length_of_steps("long_steps", median(usual), ("rate_fit", "warm_up", "clip_norm"))]
    if max(usual) < SHORT:
        return [_length_of_steps("short_steps", max(usual), ("rate_fit", "schedule"))]
    return []


def _updates(sample: Sample) -> list[float]:
    return [layer.update for layer in sample.layers.values() if layer.update is not None and isfinite(layer.update)]


def _length_of_steps(code: str, ratio: float, remedies: tuple[str, ...]) -> Finding:
    words = {
        "leap": "A single step changed the weights by {ratio} times their norm, and threw away what they were; about 0.001 is "
        "usual.",
        "long_steps": "The steps are too long: one changes the weights by {ratio} of their norm, where about 0.001 is usual.",
        "short_steps": "The steps are too short: even the longest changes the weights by {ratio} of their norm only, where "
        "about 0.001 is usual.",
    }
    return Finding(code, "severe", words[code], {"ratio": ratio}, remedies)


def judge_dead_units(dead: Mapping[str, tuple[int, int]]) -> list[Finding]:
    """Return whether units answer zero to every example; `dead` holds for each layer (dead units, units).

    Source: Maas, Hannun and Ng 2013, section 2 (units that never activate); Lu et al. 2019, "Dying ReLU and
        Initialization", section 2.
    """
    units = sum(total for _, total in dead.values())
    if not units:
        return []
    share = sum(count for count, _ in dead.values()) / units
    worst = max(dead, key=lambda name: dead[name][0] / dead[name][1])
    of_worst = dead[worst][0] / dead[worst][1]
    if of_worst < DEAD_LAYER and share < DEAD_ALL:
        return []
    return [
        Finding(
            "dead_units",
            "severe" if of_worst >= DEAD_LAYER else "warning",
            "{share} of the ReLU units answer zero to every example looked at and learn nothing any more; the worst "
            "layer is {layer} with {share_layer}.",
            {"share": share, "layer": worst, "share_layer": of_worst},
            ("rate_down", "initialise", "normalisation", "warm_up"),
        )
    ]
