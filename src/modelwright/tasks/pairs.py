"""Pairs of answers to one prompt, the better one and the other, as examples of language modelling.

The columns of the better answer are those of a conversation, so that whoever knows nothing of pairs sees that one. The other
lies beside it, and is read where the likelihoods of both under a reference are known (`with_reference`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError
from .chat import COUNTED, MESSAGES, Encoded, encode_conversation, examples_of, require_template, texts_of
from .conversation import ANSWERS, Message, read_messages
from .settings import Language
from .task import Examples
from .vocabulary import Vocabulary, learn_vocabulary

if TYPE_CHECKING:
    from ..sources.rows import Rows

# Columns of the data, and of the examples made from it: the other answer with what counts of it, and what a reference gives both.
PROMPT, CHOSEN, REJECTED = "prompt", "chosen", "rejected"
REJECTED_COUNTED, REFERENCE = "rejected_counted", "reference"
FORMS = (
    'a text or a list of messages under "prompt" with two such answers, or two whole conversations that begin alike; '
    "texts that are numbers need data.types: {chosen: text, rejected: text}"
)


@dataclass(frozen=True)
class Pair:
    """Two answers to one prompt, as messages, or as texts where nothing makes a text of messages."""

    prompt: list[Message] | str
    chosen: list[Message] | str
    rejected: list[Message] | str


def has_pairs(columns: Iterable[str]) -> bool:
    """Say whether rows or examples with these columns are pairs."""
    return {CHOSEN, REJECTED} <= set(columns) or REJECTED_COUNTED in columns


def pair_up(rows: Rows, learnt: dict[str, Any] | None, settings: Language, base: Path) -> Examples:
    """Turn rows with columns `chosen` and `rejected`, and most often `prompt`, into examples.

    Texts are what a user says and what is answered where there is a template, and plain texts elsewhere.

    Raises:
        DataError: a row is no pair, both answers are the same, or messages have no template.
    """
    prompts = rows.columns.get(PROMPT, rows.columns.get(MESSAGES, [None] * len(rows)))
    cells = zip(prompts, rows.columns[CHOSEN], rows.columns[REJECTED], rows.origins, strict=True)
    pairs = [_read(*row) for row in cells]
    if learnt is None:
        texts = [text for pair in pairs for text in _texts(pair, settings.template)]
        learnt = {
            **learn_vocabulary(texts, settings.tokens, settings.vocabulary, settings.least, base),
            "length": settings.length,
        }
        if settings.template:
            learnt["template"] = settings.template
        if learnt.get("template") or any(isinstance(pair.prompt, list) for pair in pairs):
            require_template(learnt)
            learnt[MESSAGES] = True
    vocabulary = Vocabulary(learnt)
    chosen, rejected = (
        [
            _encode(vocabulary, learnt, pair.prompt, getattr(pair, side), at)
            for pair, at in zip(pairs, rows.origins, strict=True)
        ]
        for side in (CHOSEN, REJECTED)
    )
    examples, others = examples_of(chosen, learnt), examples_of(rejected, learnt)
    beside = {REJECTED: others.columns["tokens"], REJECTED_COUNTED: others.columns[COUNTED]}
    return replace(examples, columns={**examples.columns, **beside})


def with_reference(examples: Examples, likelihoods: np.ndarray) -> Examples:
    """Return pairs of which the log-likelihoods under a reference are known, so that batches hold both answers.

    Shapes: n pairs, likelihoods (n, 2) float (chosen, rejected) -> n pairs
    """
    return replace(examples, columns={**examples.columns, REFERENCE: likelihoods})


def _read(prompt: Any, chosen: Any, rejected: Any, origin: str) -> Pair:
    found = [None if cell is None else _message_or_text(cell, origin) for cell in (prompt, chosen, rejected)]
    asked, better, other = found
    if better is None or other is None:
        raise _no_pair("an answer is missing", origin)
    if asked is None:
        asked, better, other = _begun_alike(better, other, origin)
    if isinstance(asked, list) or not isinstance(better, str) or not isinstance(other, str):
        pair = Pair(
            *(
                _as_messages(item, role)
                for item, role in zip((asked, better, other), ("user", ANSWERS, ANSWERS), strict=True)
            )
        )
    else:
        pair = Pair(asked, better, other)
    if pair.chosen == pair.rejected:
        raise _no_pair("both answers are the same", origin)
    for answer in (pair.chosen, pair.rejected):
        if not answer or (isinstance(answer, list) and all(item["role"] != ANSWERS for item in answer)):
            raise _no_pair(f"nobody answers: no message of {ANSWERS}", origin)
    return pair


def _message_or_text(cell: Any, origin: str) -> list[Message] | str:
    """Return the messages of a cell; what is no list of objects in JSON is a text."""
    if not isinstance(cell, str):
        raise _no_pair(f"{cell!r} is neither a text nor a list of messages", origin)
    try:
        value = json.loads(cell) if cell.lstrip()[:1] in ("[", "{") else None
    except ValueError:
        return cell
    value = [value] if isinstance(value, dict) else value
    if not value or not all(isinstance(item, dict) for item in value):
        return cell
    try:
        return read_messages(value)
    except ValueError as error:
        raise _no_pair(str(error), origin) from None


def _begun_alike(chosen: Any, rejected: Any, origin: str) -> tuple[Any, Any, Any]:
    """Take what two conversations have in common for the prompt."""
    if isinstance(chosen, str) or isinstance(rejected, str):
        raise _no_pair("there is no prompt", origin)
    pairs = enumerate(zip(chosen, rejected, strict=False))
    common = next((number for number, (one, other) in pairs if one != other), min(len(chosen), len(rejected)))
    if not common:
        raise _no_pair("the two conversations do not begin alike", origin)
    return chosen[:common], chosen[common:], rejected[common:]


def _as_messages(said: list[Message] | str, role: str) -> list[Message]:
    return [{"role": role, "content": said}] if isinstance(said, str) else said


def _texts(pair: Pair, template: str) -> list[str]:
    """Return the texts that a vocabulary is learnt from."""
    if isinstance(pair.prompt, str) and not template:
        return [f"{pair.prompt}{pair.chosen}", str(pair.rejected)]
    asked = _as_messages(pair.prompt, "user")
    return texts_of([[*asked, *_as_messages(answer, ANSWERS)] for answer in (pair.chosen, pair.rejected)], template)


def _encode(vocabulary: Vocabulary, learnt: dict[str, Any], prompt: Any, answer: Any, origin: str) -> Encoded:
    if learnt.get(MESSAGES):
        asked = _as_messages(prompt, "user")
        return encode_conversation(vocabulary, learnt, [*asked, *_as_messages(answer, ANSWERS)], origin, len(asked))
    if not isinstance(prompt, str):
        require_template(learnt)
    before = [vocabulary.end, *vocabulary.encode(prompt).tokens.tolist()]
    after = [*vocabulary.encode(answer).tokens.tolist(), vocabulary.end]
    kept = slice(max(0, len(before) + len(after) - learnt["length"] - 1), None)
    counted = np.asarray([0] * len(before) + [1] * len(after), dtype=np.uint8)[kept]
    # Nothing stands before the first token that is read, so it cannot be predicted.
    counted[0] = 0
    return np.asarray([*before, *after][kept]), counted, len(answer), len(answer.encode("utf-8", "surrogatepass"))


def _no_pair(found: str, origin: str) -> DataError:
    return DataError(f"this is no pair of answers: {found}", where=f"{origin}: {CHOSEN}, {REJECTED}", expected=FORMS)
