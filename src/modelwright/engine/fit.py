"""How the kept model does on examples that it learnt from, beside those that it did not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np

from ..methods.diagnosis.fit import Losses
from ..methods.diagnosis.gap import Gap, bootstrap_difference, bootstrap_mean
from ..tasks.ragged import Ragged
from ..tasks.task import Examples
from .predictor import Predictor, losses_in_batches

# Of each part: enough to tell a gap of a tenth of the spread of the losses from none.
EXAMPLES = 1000
# Of a language model: so many tokens of each part.
TOKENS = 65_536
# Of a generator, whose answers are large: so many pictures of each part.
PICTURES = 64


@dataclass(frozen=True)
class Fit:
    """Losses on equally many examples (`n`) of both parts, and the mean of confidence less being right on validation.

    Where there are no classes there is nothing to be right about.
    """

    losses: Losses
    confidence: Gap | None
    n: int


def draw_samples(training: Examples, validation: Examples, generator: np.random.Generator) -> Iterator[Examples]:
    """Yield a sample of each part, both of the same size; of a language model as many windows as hold so many tokens."""
    learnt = training.learnt
    most = PICTURES if "pixels" in learnt else EXAMPLES
    if "length" in learnt and "classes" not in learnt:
        most = max(1, min(EXAMPLES, TOKENS // learnt["length"]))
    n = min(len(training), len(validation), most)
    for part in (training, validation):
        yield part.take(np.sort(generator.permutation(len(part))[:n]))


def measure_fit(predictor: Predictor, training: Examples, validation: Examples, *, plain: bool, seed: int) -> Fit:
    """Ask a model about a sample of the training part and one of the validation part, of the same size.

    The training examples come as they are: not augmented, not mixed, not drawn by class.
    """
    generator = np.random.default_rng(seed)
    if "pixels" in predictor.learnt:
        return _measure_pictures(predictor, training, validation, plain, generator)
    if "classes" not in predictor.learnt:
        return _measure_language(predictor, training, validation, plain, generator)
    answers, targets = [], []
    for sample in draw_samples(training, validation, generator):
        n = len(sample)
        answers.append(predictor.predict(sample))
        targets.append(np.asarray(sample.columns["target"]))
    right = [answer[np.arange(n), target] for answer, target in zip(answers, targets, strict=True)]
    losses = [-np.log(np.maximum(probability, np.finfo(np.float64).tiny)) for probability in right]
    hits = [
        (answer.argmax(axis=1) == target).astype(np.float64) for answer, target in zip(answers, targets, strict=True)
    ]
    counts = np.bincount(np.asarray(training.columns["target"]))
    shares = counts[counts > 0] / counts.sum()
    measured = Losses(
        training=float(losses[0].mean()),
        validation=float(losses[1].mean()),
        training_accuracy=float(hits[0].mean()),
        validation_accuracy=float(hits[1].mean()),
        guessing=float(-(shares * np.log(shares)).sum()),
        gap=bootstrap_difference(losses[1], losses[0], generator=generator),
        plain=plain,
    )
    return Fit(measured, bootstrap_mean(answers[1].max(axis=1) - hits[1], generator=generator), n)


def _measure_language(
    predictor: Predictor, training: Examples, validation: Examples, plain: bool, generator: np.random.Generator
) -> Fit:
    """Measure losses by window, each counted alike; guessing knows how frequent each token of the training part is."""
    assert predictor.losses is not None, "what has no classes is trained by steps"
    samples = list(draw_samples(training, validation, generator))
    n = len(samples[0])
    losses = [predictor.losses(sample)[0] for sample in samples]
    counts = np.bincount(np.asarray(cast(Ragged, training.columns["tokens"]).values))
    shares = counts[counts > 0] / counts.sum()
    measured = Losses(
        training=float(losses[0].mean()),
        validation=float(losses[1].mean()),
        training_accuracy=None,
        validation_accuracy=None,
        guessing=float(-(shares * np.log(shares)).sum()),
        gap=bootstrap_difference(losses[1], losses[0], generator=generator),
        plain=plain,
    )
    return Fit(measured, None, n)


def _measure_pictures(
    predictor: Predictor, training: Examples, validation: Examples, plain: bool, generator: np.random.Generator
) -> Fit:
    """Measure the losses of a generator; guessing leaves every picture as it is."""
    assert predictor.losses is not None, "what has no classes is trained by steps"
    samples = list(draw_samples(training, validation, generator))
    losses = [predictor.losses(sample)[0] for sample in samples]
    alone, _ = losses_in_batches(lambda image: image, predictor.task, samples[0])
    measured = Losses(
        training=float(losses[0].mean()),
        validation=float(losses[1].mean()),
        training_accuracy=None,
        validation_accuracy=None,
        guessing=float(alone.mean()),
        gap=bootstrap_difference(losses[1], losses[0], generator=generator),
        plain=plain,
    )
    return Fit(measured, None, len(samples[0]))
