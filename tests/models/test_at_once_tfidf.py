"""Weighted n-grams against TfidfVectorizer and LogisticRegression on the same n-grams as text."""

from __future__ import annotations

import numpy as np
import pytest
from made_tables import texts
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from modelwright.core.errors import DataError
from modelwright.models import tfidf
from modelwright.models.at_once_settings import Tfidf


def learnt(classes, size=40, **more):
    return {"classes": list("abcdef")[:classes], "size": size, **more}


def ngrams_of(columns, longest):
    rows = [row[:length] for row, length in zip(columns["tokens"].tolist(), columns["length"], strict=True)]
    return [
        [" ".join(map(str, row[at : at + n])) for n in range(1, longest + 1) for at in range(len(row) - n + 1)]
        for row in rows
    ]


def pipeline(settings):
    vectoriser = TfidfVectorizer(analyzer=lambda grams: grams, min_df=settings.least, sublinear_tf=settings.sublinear)
    solver = LogisticRegression(
        C=settings.C,
        class_weight="balanced" if settings.balanced else None,
        solver="newton-cg",
        tol=1e-10,
        max_iter=1000,
    )
    return make_pipeline(vectoriser, solver)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(
    "settings",
    [
        Tfidf(ngrams=1),
        Tfidf(ngrams=2, C=3.0),
        Tfidf(ngrams=3, least=1, C=3.0),
        Tfidf(ngrams=2, least=4, sublinear=False, balanced=True),
    ],
    ids=str,
)
def test_equal_to_a_pipeline_of_scikit_learn(classes, settings, monkeypatch):
    # Both as near to the minimum as numbers allow, else each would be compared at its own distance from it.
    monkeypatch.setattr("modelwright.models.logistic.TOLERANCE", 1e-10)
    (old, targets), (new, _) = (texts(150, 12, 40, classes, seed) for seed in (0, 1))
    new["tokens"][:20] = np.where(new["tokens"][:20] > 0, 39, 0)
    model = tfidf.build(settings, learnt(classes))
    arrays = model.fit(old, targets, 0)
    peer = pipeline(settings).fit(ngrams_of(old, settings.ngrams), targets)
    for columns in (old, new):
        np.testing.assert_allclose(
            model.predict(arrays, columns), peer.predict_proba(ngrams_of(columns, settings.ngrams)), rtol=0, atol=1e-6
        )
    assert len(arrays["keys"]) == len(peer[0].vocabulary_)
    assert (np.diff(arrays["keys"].astype(object)) > 0).all()
    np.testing.assert_allclose(np.sort(arrays["idf"]), np.sort(peer[0].idf_), rtol=1e-14)


def test_a_hash_takes_over_where_numbers_do_not_fit(monkeypatch):
    columns, targets = texts(150, 12, 40, 3, 0)
    exact = tfidf.build(Tfidf(ngrams=4), learnt(3))
    hashed = tfidf.build(Tfidf(ngrams=4), learnt(3, size=2**20))
    first, second = exact.fit(columns, targets, 0), hashed.fit(columns, targets, 0)
    assert len(first["keys"]) == len(second["keys"])
    assert second["keys"].max() > 2**40
    np.testing.assert_allclose(exact.predict(first, columns), hashed.predict(second, columns), rtol=0, atol=1e-5)


def test_auto_means_three_for_characters_and_two_for_words():
    columns, targets = texts(150, 12, 40, 3, 0)
    for tokens, longest in (("characters", 3), ("words", 2), ("bpe", 2)):
        auto, plain = (
            tfidf.build(Tfidf(ngrams=n), learnt(3, tokens=tokens)).fit(columns, targets, 0) for n in ("auto", longest)
        )
        assert auto["keys"].tobytes() == plain["keys"].tobytes()


def test_no_two_ngrams_share_a_key_and_padding_is_in_none():
    tokens = np.array([[a, b, c] for a in range(5) for b in range(5) for c in range(5)], np.int32)
    keys, owners = tfidf.keys_of(tokens, np.full(125, 3, np.int32), 5, 3)
    grams = {tuple(row[at : at + n]) for row in tokens.tolist() for n in (1, 2, 3) for at in range(4 - n)}
    assert len(np.unique(keys)) == len(grams) == 5 + 25 + 125
    assert len(keys) == 125 * 6
    keys, owners = tfidf.keys_of(np.array([[3, 0, 0], [2, 4, 0]], np.int32), np.array([1, 2], np.int32), 5, 3)
    assert sorted(owners.tolist()) == [0, 1, 1, 1]
    assert keys.tolist() == [4, 3, 5, 3 * 6 + 5]


def test_padding_does_not_change_an_answer():
    columns, targets = texts(100, 12, 40, 3, 0)
    model = tfidf.build(Tfidf(), learnt(3))
    arrays = model.fit(columns, targets, 0)
    wider = columns | {"tokens": np.pad(columns["tokens"], ((0, 0), (0, 7)))}
    np.testing.assert_array_equal(model.predict(arrays, columns), model.predict(arrays, wider))


def test_a_text_without_a_known_ngram_gets_what_the_intercept_says():
    columns, targets = texts(100, 12, 40, 3, 0)
    model = tfidf.build(Tfidf(), learnt(3, size=99))
    arrays = model.fit(columns, targets, 0)
    answer = model.predict(arrays, {"tokens": np.array([[98, 97]], np.int32), "length": np.array([2], np.int32)})
    expected = np.exp(arrays["intercept"]) / np.exp(arrays["intercept"]).sum()
    np.testing.assert_allclose(answer[0], expected, rtol=1e-12)


def test_many_texts_are_answered_in_parts(monkeypatch):
    columns, targets = texts(100, 12, 40, 3, 0)
    model = tfidf.build(Tfidf(), learnt(3))
    arrays = model.fit(columns, targets, 0)
    whole = model.predict(arrays, columns)
    monkeypatch.setattr(tfidf, "TEXTS", 7)
    np.testing.assert_array_equal(model.predict(arrays, columns), whole)


def test_tokens_outside_the_vocabulary_and_texts_that_share_nothing_are_refused():
    columns, targets = texts(100, 12, 40, 3, 0)
    with pytest.raises(DataError, match="found tokens from 0 to"):
        tfidf.build(Tfidf(), learnt(3, size=20)).fit(columns, targets, 0)
    alone = {"tokens": np.arange(8, dtype=np.int32)[:, None], "length": np.ones(8, np.int32)}
    with pytest.raises(DataError, match="no n-gram occurs in 2 texts"):
        tfidf.build(Tfidf(), learnt(2)).fit(alone, np.arange(8) % 2, 0)
