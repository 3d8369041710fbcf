"""Boosted trees from arrays against scikit-learn's own answers."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import sklearn.ensemble
from made_tables import known, table
from sklearn.metrics import roc_auc_score

from modelwright.models.at_once_settings import Boosting
from modelwright.models.boosting import build


@pytest.fixture
def fitted(monkeypatch):
    """The scikit-learn models that were fitted, in order."""
    kept = []

    class Kept(sklearn.ensemble.HistGradientBoostingClassifier):
        def fit(self, *rest, **more):
            kept.append(self)
            return super().fit(*rest, **more)

    monkeypatch.setattr(sklearn.ensemble, "HistGradientBoostingClassifier", Kept)
    return kept


def as_scikit_learn_sees(columns, order):
    codes = columns["codes"][:, order].astype(float)
    codes[codes == 0] = np.nan
    return np.concatenate([codes, np.where(columns["missing"], np.nan, columns["numbers"].astype(float))], axis=1)


@pytest.mark.parametrize(
    ("numbers", "cardinalities", "order", "classes"),
    [(3, [900, 6, 256], [1, 2, 0], 2), (2, [5, 257, 40], [0, 2, 1], 3), (4, [], [], 4), (0, [7, 60], [0, 1], 2)],
)
@pytest.mark.parametrize("stopping", [0.0, 0.2])
def test_equal_to_scikit_learn_on_old_and_new_rows(fitted, numbers, cardinalities, order, classes, stopping):
    model = build(Boosting(iterations=25, leaf_rows=4, early_stopping=stopping), known(cardinalities, classes))
    old, targets = table(500, numbers, cardinalities, classes, 0, rare=[3, 5, 11, 30, 31, 32, 33])
    arrays = model.fit(old, targets, 1)
    new, _ = table(700, numbers, cardinalities, classes, 1)
    new["missing"][:50] = True
    for columns in (old, new):
        expected = fitted[0].predict_proba(as_scikit_learn_sees(columns, order))
        np.testing.assert_allclose(model.predict(arrays, columns), expected, rtol=0, atol=1e-12)
    assert (arrays["bitset"] >= 0).any() == any(count <= 256 for count in cardinalities)
    assert arrays["left"].max() < len(arrays["left"])


def test_stops_early_only_where_every_class_has_a_row_among_those_kept_aside():
    columns, targets = table(400, 2, [3], 2, 0)
    settings = Boosting(iterations=150, learning_rate=0.5, leaf_rows=2, patience=3)
    learnt = known([3], 3)
    rounds = len(build(settings, learnt).fit(columns, targets, 0)["roots"])
    assert rounds < 150
    # Five rows of a third class: a tenth of them is no row.
    rare = np.where(np.arange(400) < 5, 2, targets)
    settings = settings.model_copy(update={"iterations": 30})
    assert len(build(settings, learnt).fit(columns, rare, 0)["roots"]) == 90


def test_the_settings_matter():
    columns, targets = table(400, 3, [5], 2, 0)

    def arrays(**changes):
        settings = Boosting(iterations=5, early_stopping=0.0).model_copy(update=changes)
        return build(settings, known([5])).fit(columns, targets, 0)

    assert len(arrays(iterations=9)["roots"]) == 9
    assert len(arrays(leaves=4)["value"]) == 5 * 7
    assert np.abs(arrays(l2=100.0)["value"]).max() < np.abs(arrays()["value"]).max()
    assert np.abs(arrays(learning_rate=0.01)["value"]).max() < 0.2 * np.abs(arrays()["value"]).max()
    assert len(arrays(leaf_rows=100)["value"]) < len(arrays()["value"])


@pytest.fixture(scope="module")
def adult(shared_data):
    numbers, categories = (0, 2, 4, 10, 11, 12), (1, 3, 5, 6, 7, 8, 9, 13)

    def read(name):
        with open(shared_data / "adult" / name) as file:
            return [row for row in csv.reader(file, skipinitialspace=True) if len(row) == 15]

    train, test = read("adult.data"), read("adult.test")
    codes = [
        {value: code for code, value in enumerate(sorted({row[place] for row in train} - {"?"}), 1)}
        for place in categories
    ]

    def encode(rows):
        values = np.array([[float(row[place]) for place in numbers] for row in rows], np.float32)
        coded = [[code.get(row[place], 0) for code, place in zip(codes, categories, strict=True)] for row in rows]
        columns = {"numbers": values, "missing": np.zeros(values.shape, bool), "codes": np.array(coded, np.int32)}
        return columns, np.array([row[14].startswith(">50K") for row in rows], np.int64)

    return encode(train), encode(test), known([len(code) + 1 for code in codes])


def test_the_defaults_are_good_on_adult(adult):
    (columns, targets), (others, truth), learnt = adult
    model = build(Boosting(), learnt)
    answers = model.predict(model.fit(columns, targets, 0), others)
    assert roc_auc_score(truth, answers[:, 1]) > 0.925


def test_categories_that_only_the_rows_kept_aside_have_are_unknown_ones(fitted):
    columns, targets = table(2000, 1, [20], 2, 0, rare=range(1, 14))
    # Codes 2 to 13 once each: some of those rows are kept aside, and shift the numbers of the later categories.
    columns["codes"][:12, 0] = np.arange(2, 14)
    model = build(Boosting(iterations=10, early_stopping=0.3), known([20]))
    arrays = model.fit(columns, targets, 0)
    others, _ = table(400, 1, [20], 2, 1)
    expected = fitted[0].predict_proba(as_scikit_learn_sees(others, [0]))
    np.testing.assert_allclose(model.predict(arrays, others), expected, rtol=0, atol=1e-12)
    assert (arrays["bitset"] >= 0).any()
