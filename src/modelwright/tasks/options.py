"""Conversations as questions whose possible answers are listed row by row: exam papers, and not one question many times."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import DataError
from .conversation import ANSWERS, Message
from .ragged import Ragged
from .vocabulary import Vocabulary

# The column of the data; and those of examples: the tokens of a row's choices one after the other, how many are read when
# each has ended, the bytes of each, and which one is right (-1: the row lists none).
CHOICES, CHOICE_ENDS, CHOICE_BYTES, RIGHT = "choices", "choice_ends", "choice_bytes", "right"
EXPECTED = 'a list of at least two different texts, such as ["Paris", "Rome"], with the last answer among them'


def read_options(
    cells: Sequence[Any], conversations: Sequence[list[Message]], origins: Sequence[str], vocabulary: Vocabulary
) -> dict[str, Any]:
    """Return the columns that hold what may be answered in each row.

    Raises:
        DataError: a cell holds no choices, or the last answer of its row is none of them.
    """
    answers = [[item["content"] for item in messages if item["role"] == ANSWERS][-1] for messages in conversations]
    found = [
        [] if cell is None else _read(cell, answer, f"{origin}: {CHOICES}")
        for cell, answer, origin in zip(cells, answers, origins, strict=True)
    ]
    right = [choices.index(answer) if choices else -1 for choices, answer in zip(found, answers, strict=True)]
    tokens = [[vocabulary.encode(text).tokens.tolist() for text in choices] for choices in found]
    ends = [np.cumsum([len(item) for item in row], dtype=np.int64).tolist() for row in tokens]
    in_bytes = [[len(text.encode("utf-8", "surrogatepass")) for text in choices] for choices in found]
    return {
        CHOICES: _ragged([[number for item in row for number in item] for row in tokens]),
        CHOICE_ENDS: _ragged(ends),
        CHOICE_BYTES: _ragged(in_bytes),
        RIGHT: np.asarray(right, dtype=np.int32),
    }


def options_of(columns: dict[str, Any], index: int) -> list[list[int]]:
    """Return the tokens of each choice of a row."""
    tokens, ends = columns[CHOICES].row(index).tolist(), columns[CHOICE_ENDS].row(index).tolist()
    return [tokens[start:stop] for start, stop in zip([0, *ends], ends, strict=False)]


def _read(cell: Any, answer: str, where: str) -> list[str]:
    try:
        value = json.loads(cell) if isinstance(cell, str) else cell
    except ValueError:
        value = None
    texts = isinstance(value, list) and all(isinstance(item, str) and item for item in value)
    if not texts or len(set(value)) < max(2, len(value)):
        raise DataError(f"found {str(cell)[:60]!r}", where=where, expected=EXPECTED)
    if answer not in value:
        raise DataError(f"the last answer is {answer[:60]!r}", where=where, expected=EXPECTED)
    return list(value)


def _ragged(rows: list[list[int]]) -> Ragged:
    stop = np.cumsum([len(row) for row in rows], dtype=np.int64)
    start = stop - np.asarray([len(row) for row in rows], dtype=np.int64)
    return Ragged(np.asarray([number for row in rows for number in row], dtype=np.int32), start, stop)
