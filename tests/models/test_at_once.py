"""What every model that is fitted at once must do, whatever it is."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from made_tables import known, table, texts
from safetensors.numpy import load_file, save_file

from modelwright.core.errors import DataError
from modelwright.models import boosting, logistic, tfidf, tree
from modelwright.models.at_once import class_probabilities
from modelwright.models.at_once_settings import Boosting, Logistic, Tfidf, Tree

CARDINALITIES = [4, 300]
BUILD = {"boosting": boosting.build, "tree": tree.build, "logistic": logistic.build, "tfidf": tfidf.build}
SETTINGS = {
    "boosting": Boosting(iterations=8, leaf_rows=5),
    "tree": Tree(depth=4),
    "logistic": Logistic(),
    "tfidf": Tfidf(),
}
KINDS = sorted(BUILD)
TABLES = [kind for kind in KINDS if kind != "tfidf"]


def make(kind, rows=120, classes=3, seed=0):
    return texts(rows, 9, 30, classes, seed) if kind == "tfidf" else table(rows, 2, CARDINALITIES, classes, seed)


def build(kind, classes=3, settings=None):
    return BUILD[kind](settings or SETTINGS[kind], known(CARDINALITIES, classes, size=30))


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_the_arrays_alone_answer_the_same_after_a_round_trip(self, kind, tmp_path):
        (columns, targets), (others, _) = make(kind), make(kind, seed=1)
        model = build(kind)
        arrays = model.fit(columns, targets, 0)
        assert all(array.flags.c_contiguous for array in arrays.values())
        save_file(arrays, tmp_path / "model.safetensors")
        again = load_file(tmp_path / "model.safetensors")
        answers = build(kind).predict(again, others)
        np.testing.assert_array_equal(answers, model.predict(arrays, others))
        assert answers.shape == (120, 3)
        assert answers.dtype == np.float64
        np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=0, atol=1e-12)
        assert (model.predict(arrays, columns).argmax(axis=1) == targets).mean() > 0.6

    def test_the_same_seed_gives_the_same_bytes(self, kind):
        columns, targets = make(kind)
        first, second = (build(kind).fit(columns, targets, 2**40 + 3) for _ in range(2))
        assert first.keys() == second.keys()
        assert all(first[name].tobytes() == second[name].tobytes() for name in first)

    def test_an_answer_ignores_its_neighbours(self, kind):
        columns, targets = make(kind)
        model = build(kind)
        arrays = model.fit(columns, targets, 0)
        together = model.predict(arrays, columns)
        alone = np.concatenate(
            [
                model.predict(arrays, {name: column[row : row + 1] for name, column in columns.items()})
                for row in range(9)
            ]
        )
        np.testing.assert_allclose(alone, together[:9], rtol=0, atol=1e-14)
        assert model.predict(arrays, {name: column[:0] for name, column in columns.items()}).shape == (0, 3)

    @pytest.mark.parametrize("left", [(0, 3), (1, 2, 4)])
    def test_a_class_that_is_absent_has_probability_zero(self, kind, left):
        columns, targets = make(kind, classes=len(left))
        model = build(kind, classes=5)
        answers = model.predict(model.fit(columns, np.asarray(left)[targets], 0), columns)
        plain = build(kind, classes=len(left))
        np.testing.assert_array_equal(answers[:, left], plain.predict(plain.fit(columns, targets, 0), columns))
        assert answers.sum(axis=0)[np.setdiff1d(range(5), left)].sum() == 0

    @pytest.mark.parametrize(
        ("value", "what"), [(1, "only one class"), (-1, "-1 is not a class"), (3, "3 is not a class")]
    )
    def test_targets_that_cannot_be_learnt_are_refused(self, kind, value, what):
        columns, targets = make(kind)
        targets = np.full_like(targets, 1) if value == 1 else np.where(np.arange(120) == 7, value, targets)
        with pytest.raises(DataError, match=what):
            build(kind).fit(columns, targets, 0)
        with pytest.raises(DataError, match="no row"):
            build(kind).fit({name: column[:0] for name, column in columns.items()}, targets[:0], 0)

    def test_balance_lifts_the_rare_class(self, kind):
        columns, targets = make(kind, rows=400, classes=2)
        kept = (targets == 0) | (np.arange(400) % 10 == 0)
        columns, targets = {name: column[kept] for name, column in columns.items()}, targets[kept]
        plain, balanced = (build(kind, 2, SETTINGS[kind].model_copy(update={"balanced": yes})) for yes in (False, True))
        means = [model.predict(model.fit(columns, targets, 0), columns)[:, 1].mean() for model in (plain, balanced)]
        assert means[1] > 1.1 * means[0]


@pytest.mark.parametrize("kind", TABLES)
class TestTables:
    def test_no_columns_are_refused_and_other_columns_too(self, kind):
        empty = {
            "numbers": np.zeros((9, 0), np.float32),
            "missing": np.zeros((9, 0), bool),
            "codes": np.zeros((9, 0), np.int32),
        }
        with pytest.raises(DataError, match="no columns"):
            BUILD[kind](SETTINGS[kind], known([])).fit(empty, np.arange(9) % 2, 0)
        columns, targets = make(kind)
        arrays = build(kind).fit(columns, targets, 0)
        for name in ("numbers", "codes"):
            with pytest.raises(DataError, match="columns of numbers"):
                build(kind).predict(arrays, columns | {name: columns[name][:, :1]})

    @pytest.mark.parametrize(("numbers", "cardinalities"), [(3, []), (0, [4]), (0, [300])])
    def test_either_sort_of_columns_is_enough(self, kind, numbers, cardinalities):
        columns, targets = table(200, numbers, cardinalities, 2, 0)
        model = BUILD[kind](SETTINGS[kind], known(cardinalities))
        answers = model.predict(model.fit(columns, targets, 0), columns)
        assert (answers.argmax(axis=1) == targets).mean() > 0.6

    def test_a_column_that_is_never_there_is_harmless(self, kind):
        columns, targets = make(kind)
        columns["missing"][:, 0], columns["codes"][:, 0] = True, 0
        model, (others, _) = build(kind), make(kind, seed=1)
        assert np.isfinite(model.predict(model.fit(columns, targets, 0), others)).all()

    def test_a_code_beyond_the_known_ones_is_an_unknown_one(self, kind):
        columns, targets = make(kind)
        arrays = build(kind).fit(columns, targets, 0)
        unknown, outside = columns["codes"].copy(), columns["codes"].copy()
        unknown[::2], outside[::2], outside[::4] = 0, 4000, -5
        answers = [build(kind).predict(arrays, columns | {"codes": codes}) for codes in (unknown, outside)]
        np.testing.assert_array_equal(*answers)


def test_answering_loads_no_scikit_learn(tmp_path):
    for kind in KINDS:
        columns, targets = make(kind)
        save_file(
            {f"a.{k}": v for k, v in build(kind).fit(columns, targets, 0).items()}
            | {f"c.{k}": v for k, v in columns.items()},
            tmp_path / kind,
        )
    script = f"""
