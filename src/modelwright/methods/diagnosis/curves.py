"""What the curves of a training say: a loss that does not fall, one that turns, one that lies flat, one still falling."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, log

from .finding import Finding

# A loss that stays above this share of its first value has not fallen: less is the noise of one batch.
FALLEN, RISEN = 0.9, 1.2
# A first loss above so many times that of equal odds: the first weights speak too loudly.
LOUD, VERY_LOUD = 2.0, 20.0
TURNED = 1.1
STILL_FALLING = 0.05
FLAT = 0.02
FEWEST = 6


def judge_start(first_loss: float, classes: int) -> list[Finding]:
    """Return whether the first loss is far above that of equal odds for every class.

    Source: Karpathy 2019, A Recipe for Training Neural Networks, "verify loss @ init": it should be ln(classes).
    """
    expected = log(classes)
    if isfinite(first_loss) and first_loss <= LOUD * expected:
        return []
    return [
        Finding(
            "loud_start",
            "severe" if not first_loss <= VERY_LOUD * expected else "warning",
            "The loss began at {first}, where first weights that know nothing give {expected}: the network is sure "
            "before it has seen anything.",
            {"first": first_loss, "expected": expected},
            ("initialise", "normalisation"),
        )
    ]


def judge_descent(first_loss: float, epoch_losses: Sequence[float], guessing: float) -> list[Finding]:
    """Return whether the training loss has not fallen from where it began; `guessing` is the entropy of the labels.

    Source: Goodfellow, Bengio and Courville 2016, section 8.2; section 11.5 (to reduce the training error comes first).
    """
    known = [loss for loss in epoch_losses if isfinite(loss)]
    if not known or not isfinite(first_loss):
        return []
    best = min(known)
    # A model that begins with weights from outside may have nothing left to fall.
    if best <= FALLEN * first_loss or best < guessing / 2:
        return []
    return [
        Finding(
            "loss_not_falling",
            "severe",
            "The training loss has hardly fallen: it began at {first} and its best epoch has {best}.",
            {"first": first_loss, "best": best},
            # A loss that rises has been stepped over; one that stays may have been stepped too little.
            ("rate_down", "warm_up", "normalisation", "initialise")
            if best > RISEN * first_loss
            else ("rate_up", "initialise", "rate_down", "normalisation"),
        )
    ]


def judge_curves(
    training: Sequence[tuple[float, float]], validation: Sequence[tuple[float, float]], *, kept_last: bool
) -> list[Finding]:
    """Return what the losses over steps say after the descent; points are (step, loss), `kept_last`: the last are kept.

    Source: Prechelt 1998, sections 2.1 and 2.2 (generalisation loss and progress, the criteria of early stopping);
        Goodfellow, Bengio and Courville 2016, section 7.8.
    """
    points = [(step, loss) for step, loss in validation if isfinite(loss)]
    if len(points) < FEWEST or min(loss for _, loss in points) <= 0:
        return []
    best = min(range(len(points)), key=lambda index: points[index][1])
    if points[-1][1] >= TURNED * points[best][1]:
        return [_turned(points[best], points[-1], kept_last)]
    fifth = points[-1 - max(1, len(points) // 5)]
    if points[-1][1] < (1 - STILL_FALLING) * fifth[1]:
        return [
            Finding(
                "still_falling",
                "note",
                "The validation loss was still falling when training ended: {before} at step {step_before}, {last} at "
                "step {step_last}.",
                {"before": fifth[1], "last": points[-1][1], "step_before": fifth[0], "step_last": points[-1][0]},
                ("longer", "rate_up"),
            )
        ]
    return _flat(training, points)


def _turned(best: tuple[float, float], last: tuple[float, float], kept_last: bool) -> Finding:
    words = "The validation loss turned: {best} at step {step_best}, {last} at the end (step {step_last})."
    if kept_last:
        words = (
            "The validation loss turned: {best} at step {step_best}, {last} at the end (step {step_last}). The last "
            "weights were kept, not the best ones."
        )
    return Finding(
        "validation_turned",
        "warning" if kept_last else "note",
        words,
        {"best": best[1], "step_best": best[0], "last": last[1], "step_last": last[0]},
        ("keep_best", "early_stopping", "weight_decay", "mixup", "dropout"),
    )


def _flat(training: Sequence[tuple[float, float]], points: list[tuple[float, float]]) -> list[Finding]:
    """Return since when nothing has moved, if that is the last 40 % of the run or more."""
    since = points[int(0.6 * len(points)) - 1][0]
    stretches = [[loss for step, loss in curve if step >= since] for curve in (points, training)]
    if any(len(losses) < 3 or _movement(losses) > FLAT for losses in stretches):
        return []
    return [
        Finding(
            "plateau",
            "note",
            "Nothing has moved since step {step_since}: the validation loss stays within {share_moved}.",
            {"step_since": since, "share_moved": _movement(stretches[0])},
            ("schedule", "early_stopping"),
        )
    ]


def _movement(losses: Sequence[float]) -> float:
    """Return how far the losses lie apart, as a share of the largest."""
    return (max(losses) - min(losses)) / max(max(losses), 1e-12)
