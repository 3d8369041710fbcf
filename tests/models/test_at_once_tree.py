"""A decision tree from arrays against scikit-learn's own answers, and as text."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import sklearn.tree
from made_tables import known, table

from modelwright.models.at_once_settings import Tree
from modelwright.models.rules import describe
from modelwright.models.tree import build


@pytest.fixture
def fitted(monkeypatch):
    """The scikit-learn models that were fitted, in order."""
    kept = []

    class Kept(sklearn.tree.DecisionTreeClassifier):
        def fit(self, *rest, **more):
            kept.append(self)
            return super().fit(*rest, **more)

    monkeypatch.setattr(sklearn.tree, "DecisionTreeClassifier", Kept)
    return kept


@pytest.mark.parametrize(
    ("numbers", "cardinalities", "classes"), [(3, [900, 6], 2), (2, [5, 40], 3), (4, [], 4), (0, [7], 2)]
)
@pytest.mark.parametrize(
    "changes", [{}, {"pruning": 0.004, "balanced": True}, {"criterion": "entropy", "depth": 12, "leaf_rows": 1}]
)
def test_equal_to_scikit_learn_on_old_and_new_rows(fitted, numbers, cardinalities, classes, changes):
    model = build(Tree(**changes), known(cardinalities, classes))
    old, targets = table(500, numbers, cardinalities, classes, 0, rare=[3, 5, 11])
    arrays = model.fit(old, targets, 1)
    new, _ = table(700, numbers, cardinalities, classes, 1)
    new["missing"][:50] = True
    for columns in (old, new):
        places, seen = [], np.cumsum([0, *cardinalities])
        for column, codes in enumerate(columns["codes"].T):
            places.append(arrays["places"][seen[column] : seen[column + 1]][codes])
        values = np.where(columns["missing"], np.nan, columns["numbers"])
        expected = fitted[0].predict_proba(np.column_stack([values, *places]).astype(np.float32))
        np.testing.assert_allclose(model.predict(arrays, columns), expected, rtol=0, atol=1e-12)
    assert np.isnan(arrays["places"][np.cumsum([0, *cardinalities])[:-1]]).all()
    assert (np.diff(arrays["roots"]) == 0).all()


def test_no_other_set_of_categories_splits_two_classes_better():
    columns, targets = table(300, 0, [8], 2, 3)
    arrays = build(Tree(depth=1, leaf_rows=1), known([8])).fit(columns, targets, 0)
    codes = columns["codes"][:, 0]
    codes_kept, targets_kept = codes[codes > 0], targets[codes > 0]
    shares = [targets_kept[codes_kept == code].mean() for code in range(1, 8)]
    assert list(np.argsort(shares, kind="stable")) == list(np.argsort(arrays["places"][1:], kind="stable"))

    # Without missing values, against every one of the 63 ways to divide seven categories.
    columns = {name: column[codes > 0] for name, column in columns.items()}
    model = build(Tree(depth=1, leaf_rows=1), known([8]))
    found = model.predict(model.fit(columns, targets_kept, 0), columns)[:, 1]

    def impurity(left):
        return sum(side.sum() * targets_kept[side].mean() * (1 - targets_kept[side].mean()) for side in (left, ~left))

    best = min(
        impurity(np.isin(codes_kept, chosen)) for size in (1, 2, 3) for chosen in combinations(range(1, 8), size)
    )
    assert impurity(found == found.max()) == pytest.approx(best, rel=1e-12)


COLUMNS = [
    {"name": "age", "type": "number", "mean": 40.0, "deviation": 10.0, "scale": "zscore"},
    {"name": "born", "type": "date", "mean": 3652.0, "deviation": 100.0, "scale": "zscore"},
    {
        "name": "pay",
        "type": "number",
        "mean": 0.0,
        "deviation": 1.0,
        "scale": "quantile",
        "quantiles": [0.0, 50.0, 1000.0],
    },
    {"name": "job", "type": "category", "categories": ["clerk", "smith", "baker"]},
]


def split_on(feature, column):
    """Fit a tree of one question on a table in which only one column says anything."""
    rows = 40
    columns = {
        "numbers": np.zeros((rows, 3), np.float32),
        "missing": np.zeros((rows, 3), bool),
        "codes": np.ones((rows, 1), np.int32),
    }
    if feature == "codes":
        columns["codes"][:, 0] = column
        targets = (columns["codes"][:, 0] == 2).astype(np.int64)
    elif feature == "missing":
        columns["missing"][::2, column] = True
        targets = (np.arange(rows) % 2).astype(np.int64)
    else:
        columns["numbers"][::4, column] = 1.0
        targets = (np.arange(rows) % 4 == 0).astype(np.int64)
    learnt = {"classes": ["no", "yes"], "cardinalities": [4], "columns": COLUMNS}
    model = build(Tree(depth=1, leaf_rows=1), learnt)
    return describe(model.fit(columns, targets, 0), learnt, [item["name"] for item in COLUMNS])


def test_rules_speak_in_the_units_of_the_data():
    assert (
        split_on("numbers", 0)
        == "age <= 45 or missing\n|   -> no (100.0% of 30 rows)\nage > 45\n|   -> yes (100.0% of 10 rows)\n"
    )
    assert "born <= 1980-02-20T00:00:00 or missing\n" in split_on("numbers", 1)
    assert "pay <= 413.779 or missing\n" in split_on("numbers", 2)


def test_rules_name_categories_and_missing_values():
    told = split_on("codes", [1, 2, 3, 1] * 10)
    assert "job is not smith\n|   -> no (100.0% of 30 rows)\njob is smith\n|   -> yes" in told
    told = split_on("codes", [1, 2, 3, 2] * 10)
    assert "job is there and not smith\n" in told
    assert "job is missing or smith\n" in told
    assert split_on("missing", 0).startswith("age is there\n|   -> yes (100.0% of 20 rows)\nage is missing\n|   -> no")


def test_rules_say_the_way_of_every_row():
    """Each row follows the questions of the text by hand and must reach the answer that the arrays give."""
    learnt = known([9, 5], 3)
    columns, targets = table(300, 2, [9, 5], 3, 0, rare=[4])
    model = build(Tree(depth=5, leaf_rows=3), learnt)
    arrays = model.fit(columns, targets, 0)
    others, _ = table(200, 2, [9, 5], 3, 1)
    lines = describe(arrays, learnt, ["n0", "n1", "c0", "c1"]).splitlines()
    answers = model.predict(arrays, others)
    for row in range(200):
        values = {
            f"n{place}": None if others["missing"][row, place] else others["numbers"][row, place] for place in range(2)
        }
        coded = {
            f"c{place}": f"category {code}" if code and code != 4 else None
            for place, code in enumerate(others["codes"][row])
        }
        label, share = follow(lines, values | coded)
        assert label == learnt["classes"][answers[row].argmax()]
        assert float(share) == pytest.approx(100 * answers[row].max(), abs=0.051)


def follow(lines, values):
    place, depth = 0, 0
    while True:
        text = lines[place].removeprefix("|   " * depth)
        if text.startswith("-> "):
            return text[3:].rsplit(" (", 1)[0], text.rsplit(" (", 1)[1].split("%")[0]
        if not text.startswith("|") and holds(text, values):
            place, depth = place + 1, depth + 1
        else:
            place += 1
            while lines[place].startswith("|   " * (depth + 1)):
                place += 1


def holds(question, values):
    name, verb, rest = question.split(" ", 2)
    value = values[name]
    if verb in ("<=", ">"):
        limit, _, missing = rest.partition(" or ")
        return bool(missing) if value is None else (value <= float(limit)) == (verb == "<=")
    if rest in ("there", "missing"):
        return (value is None) == (rest == "missing")
    for start, absent, inside in (
        ("missing or ", True, True),
        ("there and not ", False, False),
        ("not ", True, False),
        ("", False, True),
    ):
        if rest.startswith(start):
            listed = rest.removeprefix(start).removeprefix("one of ").split(", ")
            return absent if value is None else (value in listed) == inside
    raise AssertionError(question)


def test_the_names_must_be_as_many_as_the_columns():
    columns, targets = table(60, 2, [3], 2, 0)
    arrays = build(Tree(), known([3])).fit(columns, targets, 0)
    with pytest.raises(ValueError, match="found 2 names, expected 3"):
        describe(arrays, known([3]), ["a", "b"])


def test_with_more_classes_the_order_is_the_principal_component_of_the_shares():
    counts = np.array([[0, 0, 0], [56, 48, 24], [8, 6, 8], [2, 7, 0], [6, 4, 12], [36, 36, 48]])
    codes, targets = (np.repeat(found, counts.ravel()) for found in np.indices(counts.shape).reshape(2, -1))
    columns = {"numbers": np.zeros((len(codes), 0), np.float32), "missing": np.zeros((len(codes), 0), bool)}
    learnt = known([6], 3)
    arrays = build(Tree(), learnt).fit(columns | {"codes": codes[:, None].astype(np.int32)}, targets, 0)
    shares, rows = counts[1:] / counts[1:].sum(axis=1, keepdims=True), counts[1:].sum(axis=1)
    covariance = np.cov(shares, rowvar=False, fweights=rows)
    order = np.argsort(shares @ np.linalg.eigh(covariance)[1][:, -1])
    found = np.argsort(arrays["places"][1:])
    assert found.tolist() in (order.tolist(), order[::-1].tolist())
