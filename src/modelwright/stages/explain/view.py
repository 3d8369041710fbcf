"""What the stage knows of a modality: into which parts an example is cut, and which features people can read in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...tasks.task import Examples
from .subject import Subject

# Names of both answers, where a feature is there or not: ("sex is not Male", "sex is Male"); ("", "age") of a number.
Name = tuple[str, str]


@dataclass(frozen=True)
class Cut:
    """One example and its parts.

    `neutral` is the example with every part hidden. `gather` turns numbers for the inputs of a network, by name and with the
    outputs of embeddings in the place of what they embed, into numbers of the parts and, for a picture, of its pixels.
    """

    example: Examples
    neutral: Examples
    parts: tuple[Any, ...]
    # masks (m, parts), True where a part is shown -> m examples
    hide: Callable[[np.ndarray], Examples]
    gather: Callable[[dict[str, np.ndarray]], tuple[np.ndarray, np.ndarray | None]]

    def asked(self, subject: Subject, target: int) -> Callable[[np.ndarray], np.ndarray]:
        """Return the probability of a class as a function of which parts are shown."""
        return lambda masks: subject.predictor.predict(self.hide(masks))[:, target]


@dataclass(frozen=True)
class View:
    """The parts and the readable features of a modality."""

    cut: Callable[[Examples, int], Cut]
    # examples -> (n, features) float
    read: Callable[[Examples], np.ndarray]
    names: tuple[Name, ...]
    # Tables only: examples, from which row each column of each row is taken -> examples
    deal: Callable[[Examples, np.ndarray], Examples] | None = None
    # Tables only: examples, which columns are shown (columns,) -> examples
    veil: Callable[[Examples, np.ndarray], Examples] | None = None


class Build(Protocol):
    """How a modality makes its view, from what preparation learnt and the training part."""

    def __call__(self, training: Examples, hidden: str, patches: int) -> View: ...


def repeated(examples: Examples, times: int, **changed: np.ndarray) -> Examples:
    """Return one example so many times, with some columns changed."""
    columns = {
        name: np.repeat(column, times, axis=0) for name, column in examples.columns.items() if name not in changed
    }
    return Examples({**columns, **changed}, examples.learnt)
