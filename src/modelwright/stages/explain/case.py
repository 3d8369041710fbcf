"""What is explained: the model, its view of the data, the two parts of the data that may be looked at, and what claims are about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core import registry
from ...core.stage import Context
from ...engine.dataset import read_part
from ...tasks.task import Examples
from .subject import Subject, open_subject
from .view import View


@dataclass(frozen=True)
class Case:
    """One model with the data that it is explained on; the test part stays closed."""

    subject: Subject
    view: View
    training: Examples
    validation: Examples
    about: dict[str, str]


def open_case(context: Context) -> Case:
    """Open the model and the data of a run."""
    settings, dataset = context.settings, context.inputs["dataset"]
    training, validation = (_resident(read_part(dataset.path, part)) for part in ("train", "validation"))
    subject = open_subject(context.inputs["model"].path)
    build = registry.function_of("view", subject.predictor.task.modality)
    about = {"model": context.inputs["model"].digest, "dataset": dataset.digest}
    return Case(subject, build(training, settings.hidden, settings.patches), training, validation, about)


def some_rows(examples: Examples, count: int, seed: int) -> np.ndarray:
    """Return at most so many rows, drawn at random, in their order."""
    return np.sort(np.random.default_rng(seed).permutation(len(examples))[:count])


def _resident(examples: Examples) -> Examples:
    """Hold the columns in memory: they are read many times."""
    return Examples({name: np.array(column) for name, column in examples.columns.items()}, examples.learnt)
