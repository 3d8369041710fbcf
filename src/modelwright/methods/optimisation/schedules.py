"""Learning-rate schedules as pure functions of the step: build one, then ask it for the factor at any step.

A factor multiplies the optimiser's own learning rate. Steps count from 0. After the last step of the run the factor
stays at its last value, so that a run that is continued does not jump.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable

from modelwright.core.units import Span

from . import settings as kinds

Factor = Callable[[int], float]


def count_steps(stretch: Span | float, total_steps: int, steps_per_epoch: int) -> int:
    """Return a part of a run in whole steps, at most the run itself.

    Units: stretch: epochs, steps or a share of the run -> steps
    Source: modelwright.core.units.Span; a share is rounded to the nearest step.
    """
    steps = stretch.steps(steps_per_epoch) if isinstance(stretch, Span) else round(stretch * total_steps)
    return min(steps, total_steps)


def build_constant(settings: kinds.ConstantSettings, total_steps: int, steps_per_epoch: int) -> Factor:
    """Build the schedule that stays at 1.

    Source: torch.optim.lr_scheduler.ConstantLR with factor 1.
    """
    return _after_warm_up(settings.warm_up, total_steps, steps_per_epoch, lambda step, steps: 1.0)


def build_step(settings: kinds.StepSettings, total_steps: int, steps_per_epoch: int) -> Factor:
    """Build the schedule that falls by a multiplier after every so many steps.

    Source: torch.optim.lr_scheduler.StepLR.
    """
    every = max(1, count_steps(settings.every, total_steps, steps_per_epoch))
    return _after_warm_up(
        settings.warm_up, total_steps, steps_per_epoch, lambda step, steps: settings.multiplier ** (step // every)
    )


def build_exponential(settings: kinds.ExponentialSettings, total_steps: int, steps_per_epoch: int) -> Factor:
    """Build the schedule that falls smoothly, by a multiplier over every so many steps.

    Source: torch.optim.lr_scheduler.ExponentialLR, which is this one with `every: 1 steps`.
    """
    every = max(1, count_steps(settings.every, total_steps, steps_per_epoch))
    return _after_warm_up(
        settings.warm_up, total_steps, steps_per_epoch, lambda step, steps: settings.multiplier ** (step / every)
    )


def build_linear(settings: kinds.LinearSettings, total_steps: int, steps_per_epoch: int) -> Factor:
    """Build the schedule that falls along a straight line.

    Source: torch.optim.lr_scheduler.LinearLR; Devlin et al. 2019 (BERT), appendix A.2, when there is a warm-up.
    """

    def factor(step: int, steps: int) -> float:
        return _between(1.0, settings.floor, step / steps)

    return _after_warm_up(settings.warm_up, total_steps, steps_per_epoch, factor)


def build_polynomial(settings: kinds.PolynomialSettings, total_steps: int, steps_per_epoch: int) -> Factor:
    """Build the schedule that falls as a power of the share of steps that are left.

    Source: torch.optim.lr_scheduler.PolynomialLR, when the floor is 0; Chen et al. 2018 (DeepLab), section 4.1.
    """

    def factor(step: int, steps: int) -> float:
        return _between(settings.floor, 1.0, (1.0 - step / steps) ** settings.power)

    return _after_warm_up(settings.warm_up, total_steps, steps_per_epoch, factor)


def build_cosine(settings: kinds.CosineSettings, total_steps: int, steps_per_epoch: int) -> Factor:
    """Build the schedule that falls along half a cosine, once or with restarts that fill the run.

    Source: Loshchilov and Hutter 2017 (SGDR), equation 5; torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.
    """
    cycles = settings.restarts + 1
    shares = [settings.growth**cycle for cycle in range(cycles)]

    def factor(step: int, steps: int) -> float:
        starts = [round(steps * sum(shares[:cycle]) / sum(shares)) for cycle in range(cycles)]
        # In a run shorter than its cycles several start together, and the last may start when the run is over.
        bounds = [start for start in starts if start < steps] + [steps]
        cycle = min(bisect_right(bounds, step), len(bounds) - 1) - 1
        return _cosine(1.0, settings.floor, (step - bounds[cycle]) / (bounds[cycle + 1] - bounds[cycle]))

    return _after_warm_up(settings.warm_up, total_steps, steps_per_epoch, factor)


def build_one_cycle(settings: kinds.OneCycleSettings, total_steps: int, steps_per_epoch: int) -> Factor:
    """Build the schedule that goes up to 1 and down to almost nothing, once.

    Source: Smith and Topin 2018, Super-Convergence; torch.optim.lr_scheduler.OneCycleLR with two phases.
    """
    bend = _cosine if settings.shape == "cosine" else _between
    start = 1.0 / settings.start_divisor
    peak = max(settings.rise * total_steps - 1.0, 0.0)
    last = max(total_steps - 1, 1)

    def factor(step: int) -> float:
        if step < peak:
            return bend(start, 1.0, step / peak)
        if step == peak:
            return 1.0
        return bend(1.0, start / settings.final_divisor, min(1.0, (step - peak) / (last - peak)))

    return factor


def build_wsd(settings: kinds.WsdSettings, total_steps: int, steps_per_epoch: int) -> Factor:
    """Build the schedule of three stretches: a rise, a plain, and a cool-down that ends with the run.

    Source: Hu et al. 2024 (MiniCPM), section 4; Haegele et al. 2024, section 3, for the square root.
    """
    cool_down = count_steps(settings.cool_down, total_steps, steps_per_epoch)

    def factor(step: int, steps: int) -> float:
        falling = min(cool_down, steps)
        share = (step - (steps - falling)) / falling if falling else 0.0
        if share <= 0:
            return 1.0
        if settings.shape == "cosine":
            return _cosine(1.0, settings.floor, share)
        return _between(1.0, settings.floor, math.sqrt(share) if settings.shape == "square_root" else share)

    return _after_warm_up(settings.warm_up, total_steps, steps_per_epoch, factor)


def _after_warm_up(
    warm_up: Span | float, total_steps: int, steps_per_epoch: int, factor: Callable[[int, int], float]
) -> Factor:
    """Put a linear rise before `factor(step, steps)`, which then counts its steps from the end of the rise.

    The rise is LinearLR's from 1 / (n + 1): no step is wasted at 0, and 1 is reached when the rise is over.
    """
    rising = count_steps(warm_up, total_steps, steps_per_epoch)
    steps = max(1, total_steps - rising)

    def warmed(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        return factor(min(step, total_steps) - rising, steps)

    return warmed


def _between(start: float, end: float, share: float) -> float:
    return start + (end - start) * share


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1.0 + math.cos(math.pi * share)) / 2.0
