"""Text classification."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError
from ..methods.cleaning.settings import CleanText
from ..methods.cleaning.tidy import tidy
from . import classification
from .settings import Text
from .task import Batch, Examples, Room, Task, fresh
from .tokens import encode, learn_tokens

if TYPE_CHECKING:
    from ..sources.rows import Rows

# Bytes of each text that are kept for people to read; models never see them.
EXCERPT = 320


def build(settings: Text, base: Path = Path()) -> Task:
    """Return the words of text classification."""
    return classification.task("text", lambda rows, learnt: examples(rows, learnt, settings, base), collate, render)


def examples(rows: Rows, learnt: dict[str, Any] | None, settings: Text, base: Path) -> Examples:
    """Turn rows with a column `text` into examples; without `learnt`, learn classes and vocabulary from these rows.

    Raises:
        DataError: there is no text.
    """
    texts = rows.columns.get("text")
    if texts is None:
        raise DataError(
            f"the data has no text, only {', '.join(rows.columns)}",
            where="data",
            expected="a column of text",
            next_step="name it: data.text: [COLUMN]",
        )
    # The same words as in training, whoever asks and however long ago the model was made.
    wanted = settings.clean.model_dump(mode="json") if learnt is None else learnt["clean"]
    texts = _tidied(texts, wanted)
    if learnt is None:
        learnt = {
            "classes": classification.learn_classes(rows.columns["label"]),
            "clean": wanted,
            **learn_tokens(texts, settings.tokens, settings.vocabulary, settings.least, settings.length, base),
        }
    tokens, lengths = encode(texts, learnt)
    excerpts = np.array([_excerpt(text) for text in texts], dtype=f"S{EXCERPT}")
    targets = classification.encode_targets(rows, learnt["classes"])
    return Examples({"tokens": tokens, "length": lengths, "excerpt": excerpts, "target": targets}, learnt)


def _tidied(texts: Sequence[str], wanted: dict[str, Any]) -> Sequence[str]:
    return texts if wanted == CleanText().model_dump(mode="json") else [tidy(text, wanted) for text in texts]


def _excerpt(text: str) -> bytes:
    return text.encode("utf-8", "replace")[:EXCERPT]


def collate(examples: Examples, indices: np.ndarray, room: Room = fresh) -> Batch:
    """Make a batch, cut to its longest text.

    Shapes: indices (b,) -> inputs.tokens (b, t) int64, inputs.length (b,) int64, targets (b,) int64
    """
    import torch

    columns = examples.columns
    length = classification.gather(room, "length", columns["length"], indices)
    longest = int(length.max())
    tokens = classification.gather(room, "tokens", columns["tokens"], indices)[:, :longest]
    target = classification.gather(room, "target", columns["target"], indices)
    inputs = {
        "tokens": torch.from_numpy(classification.convert(room, "token_numbers", tokens, np.int64)),
        "length": torch.from_numpy(classification.convert(room, "lengths", length, np.int64)),
    }
    return Batch(inputs, torch.from_numpy(target), indices)


def render(examples: Examples, index: int) -> dict[str, Any]:
    """Return the beginning of the text."""
    return {"text": bytes(examples.columns["excerpt"][index]).decode("utf-8", "ignore")}
