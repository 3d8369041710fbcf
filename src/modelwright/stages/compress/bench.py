"""What every step of compression works with, and the sentences that steps share."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ...core.errors import DamagedArtifact
from ...core.randomness import derive_seed
from ...engine.fine_tuning import fine_tune
from ...engine.loop import GradientRule
from ...engine.predictor import Predictor
from ...methods.compression.settings import LowRank, Prune
from ...tasks.task import Examples, Task

# A file must answer as its reference does, up to what the order of additions explains.
PARITY = 1e-4
# How many examples at once are tried, and how many in all.
BATCHES, PARITY_EXAMPLES = (1, 3, 17), 512


@dataclass(frozen=True)
class Bench:
    """The parts of the data that a step may see, never the test part; the task, a seed, and who hears of progress."""

    task: Task
    training: Examples
    validation: Examples
    seed: int
    # step, total, message; raises when somebody asks to stop
    tell: Callable[[int, int, str], None]
    place: str = ""


# settings, bench, folder of the model before, empty folder for the model after -> what the table says of the step
Step = Callable[[Any, Bench, Path, Path], dict[str, Any]]


def train_on(network: nn.Module, settings: Prune | LowRank, bench: Bench, rules: Sequence[GradientRule] = ()) -> int:
    """Train a network on after it was changed, in place, for as long as the step asks; return the number of steps."""
    return fine_tune(
        network,
        bench.task,
        bench.training,
        length=settings.fine_tune,
        batch=settings.batch,
        rate=settings.rate,
        seed=derive_seed(bench.seed, "fine_tune"),
        rules=rules,
        tell=lambda step, total: bench.tell(step, total, "fine-tuning"),
    )


def differences(bench: Bench, found: Predictor, reference: Predictor) -> np.ndarray:
    """Return how far apart two models are on some validation examples, which both see in batches of several sizes.

    Shapes: -> largest difference of a probability, for each example that was seen (n,) float
    """
    sample = bench.validation.take(np.arange(min(PARITY_EXAMPLES, len(bench.validation))))
    seen, start = [], 0
    for size in (*BATCHES, len(sample)):
        some = sample.take(np.arange(start, start + min(size, len(sample))) % len(sample))
        seen.append(np.abs(found.predict(some) - reference.predict(some)).max(axis=1))
        start += size
    return np.concatenate(seen)


def require_parity(bench: Bench, found: Predictor, reference: Predictor, what: str) -> float:
    """Compare a model with its reference; return the largest difference between their probabilities.

    Raises:
        DamagedArtifact: it is larger than the order of additions explains.
    """
    worst = float(differences(bench, found, reference).max())
    if not worst <= PARITY:
        raise DamagedArtifact(
            f"{what} differs by {worst:.2g} from its reference",
            where=bench.place,
            expected=f"at most {PARITY:g} in any probability; the model was refused",
            next_step="leave this step out, or choose another way",
        )
    return worst


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what libraries say to their own developers from the user's screen."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
