"""Language modelling: each token of a document from those before it.

An example is a document, or a window of one that is longer than the model's length. The examples of a batch are packed
into rows; a token sees those of its own example alone, and the loss of an example is the mean over its own tokens. Of a
conversation only the tokens of the answers are predicted (tasks.chat). A pair of answers is the better one alone, until the
likelihoods of both under a reference are known: then it is two sequences (tasks.pairs).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..core.errors import DataError
from .chat import COUNTED, MESSAGES, ask, converse
from .pairs import REFERENCE, REJECTED, REJECTED_COUNTED, has_pairs, pair_up
from .ragged import Ragged
from .settings import Language
from .task import Batch, Examples, Room, Task, fresh
from .vocabulary import Vocabulary, learn_vocabulary

if TYPE_CHECKING:
    import torch

    from ..core.evidence import Evidence
    from ..sources.rows import Rows

# A target that is no token: the padding at the end of a row.
NOTHING = -100
# Characters of an example that are shown to people.
EXCERPT = 600


def build(settings: Language, base: Path = Path()) -> Task:
    """Return the words of language modelling."""
    return Task(
        "language",
        lambda rows, learnt: examples(rows, learnt, settings, base),
        collate,
        losses,
        sizes,
        predict,
        metrics,
        render,
    )


def examples(rows: Rows, learnt: dict[str, Any] | None, settings: Language, base: Path) -> Examples:
    """Turn rows with a column `text` into windows, with a column `messages` into conversations, with columns `chosen` and
    `rejected` into pairs of answers; without `learnt`, learn the vocabulary from these rows.

    Only the windows of the part that is learnt from may overlap: elsewhere each token is predicted once.

    Raises:
        DataError: there is no text and no conversation.
    """
    texts = rows.columns.get("text")
    if texts is None and has_pairs(rows.columns):
        return pair_up(rows, learnt, settings, base)
    if texts is None and MESSAGES in rows.columns:
        return converse(rows, learnt, settings, base)
    if texts is None:
        raise DataError(
            f"the data has no text, only {', '.join(rows.columns)}",
            where="data",
            expected="a column of text, one of conversations called messages, or two of answers called chosen and rejected",
            next_step="name it: data.text: [COLUMN], or read plain files by data.kind: text with label: none",
        )
    if learnt is not None and learnt.get(MESSAGES):
        return ask(texts, learnt)
    if settings.longest:
        texts = [text[: settings.longest] for text in texts]
    stride = settings.length
    if learnt is None:
        stride = settings.stride or settings.length
        learnt = {
            **learn_vocabulary(texts, settings.tokens, settings.vocabulary, settings.least, base),
            "length": settings.length,
        }
        if settings.template:
            learnt["template"] = settings.template
    return Examples(_windows(texts, learnt, stride), learnt)


def _windows(texts: Sequence[str], learnt: dict[str, Any], stride: int) -> dict[str, Any]:
    vocabulary, length = Vocabulary(learnt), learnt["length"]
    kind = np.uint16 if learnt["size"] <= 1 << 16 else np.uint32
    documents: list[np.ndarray] = []
    found: dict[str, list[np.ndarray]] = {
        name: [np.empty(0, np.int64)] for name in ("start", "stop", "document", "characters", "bytes")
    }
    before = 0
    for number, text in enumerate(texts):
        encoded = vocabulary.encode(text)
        tokens = np.concatenate([[vocabulary.end], encoded.tokens, [vocabulary.end]]).astype(kind)
        predictions = len(tokens) - 1
        count = 1 + max(0, -(-(predictions - length) // stride))
        start = np.arange(count) * stride
        stop = np.minimum(start + length, predictions)
        # Characters read before each token, and all of them with the end; in bytes alike.
        read = np.concatenate([[0], encoded.ends, [len(text)]])
        in_bytes = _bytes_before(text)[read]
        found["start"].append(before + start)
        found["stop"].append(before + stop + 1)
        found["document"].append(np.full(count, number))
        found["characters"].append(read[stop] - read[start])
        found["bytes"].append(in_bytes[stop] - in_bytes[start])
        documents.append(tokens)
        before += len(tokens)
    joined = {name: np.concatenate(parts) for name, parts in found.items()}
    values = np.concatenate(documents) if documents else np.empty(0, kind)
    windows = len(joined["start"])
    return {
        "tokens": Ragged(values, joined.pop("start"), joined.pop("stop")),
        **{name: column.astype(np.int32) for name, column in joined.items()},
        # Nobody labelled a text: what is to be predicted is the text.
        "target": np.full(windows, -1, dtype=np.int64),
    }


def _bytes_before(text: str) -> np.ndarray:
    """Return how many bytes of UTF-8 stand before each character, and how many there are in all."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    sizes = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
    return np.concatenate([[0], np.cumsum(sizes)])