import sys
from safetensors.numpy import load_file
from modelwright.models import at_once_settings, boosting, logistic, tfidf, tree
for kind in {KINDS}:
    held = load_file({str(tmp_path)!r} + "/" + kind)
    arrays, columns = ({{k[2:]: v for k, v in held.items() if k[0] == letter}} for letter in "ac")
    learnt = dict(classes=list("abc"), cardinalities={CARDINALITIES}, size=30)
    settings = getattr(at_once_settings, kind.capitalize())()
    assert globals()[kind].build(settings, learnt).predict(arrays, columns).shape == (120, 3)
assert not {{"sklearn", "torch"}} & set(sys.modules), "loaded"
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_scores_become_probabilities_without_overflow():
    scores = np.array([[-800.0], [0.0], [800.0]])
    answers = class_probabilities(scores, np.array([0, 2]), 3)
    np.testing.assert_allclose(answers, [[1, 0, 0], [0.5, 0, 0.5], [0, 0, 1]], rtol=1e-12)
    small = class_probabilities(np.array([[-60.0]]), np.array([0, 1]), 2)[0, 1]
    assert small == pytest.approx(np.exp(-60), rel=1e-12)
    many = class_probabilities(np.array([[1000.0, 1000.0, 0.0]]), np.arange(3), 3)
    np.testing.assert_allclose(many, [[0.5, 0.5, 0]], rtol=1e-12)
