"""Interpolated Kneser-Ney: what counting n-grams knows of the next token. The honest floor of a language model.

N tokens, S starts of documents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """The n-grams of one order: their numbers in order, how often each counts, and of each context what is taken off.

    `contexts` numbers the contexts in order; `total` counts what followed each, `distinct` how many kinds of it.
    """

    grams: Ints
    counts: Ints
    contexts: Ints
    total: Ints
    distinct: Ints
    discount: float


@dataclass(frozen=True)
class KneserNey:
    """A fitted model: `levels[k]` holds the n-grams of k + 1 tokens, whose contexts are the n-grams of k tokens.

    An n-gram is known by number: that of its first tokens among all such, times the vocabulary, plus its last token.
    """

    vocabulary: int
    levels: tuple[Level, ...]
    numbers: tuple[Ints, ...]


def fit(documents: list[Ints], vocabulary: int, order: int = 5) -> KneserNey:
    """Count the n-grams within documents; the first token of each is context only, and never predicted.

    Shapes: documents of (n,) int in [0, vocabulary) -> model
    Source: Kneser and Ney 1995, equation 9; Chen and Goodman 1999, equation 22 (interpolated), section 3.4 (discount
        n1 / (n1 + 2 n2)).
    """
    tokens, place = _joined(documents)
    numbers: list[Ints] = [np.zeros(1, dtype=np.int64)]
    code = np.zeros(len(tokens), dtype=np.int64)
    raw: list[tuple[Ints, Ints]] = []
    per_order: list[Ints] = []
    for length in range(1, order + 1):
        # The n-gram that ends at each token; -1 where the document has not so many tokens before it.
        code = _code(numbers[-1], code, tokens, place, length, vocabulary)
        grams, counts = np.unique(code[(code >= 0) & (place > 0)], return_counts=True)
        raw.append((grams, counts))
        # Every n-gram is a context of the next order, also one whose last token is never predicted.
        every = np.unique(code[code >= 0])
        per_order.append(code)
        numbers.append(every)
    levels = []
    for length in range(1, order + 1):
        grams, counts = raw[length - 1]
        if length < order:
            grams, counts = _continuations(per_order[length - 1], per_order[length], place, length)
        levels.append(_level(grams, counts, vocabulary))
    return KneserNey(vocabulary, tuple(levels), tuple(numbers))


def _joined(documents: list[Ints]) -> tuple[Ints, Ints]:
    tokens = np.concatenate([np.asarray(document, dtype=np.int64) for document in documents])
    place = np.concatenate([np.arange(len(document)) for document in documents])
    return tokens, place


def _code(contexts: Ints, before: Ints, tokens: Ints, place: Ints, length: int, vocabulary: int) -> Ints:
    """Return the number of the n-gram of `length` tokens that ends at each token, or -1."""
    if length == 1:
        return tokens.copy()
    shifted = np.concatenate([[-1], before[:-1]])
    at = np.searchsorted(contexts, shifted)
    at = np.minimum(at, len(contexts) - 1)
    known = (place >= length - 1) & (shifted >= 0) & (contexts[at] == shifted)
    return np.where(known, at * vocabulary + tokens, -1)


def _continuations(shorter: Ints, longer: Ints, place: Ints, length: int) -> tuple[Ints, Ints]:
    """Count for each n-gram how many different tokens stand before it; one at the beginning of a document counts as it is.

    Source: Kneser and Ney 1995, equation 9; Heafield et al. 2013, section 3 (beginnings keep their count).
    """
    _, first = np.unique(longer[longer >= 0], return_index=True)
    kinds = shorter[longer >= 0][first]
    beginnings = shorter[(longer < 0) & (shorter >= 0) & (place > 0)]
    return np.unique(np.concatenate([kinds, beginnings]), return_counts=True)


def _level(grams: Ints, counts: Ints, vocabulary: int) -> Level:
    contexts, start = np.unique(grams // vocabulary, return_index=True)
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    discount = once / (once + 2 * twice) if once else 0.5
    total = np.add.reduceat(counts, start) if len(counts) else counts
    distinct = np.diff(np.append(start, len(grams)))
    return Level(grams, counts, contexts, total, distinct, discount)


def score(model: KneserNey, document: Ints) -> Floats:
    """Return the probability of each token after the first, given those before it in the document.

    Shapes: document (n,) int -> (n - 1,) float
    Source: Chen and Goodman 1999, equation 22; a token that training has not seen has its share of 1 / vocabulary.
    """
    tokens, place = _joined([document])
    probability = np.full(len(tokens), 1 / model.vocabulary)
    code = np.zeros(len(tokens), dtype=np.int64)
    for length, level in enumerate(model.levels, 1):
        before = code
        code = _code(model.numbers[length - 1], before, tokens, place, length, model.vocabulary)
        if length == 1:
            context, there = np.zeros(len(tokens), dtype=np.int64), np.ones(len(tokens), dtype=bool)
        else:
            there = code >= 0
            context = np.where(there, code // model.vocabulary, -1)
        probability = _interpolated(level, code, context, there, probability)
        if length > 1:
            # What has not been seen is no context of anything longer either.
            at = np.minimum(np.searchsorted(model.numbers[length], code), len(model.numbers[length]) - 1)
            code = np.where((code >= 0) & (model.numbers[length][at] == code), code, -1)
    return probability[1:]


def _interpolated(level: Level, code: Ints, context: Ints, there: NDArray[np.bool_], lower: Floats) -> Floats:
    where = np.minimum(np.searchsorted(level.contexts, context), len(level.contexts) - 1)
    known = there & (level.contexts[where] == context)
    at = np.minimum(np.searchsorted(level.grams, code), len(level.grams) - 1)
    counts = np.where(level.grams[at] == code, level.counts[at], 0)
    total = level.total[where]
    seen = np.maximum(counts - level.discount, 0) / total
    left = level.discount * level.distinct[where] / total
    return np.where(known, seen + left * lower, lower)
