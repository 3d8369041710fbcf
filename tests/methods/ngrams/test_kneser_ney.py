"""Kneser-Ney against the textbook recursion on dictionaries, and against the law that probabilities sum to one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from modelwright.methods.ngrams.kneser_ney import KneserNey, fit, score

VOCABULARY, ORDER = 7, 4


def documents(seed: int) -> list[np.ndarray]:
    dice = np.random.default_rng(seed)
    return [np.concatenate([[0], dice.integers(1, 5, size=dice.integers(1, 9)), [0]]) for _ in range(40)]


@pytest.fixture(scope="module")
def model() -> KneserNey:
    return fit(documents(0), VOCABULARY, ORDER)


class Naive:
    """State: the counts of every order, as dictionaries."""

    def __init__(self, texts: list[np.ndarray]) -> None:
        raw: list[Counter[tuple[int, ...]]] = [Counter() for _ in range(ORDER + 1)]
        begins: list[Counter[tuple[int, ...]]] = [Counter() for _ in range(ORDER + 1)]
        for text in texts:
            for end in range(1, len(text)):
                for length in range(1, min(ORDER, end + 1) + 1):
                    gram = tuple(int(token) for token in text[end + 1 - length : end + 1])
                    raw[length][gram] += 1
                    begins[length][gram] += end + 1 == length
        self.counts: list[Counter[tuple[int, ...]]] = [Counter() for _ in range(ORDER + 1)]
        self.counts[ORDER] = raw[ORDER]
        for length in range(1, ORDER):
            for gram in raw[length + 1]:
                self.counts[length][gram[1:]] += 1
            for gram, count in begins[length].items():
                self.counts[length][gram] += count
            self.counts[length] = +self.counts[length]

    def probability(self, context: tuple[int, ...], token: int) -> float:
        """Return p(token | context) by the recursion of the paper."""
        length = len(context) + 1
        counts = self.counts[length]
        of_counts = Counter(counts.values())
        discount = of_counts[1] / (of_counts[1] + 2 * of_counts[2]) if of_counts[1] else 0.5
        lower = self.probability(context[1:], token) if context else 1 / VOCABULARY
        followed = {gram: count for gram, count in counts.items() if gram[:-1] == context}
        if not followed:
            return lower
        total = sum(followed.values())
        seen = max(followed.get((*context, token), 0) - discount, 0) / total
        return seen + discount * len(followed) / total * lower


def test_it_agrees_with_the_recursion(model: KneserNey) -> None:
    naive = Naive(documents(0))
    for text in [*documents(1)[:15], np.array([0, 6, 1, 2, 6, 0])]:
        expected = [
            naive.probability(tuple(int(token) for token in text[max(0, end + 1 - ORDER) : end]), int(text[end]))
            for end in range(1, len(text))
        ]
        np.testing.assert_allclose(score(model, text), expected, rtol=1e-12)


@pytest.mark.parametrize("context", [[0], [0, 1], [0, 3, 3, 1], [0, 6, 1], [0, 1, 2, 3, 4, 1, 2]])
def test_probabilities_sum_to_one(model: KneserNey, context: list[int]) -> None:
    total = sum(score(model, np.array([*context, token]))[-1] for token in range(VOCABULARY))
    assert total == pytest.approx(1, abs=1e-12)


def test_longer_contexts_know_more_of_text_that_has_structure() -> None:
    pattern = np.tile([1, 2, 1, 3, 1, 4], 30)
    texts = [np.concatenate([[0], pattern, [0]])]
    short, long = (np.log(score(fit(texts, VOCABULARY, order), texts[0])).mean() for order in (1, 5))
    assert long > short + 0.5
