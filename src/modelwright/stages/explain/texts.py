"""The view of texts: tokens, neighbours together in a long text, and which words occur."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...methods.attribution.parts import runs
from ...tasks.task import Examples
from ...tasks.tokens import PADDING, RESERVED, UNKNOWN
from .view import Cut, View, repeated

# More parts than these are neither read nor asked about one by one.
PARTS, WORDS = 64, 500
# What tokenisers of others call a token that stands for one that is not known.
UNKNOWN_NAMES = ("[MASK]", "<mask>", "[UNK]", "<unk>")


def build(training: Examples, hidden: str, patches: int) -> View:
    """Return the view of texts in the tokens that the training part taught."""
    learnt = training.learnt
    spell = _spelling(learnt)
    padding = int(learnt.get("padding", PADDING))
    neutral = padding if hidden == "empty" else _unknown(learnt, padding)
    words = _frequent(training, padding)
    return View(
        cut=partial(_cut, spell=spell, neutral=neutral),
        read=partial(_read, words=words),
        names=tuple((f"without '{spell([word])}'", f"with '{spell([word])}'") for word in words.tolist()),
    )


def _cut(examples: Examples, index: int, spell: Any, neutral: int) -> Cut:
    example = examples.take(np.array([index]))
    tokens, length = np.asarray(example.columns["tokens"])[0], int(example.columns["length"][0])
    ends = runs(length, PARTS)
    labels = np.zeros(length, dtype=np.int64)
    for number, (first, last) in enumerate(ends):
        labels[first:last] = number

    def hide(masks: np.ndarray) -> Examples:
        changed = np.repeat(tokens[None], len(masks), axis=0)
        changed[:, :length] = np.where(masks[:, labels], tokens[:length], neutral)
        return repeated(example, len(masks), tokens=changed)

    parts = tuple(spell(tokens[first:last].tolist()) for first, last in ends)
    nothing = np.zeros((1, len(ends)), dtype=np.bool_)
    return Cut(example, hide(nothing), parts, hide, partial(_gather, labels=labels))


def _gather(inputs: dict[str, np.ndarray], labels: np.ndarray) -> tuple[np.ndarray, None]:
    tokens = sum(found[0].reshape(found.shape[1], -1).sum(axis=1) for found in inputs.values())
    return np.bincount(labels, weights=tokens[: len(labels)]), None


def _frequent(training: Examples, padding: int) -> np.ndarray:
    """Return the tokens that stand in most texts, but not in nearly all of them."""
    tokens = np.sort(np.asarray(training.columns["tokens"]), axis=1)
    first = np.concatenate([np.ones((len(tokens), 1), np.bool_), tokens[:, 1:] != tokens[:, :-1]], axis=1)
    counts = np.bincount(tokens[first], minlength=int(training.learnt["size"]))
    counts[[padding, PADDING, UNKNOWN]] = 0
    counts[counts > 0.9 * len(tokens)] = 0
    order = np.argsort(-counts, kind="stable")[:WORDS]
    return np.sort(order[counts[order] > 1])


def _read(examples: Examples, words: np.ndarray) -> np.ndarray:
    """Return 1 where a word stands in a text, else 0."""
    tokens = np.asarray(examples.columns["tokens"])
    place = np.searchsorted(words, tokens).clip(max=max(0, len(words) - 1))
    found = np.zeros((len(tokens), len(words)))
    if len(words):
        rows, columns = np.nonzero(words[place] == tokens)
        found[rows, place[rows, columns]] = 1.0
    return found


def _spelling(learnt: dict[str, Any]) -> Any:
    """Return what writes some tokens as text."""
    if "vocabulary" in learnt:
        vocabulary, between = learnt["vocabulary"], "" if learnt["tokens"] == "characters" else " "
        return lambda tokens: between.join(
            vocabulary[token - RESERVED] if token >= RESERVED else "[?]" for token in tokens
        )
    tokeniser = _tokeniser(learnt)
    return lambda tokens: (
        tokeniser.decode(tokens, skip_special_tokens=False).strip() or "".join(map(tokeniser.id_to_token, tokens))
    )


def _unknown(learnt: dict[str, Any], padding: int) -> int:
    if "vocabulary" in learnt or learnt["tokens"] == "bpe":
        return UNKNOWN
    numbers = (_tokeniser(learnt).token_to_id(name) for name in UNKNOWN_NAMES)
    return next((number for number in numbers if number is not None), padding)


def _tokeniser(learnt: dict[str, Any]) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(learnt["tokeniser"])
