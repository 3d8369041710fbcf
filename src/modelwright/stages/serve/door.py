"""How a modality is asked over HTTP: its tensors in the Open Inference Protocol, its simple form, and what can be hidden of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...tasks.task import Examples

Columns = dict[str, Any]
# name -> values of a tensor, in the shape that its specification has; BYTES as a list of str, bytes or None
Values = dict[str, Any]


@dataclass(frozen=True)
class Tensor:
    """One input or output tensor; -1 in the shape is any number of examples."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    # Whether null may stand for a missing value.
    nullable: bool = False


@dataclass(frozen=True)
class Hidden:
    """One part of an input that was hidden: what it is, and the columns of the input without it."""

    part: dict[str, Any]
    columns: Columns


@dataclass(frozen=True)
class Answers:
    """What a model answers, and how that is told."""

    tensors: tuple[Tensor, ...]
    # What an answer may be called in the feedback; the class, where there are classes.
    names: list[str]
    # predictor -> (examples -> answers, one each), in the model thread
    compute: Callable[[Any], Callable[[Examples], np.ndarray]]
    # answers -> values of the tensors
    values: Callable[[np.ndarray], Values]
    # one answer -> which of the names it has
    which: Callable[[np.ndarray], int]
    # one answer -> what is said of it
    tell: Callable[[np.ndarray], dict[str, Any]]
    # JSON Schema of what is said of one, beside its id.
    schema: dict[str, Any]
    # How much work examples are, in units that take about equally long.
    work: Callable[[Examples], int] = len
    # Where an answer is a file: the type of its content, and one answer -> its bytes.
    kind: str = ""
    file: Callable[[np.ndarray], bytes] | None = None


@dataclass(frozen=True)
class Door:
    """What the server knows of a modality."""

    # The key of the simple form: {"text": ...}, {"image": base64}, {"fields": {...}}.
    key: str
    tensors: tuple[Tensor, ...]
    # JSON Schema of what stands under the key.
    schema: dict[str, Any]
    # values of the tensors -> columns of rows
    from_tensors: Callable[[Values], Columns]
    # what stands under the key in each item, names of the items for messages -> columns of rows
    from_items: Callable[[list[Any], list[str]], Columns]
    # columns of one row -> the same without each of its parts
    hide: Callable[[Columns], list[Hidden]]
    # Something that may stand under the key, for whoever reads how to ask.
    example: Any
    # What a page needs to offer a form: for a table, the columns and their categories.
    form: tuple[dict[str, Any], ...] = ()
    # What is answered, where it is not the probabilities of classes.
    answers: Answers | None = None
    # Whether even a small input takes long to read, as a compressed picture may.
    slow: bool = False


def rows_in(columns: Columns) -> int:
    """Return how many rows columns have."""
    return len(next(iter(columns.values())))


def stacked(columns: list[Columns]) -> Columns:
    """Return the rows of several columns one after the other."""
    return {
        name: np.concatenate([part[name] for part in columns])
        if isinstance(columns[0][name], np.ndarray)
        else [value for part in columns for value in part[name]]
        for name in columns[0]
    }
