"""Conversations as examples of language modelling: the whole of each is read, and only the answers in it are predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError
from .conversation import ANSWERS, TemplateRefuses, pieces, read_messages, render
from .options import CHOICES, read_options
from .ragged import Ragged
from .settings import Language
from .task import Examples
from .vocabulary import Vocabulary, learn_vocabulary

if TYPE_CHECKING:
    from ..sources.rows import Rows

# The column of conversations, and the key of what was learnt that says there were some; the column of which tokens count.
MESSAGES, COUNTED = "messages", "counted"
# Tokens, which of them count, and the characters and bytes of what counts.
Encoded = tuple[np.ndarray, np.ndarray, int, int]


def converse(rows: Rows, learnt: dict[str, Any] | None, settings: Language, base: Path) -> Examples:
    """Turn rows with a column `messages` into examples; without `learnt`, learn the vocabulary from these rows.

    A conversation that is longer than the model's length loses its beginning, which is furthest from the last answer.

    Raises:
        DataError: a cell holds no conversation, there is no template, or it does not take one of them.
    """
    cells = rows.columns[MESSAGES]
    conversations = [_read(cell, origin) for cell, origin in zip(cells, rows.origins, strict=True)]
    if learnt is None:
        texts = texts_of(conversations, settings.template)
        learnt = {
            **learn_vocabulary(texts, settings.tokens, settings.vocabulary, settings.least, base),
            "length": settings.length,
            MESSAGES: True,
        }
        if settings.template:
            learnt["template"] = settings.template
    require_template(learnt)
    vocabulary = Vocabulary(learnt)
    found = [
        encode_conversation(vocabulary, learnt, messages, origin)
        for messages, origin in zip(conversations, rows.origins, strict=True)
    ]
    examples = examples_of(found, learnt)
    if CHOICES not in rows.columns:
        return examples
    options = read_options(rows.columns[CHOICES], conversations, rows.origins, vocabulary)
    return replace(examples, columns={**examples.columns, **options})


def require_template(learnt: dict[str, Any]) -> None:
    """Check that messages can become a text.

    Raises:
        DataError: there is no template.
    """
    if not learnt.get("template"):
        raise DataError(
            "there is no template that makes a text of messages",
            where="task.template",
            expected="one, or task.tokens: hf:PATH of a model that has one",
        )


def ask(texts: Sequence[str], learnt: dict[str, Any]) -> Examples:
    """Return an example for each text, as what a user says; all that is predicted is what stands first in the answer.

    Raises:
        DataError: the template does not take a message of a user alone.
    """
    vocabulary = Vocabulary(learnt)
    found = []
    for text in texts:
        tokens = [*_said(text, learnt, vocabulary), vocabulary.end][-learnt["length"] - 1 :]
        counted = np.zeros(len(tokens), dtype=np.uint8)
        counted[-1] = 1
        found.append((np.asarray(tokens), counted, 0, 0))
    return examples_of(found, learnt)


def prompt_tokens(vocabulary: Vocabulary, prompt: str) -> list[int]:
    """Return the tokens of a text that asks for an answer: exactly those of the template, and the end if it has none."""
    return vocabulary.encode(prompt).tokens.tolist() or [vocabulary.end]


def tokens_before(text: str, learnt: dict[str, Any], vocabulary: Vocabulary) -> list[int]:
    """Return the tokens from which a model goes on when it is given a text: as what a user says, if it learnt conversations."""
    if learnt.get(MESSAGES):
        return _said(text, learnt, vocabulary)
    return [vocabulary.end, *vocabulary.encode(text).tokens.tolist()]


def _said(text: str, learnt: dict[str, Any], vocabulary: Vocabulary) -> list[int]:
    try:
        prompt = render(learnt["template"], [{"role": "user", "content": text}], learnt.get("specials"))
    except TemplateRefuses as error:
        raise DataError(str(error), where="task.template", expected="one that takes a message of a user") from None
    return prompt_tokens(vocabulary, prompt)


def texts_of(conversations: list[list[dict[str, str]]], template: str) -> list[str]:
    """Return the texts that a vocabulary is learnt from: with the words of the template, which are read, too."""
    try:
        return [render(template, messages, to_answer=False) for messages in conversations]
    except TemplateRefuses:
        # Whoever encodes them will say which row it was.
        return [item["content"] for messages in conversations for item in messages]


def _read(cell: Any, origin: str) -> list[dict[str, str]]:
    try:
        messages = read_messages(cell)
    except ValueError as error:
        raise DataError(
            f"this is no conversation: {error}",
            where=f"{origin}: {MESSAGES}",
            expected='a list such as [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]',
        ) from None
    if not any(item["role"] == ANSWERS for item in messages):
        raise DataError(
            "nobody answers in this conversation", where=f"{origin}: {MESSAGES}", expected=f"a message of {ANSWERS}"
        )
    return messages


def encode_conversation(
    vocabulary: Vocabulary, learnt: dict[str, Any], messages: list[dict[str, str]], origin: str, before: int = 0
) -> Encoded:
    """Return the tokens of a conversation, which of them are to be predicted, and the characters and bytes of the answers.

    Pieces are encoded one by one, as they are when a model is asked: what it is given then, and what it adds. Of answers among
    the first messages, `before` in number, none is predicted.
    """
    try:
        found = pieces(learnt["template"], messages, learnt.get("specials"))
    except TemplateRefuses as error:
        raise DataError(
            str(error),
            where=f"{origin}: {MESSAGES}",
            expected="messages that the template takes",
            next_step="mend the messages, or write task.template",
        ) from None
    tokens: list[int] = []
    counted: list[int] = []
    passed_over = sum(item["role"] == ANSWERS for item in messages[:before])
    for number, (text, answer) in enumerate(found):
        new = vocabulary.encode(text).tokens.tolist() if tokens or answer else prompt_tokens(vocabulary, text)
        # What stands behind the end of an answer is the template's, not the answer's.
        ends = len(new) - new[::-1].index(vocabulary.end) if vocabulary.end in new else len(new)
        tokens += new
        # Every second piece is an answer.
        counts = answer and number // 2 >= passed_over
        counted += [int(counts and place < ends) for place in range(len(new))]
    # Nothing that comes after the last answer is of any use; and an answer must end, whether the template says so or not.
    last = len(counted) - counted[::-1].index(1) if 1 in counted else 0
    if last and tokens[last - 1] != vocabulary.end:
        tokens[last:], counted[last:], last = [vocabulary.end], [1], last + 1
    kept = slice(max(0, last - learnt["length"] - 1), last)
    answers = [item["content"] for item in messages[before:] if item["role"] == ANSWERS]
    characters, in_bytes = sum(map(len, answers)), sum(len(text.encode("utf-8", "surrogatepass")) for text in answers)
    # Nothing stands before the first token that is read, so it cannot be predicted.
    return np.asarray(tokens[kept]), np.asarray([0, *counted[kept][1:]], dtype=np.uint8), characters, in_bytes


def examples_of(found: list[Encoded], learnt: dict[str, Any]) -> Examples:
    """Return what was encoded as examples, one for each."""
    kind = np.uint16 if learnt["size"] <= 1 << 16 else np.uint32
    lengths = np.asarray([len(tokens) for tokens, *_ in found], dtype=np.int64)
    stop = np.cumsum(lengths)
    start = stop - lengths
    values = np.concatenate([tokens for tokens, *_ in found]).astype(kind) if found else np.empty(0, kind)
    counted = np.concatenate([marks for _, marks, *_ in found]) if found else np.empty(0, np.uint8)
    columns = {
        "document": np.arange(len(found)),
        "characters": np.asarray([item[2] for item in found]),
        "bytes": np.asarray([item[3] for item in found]),
        "predicted": np.asarray([int(marks.sum()) for _, marks, *_ in found]),
    }
    return Examples(
        {
            "tokens": Ragged(values, start, stop),
            COUNTED: Ragged(counted, start, stop),
            **{name: column.astype(np.int32) for name, column in columns.items()},
            "target": np.full(len(found), -1, dtype=np.int64),
        },
        learnt,
    )
