"""Weighted n-grams and logistic regression: counted with whole numbers as keys, stored as arrays, answered by numpy.

Source: Salton and Buckley 1988, Term-weighting approaches in automatic text retrieval; the smooth inverse document
frequency and the normalisation are those of scikit-learn's TfidfVectorizer.
Dimensions: N texts, T tokens, G n-grams of all texts one after another, V n-grams of the vocabulary, P classes present.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError
from .at_once import Arrays, AtOnce, class_probabilities, present_classes
from .at_once_settings import Tfidf
from .logistic import solve

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# Texts that are answered at a time: bounds the memory of their n-grams.
TEXTS = 4096
# Knuth's multiplier of a 64-bit linear congruential generator: odd, and it spreads neighbouring numbers well.
SPREAD = 6_364_136_223_846_793_005


def build(settings: Tfidf, learnt: dict[str, Any]) -> AtOnce:
    """Return how the model is fitted and how it answers, for the vocabulary that preparation learnt."""
    longest = (3 if learnt.get("tokens") == "characters" else 2) if settings.ngrams == "auto" else settings.ngrams
    classes, size = len(learnt["classes"]), learnt["size"]
    return AtOnce(
        fit=lambda columns, targets, seed: fit(columns, targets, seed, settings, classes, size, longest),
        predict=lambda arrays, columns: predict(arrays, columns, settings, classes, size, longest),
    )


def fit(
    columns: Arrays, targets: np.ndarray, seed: int, settings: Tfidf, classes: int, size: int, longest: int
) -> Arrays:
    """Choose and weigh the n-grams, then solve the regression over them.

    Shapes: tokens (n, t) int32, length (n,) int32, targets (n,) int64 -> arrays

    Raises:
        DataError: fewer than two classes, or no n-gram occurs in enough texts.
        RecipeError: the solver did not converge.
    """
    present, renumbered = present_classes(targets, classes)
    keys_G, texts_G = keys_of(columns["tokens"], columns["length"], size, longest)
    keys_V, found_G = np.unique(keys_G, return_inverse=True)
    texts = len(targets)
    frequencies_V = np.bincount(_counts(found_G, texts_G, texts, len(keys_V)).indices, minlength=len(keys_V))
    kept_V = frequencies_V >= settings.least
    if not kept_V.any():
        raise DataError(
            f"no n-gram occurs in {settings.least} texts",
            where="data",
            expected="texts that share words",
            next_step="lower model.least",
        )
    arrays = {"keys": keys_V[kept_V], "idf": np.log((1 + texts) / (1 + frequencies_V[kept_V])) + 1}
    coefficients, intercept = solve(
        _weigh(arrays, keys_G, texts_G, texts, settings.sublinear), renumbered, settings, seed
    )
    return arrays | {"coefficients": coefficients, "intercept": intercept, "present": present}


def predict(arrays: Arrays, columns: Arrays, settings: Tfidf, classes: int, size: int, longest: int) -> np.ndarray:
    """Return the probability of each class; an n-gram that the model does not know counts for nothing.

    Shapes: tokens (n, t) int32, length (n,) int32 -> (n, classes) float64
    """
    answers = [np.zeros((0, classes))]
    for start in range(0, len(columns["tokens"]), TEXTS):
        tokens, length = columns["tokens"][start : start + TEXTS], columns["length"][start : start + TEXTS]
        keys_G, texts_G = keys_of(tokens, length, size, longest)
        weights_NV = _weigh(arrays, keys_G, texts_G, len(tokens), settings.sublinear)
        answers.append(
            class_probabilities(weights_NV @ arrays["coefficients"].T + arrays["intercept"], arrays["present"], classes)
        )
    return np.concatenate(answers)


def keys_of(tokens: np.ndarray, length: np.ndarray, size: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a number for every n-gram of up to `longest` tokens, and the text that it stands in.

    The number is the n-gram read in base `size + 1`, each token one higher, so that no two n-grams of whatever length
    share one. Only where that does not fit 64 bits is it a hash.

    Shapes: tokens (n, t) int, length (n,) int -> (grams,) uint64, (grams,) int64

    Raises:
        DataError: a token that the vocabulary does not have.
    """
    if tokens.size and (tokens.min() < 0 or tokens.max() >= size):
        raise DataError(
            f"found tokens from {tokens.min()} to {tokens.max()}",
            where="tokens",
            expected=f"numbers from 0 to {size - 1}",
        )
    base = np.uint64(size + 1 if (size + 1) ** longest < 2**64 else SPREAD)
    digits_NT = tokens.astype(np.uint64) + np.uint64(1)
    rolling_NT = digits_NT
    keys, texts = [], []
    for width in range(1, min(longest, tokens.shape[1]) + 1):
        if width > 1:
            rolling_NT = rolling_NT[:, :-1] * base + digits_NT[:, width - 1 :]
        there_NT = np.arange(rolling_NT.shape[1]) < length[:, None] - (width - 1)
        keys.append(rolling_NT[there_NT])
        texts.append(np.nonzero(there_NT)[0])
    return np.concatenate([*keys, np.zeros(0, np.uint64)]), np.concatenate([*texts, np.zeros(0, np.int64)])


def _weigh(arrays: Arrays, keys_G: np.ndarray, texts_G: np.ndarray, texts: int, sublinear: bool) -> csr_array:
    """Return the weight of each known n-gram in each text; the weights of a text have length one."""
    places_G = np.searchsorted(arrays["keys"], keys_G).clip(max=len(arrays["keys"]) - 1)
    known_G = arrays["keys"][places_G] == keys_G
    counts_NV = _counts(places_G[known_G], texts_G[known_G], texts, len(arrays["keys"]))
    frequencies = 1 + np.log(counts_NV.data) if sublinear else counts_NV.data
    weights = frequencies * arrays["idf"][counts_NV.indices]
    rows = np.repeat(np.arange(texts), np.diff(counts_NV.indptr))
    counts_NV.data = weights / np.sqrt(np.bincount(rows, weights=weights**2, minlength=texts))[rows]
    return counts_NV


def _counts(places_G: np.ndarray, texts_G: np.ndarray, texts: int, vocabulary: int) -> csr_array:
    from scipy.sparse import coo_array

    # From coordinates to rows, equal ones are added: that is the count.
    return coo_array((np.ones(len(places_G)), (texts_G, places_G)), shape=(texts, vocabulary)).tocsr()
