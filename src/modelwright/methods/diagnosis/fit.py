"""Whether a model fits too much or too little: its losses on what it learnt from against those on what it did not."""

from __future__ import annotations

from dataclasses import dataclass

from .finding import Finding, Severity
from .gap import Gap

# Shares of the loss of a guesser that knows how frequent each class is. Works speak of "large" gaps and give no number;
# these are chosen so that a gap as wide as the noise of a few hundred examples stays below them.
GAP_NOTICED, GAP_SEVERE = 0.02, 0.25
NO_BETTER, WORSE, LITTLE_LEARNT = 0.97, 1.2, 0.7
CALIBRATION_NOTICED = 0.05

OVERFITTING = ("augment", "mixup", "dropout", "weight_decay", "label_smoothing", "early_stopping", "average", "smaller")


KNOWS_CLASSES = (
    "The model knows no more than how frequent each class is: loss {loss} on training examples, guessing {guessing}."
)
KNOWS_TOKENS = (
    "The model knows no more than how frequent each token is: loss {loss} on training examples, guessing {guessing}."
)
OVERFITTED = (
    "The model fits the examples that it learnt from better than others: its loss on validation examples is higher by "
    "{gap} nats (between {low} and {high})."
)
OVERFITTED_CLASSES = (
    "The model fits the examples that it learnt from better than others: its loss on validation examples is higher by "
    "{gap} nats (between {low} and {high}); accuracy {share_training} there, {share_validation} here."
)


@dataclass(frozen=True)
class Losses:
    """Mean losses (nats) and accuracies of the kept model on a sample of the training part and on the validation part.

    A language model has no accuracies, and its classes are its tokens.

    `guessing` is the loss of a guesser that knows how frequent each class is: the entropy of the labels. `plain` is
    false where training did not minimise the plain loss (weights, focal, drawing by class), so that a loss above
    guessing need not mean that nothing was learnt.
    """

    training: float
    validation: float
    training_accuracy: float | None
    validation_accuracy: float | None
    guessing: float
    gap: Gap
    plain: bool = True


def judge_fit(losses: Losses) -> list[Finding]:
    """Return what the losses on both parts say: overfitting, underfitting, or nothing learnt.

    Source: Goodfellow, Bengio and Courville 2016, section 5.2 (the two ways to fail: training error too high, gap too
        large); the entropy of the labels as the loss of a constant answer, Cover and Thomas 2006, section 2.1.
    """
    if losses.guessing <= 0:
        return []
    if losses.plain and losses.training >= NO_BETTER * losses.guessing:
        return [
            Finding(
                "no_better_than_guessing",
                "severe",
                KNOWS_TOKENS if losses.training_accuracy is None else KNOWS_CLASSES,
                {"loss": losses.training, "guessing": losses.guessing},
                ("rate_down", "initialise", "normalisation")
                if losses.training > WORSE * losses.guessing
                else ("initialise", "rate_up", "rate_down", "wider"),
            )
        ]
    if losses.gap.low > GAP_NOTICED * losses.guessing:
        return [_overfitting(losses)]
    little = losses.plain and losses.training > LITTLE_LEARNT * losses.guessing
    if little and losses.gap.value < GAP_NOTICED * losses.guessing:
        return [
            Finding(
                "underfitting",
                "warning",
                "The model does little better than guessing even on examples it learnt from: loss {loss}, guessing "
                "{guessing}; and no worse on others. It is too small, or was not trained long enough.",
                {"loss": losses.training, "guessing": losses.guessing},
                ("wider", "longer", "rate_up", "less_dropout", "less_decay"),
            )
        ]
    return []


def _overfitting(losses: Losses) -> Finding:
    words = OVERFITTED
    numbers = {"gap": losses.gap.value, "low": losses.gap.low, "high": losses.gap.high}
    if losses.training_accuracy is not None and losses.validation_accuracy is not None:
        words = OVERFITTED_CLASSES
        numbers |= {"share_training": losses.training_accuracy, "share_validation": losses.validation_accuracy}
    severity: Severity = "severe" if losses.gap.low > GAP_SEVERE * losses.guessing else "warning"
    return Finding("overfitting", severity, words, numbers, OVERFITTING)


def judge_confidence(gap: Gap) -> list[Finding]:
    """Return whether the model is surer than it is right; `gap` is the mean of confidence less being right.

    Source: Guo et al. 2017, section 2 (miscalibration) and section 3 (overfitting of the log loss as its cause).
    """
    if gap.low > CALIBRATION_NOTICED:
        return [
            Finding(
                "overconfident",
                "warning",
                "On validation examples the model is surer than it is right, by {share_gap} on average (between "
                "{share_low} and {share_high}).",
                {"share_gap": gap.value, "share_low": gap.low, "share_high": gap.high},
                ("label_smoothing", "mixup", "weight_decay", "early_stopping"),
            )
        ]
    if gap.high < -CALIBRATION_NOTICED:
        return [
            Finding(
                "underconfident",
                "note",
                "On validation examples the model is right more often than it is sure, by {share_gap} on average "
                "(between {share_low} and {share_high}).",
                {"share_gap": -gap.value, "share_low": -gap.high, "share_high": -gap.low},
                ("no_smoothing", "longer"),
            )
        ]
    return []