def collate(examples: Examples, indices: np.ndarray, room: Room = fresh, frame: tuple[int, ...] | None = None) -> Batch:
    """Make a batch: its examples packed into as few rows as first fit, longest first, finds; or into a frame that has more.

    Shapes: indices (b,) -> inputs.tokens (r, t) int64, targets (r, t) int64; where a row holds several examples also
        inputs.document (r, t) int64, the place of the sequence in the batch, and inputs.position (r, t) int64, the place
        of the token in the sequence. A pair is two sequences, the better answer first, with reference (b, 2) float
    """
    import torch

    reference = examples.columns.get(REFERENCE)
    sides = [("tokens", COUNTED)] if reference is None else [("tokens", COUNTED), (REJECTED, REJECTED_COUNTED)]
    columns = [(cast(Ragged, examples.columns[tokens]), examples.columns.get(counted)) for tokens, counted in sides]
    lengths = (
        np.stack([tokens.stop[indices] - tokens.start[indices] - 1 for tokens, _ in columns], axis=1).ravel().tolist()
    )
    sequences = [(index, tokens, counted) for index in indices for tokens, counted in columns]
    places, filled = pack(lengths, examples.learnt["length"])
    shape = frame or (len(filled), max(filled))
    arrays = {name: room(name, shape, np.int64) for name in ("tokens", "targets", "document", "position")}
    packed = frame is not None or len(filled) < len(lengths)
    # What stands behind the last example of a row belongs to nobody: it sees only itself and its like.
    for name, nothing in (("tokens", 0), ("targets", NOTHING), ("document", len(lengths)), ("position", 0)):
        arrays[name].fill(nothing)
    for number, (sequence, length, (row, column)) in enumerate(zip(sequences, lengths, places, strict=True)):
        index, tokens, counted = sequence
        values = tokens.row(index)
        here = slice(column, column + length)
        arrays["tokens"][row, here] = values[:-1]
        arrays["targets"][row, here] = values[1:] if counted is None else _of_answers(values, counted.row(index))
        arrays["document"][row, here] = number
        arrays["position"][row, here] = np.arange(length)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    targets = tensors.pop("targets")
    inputs = tensors if packed else {"tokens": tensors["tokens"]}
    # Rows are not examples, so a part of the batch is packed anew.
    return Batch(
        inputs,
        targets,
        indices,
        lambda start, stop: collate(examples, indices[start:stop]),
        lambda places, frame: collate(examples, indices[places], frame=frame),
        None if reference is None else torch.from_numpy(np.asarray(reference[indices], dtype=np.float32)),
    )


def _of_answers(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return the targets of a conversation: what is not part of an answer is none."""
    return np.where(counted[1:], values[1:].astype(np.int64), NOTHING)


def pack(lengths: list[int], length: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the row and the column at which each example begins, and how far each row is filled.

    Where no two examples fit into a row, each has the row of its own number.

    Source: Johnson 1973, first fit decreasing; Krell et al. 2021, section 3.1, for its use on documents.
    """
    places = [(number, 0) for number in range(len(lengths))]
    shortest = sorted(lengths)[:2]
    if len(lengths) < 2 or sum(shortest) > length:
        return places, list(lengths)
    filled: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        wanted = lengths[number]
        row = next((row for row, there in enumerate(filled) if there + wanted <= length), len(filled))
        if row == len(filled):
            filled.append(0)
        places[number] = (row, filled[row])
        filled[row] += wanted
    return places, filled


def losses(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """Return the mean cross entropy of the tokens of each example.

    Shapes: batch of b -> (b,) float
    Units: nats a token
    """
    nats = model(**batch.inputs, targets=batch.targets)
    counts = sizes(batch).to(nats.device)
    return sum_by_sequence(batch, nats) / counts


def sizes(batch: Batch) -> torch.Tensor:
    """Return how many tokens of each example are predicted.

    Shapes: batch of b -> (b,) float
    """
    return sum_by_sequence(batch, (batch.targets != NOTHING).float())


def sum_by_sequence(batch: Batch, values_RT: torch.Tensor) -> torch.Tensor:
    """Sum the values of the tokens of each sequence; those of the padding are zero.

    Shapes: batch of s sequences, values (r, t) float -> (s,) float
    """
    if "document" not in batch.inputs:
        return values_RT.sum(dim=1)
    # One more place than there are sequences: the padding's.
    sums = values_RT.new_zeros(_sequences(batch) + 1)
    return sums.index_add(0, batch.inputs["document"].flatten(), values_RT.flatten())[:-1]


def _sequences(batch: Batch) -> int:
    return len(batch) * (1 if batch.reference is None else 2)


def predict(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """Return the probability of each token of the vocabulary to be the last one of each example, given those before it.

    Of a whole text the last one is its end: so this is what follows the text.

    Shapes: batch of b -> (b, vocabulary) float
    """
    import torch

    row, column = (batch.targets != NOTHING).nonzero(as_tuple=True)
    example = batch.inputs["document"][row, column] if "document" in batch.inputs else row
    places = torch.zeros(_sequences(batch), dtype=torch.int64, device=row.device)
    last = places.scatter_reduce(0, example, torch.arange(len(row), device=row.device), "amax")
    # Of a pair, after the better answer.
    last = last[:: len(last) // len(batch)]
    return model(**batch.inputs, only=(row[last], column[last])).float().softmax(dim=-1)


def metrics(targets: np.ndarray, answers: np.ndarray, resamples: int, confidence: float, seed: int) -> list[Evidence]:
    """Measure loss, perplexity and bits with bootstrap intervals; whole documents are resampled where there are enough.

    Shapes: targets (n, 4) int (tokens, characters, bytes, document of each example), answers (n, 1) float (nats a token)
        -> claims
    """
    from .language_metrics import measure

    return measure(targets, answers, resamples, confidence, seed)


def render(examples: Examples, index: int) -> dict[str, Any]:
    """Return the beginning of the text of an example."""
    tokens = cast(Ragged, examples.columns["tokens"]).row(index)
    return {"text": Vocabulary(examples.learnt).decode(tokens[1:].tolist())[:EXCERPT]}
