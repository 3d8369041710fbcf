"""SMOTE lies between examples of a class, leaves those that are there alone, and refuses what it cannot do by name."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from modelwright.core import registry
from modelwright.core.errors import MissingExtra, RecipeError
from modelwright.tasks.task import Examples


def table(*, codes: int = 0, numbers: int = 2, missing: bool = False, rare: int = 12) -> Examples:
    """Make a table of 60 frequent and some rare rows; rare rows lie around (5, 5, ...)."""
    generator = np.random.default_rng(0)
    targets = np.array([0] * 60 + [1] * rare, dtype=np.int64)
    values = generator.normal(size=(len(targets), numbers)).astype(np.float32) + 5 * targets[:, None].astype(np.float32)
    gaps = np.zeros(values.shape, dtype=np.bool_)
    if missing:
        gaps[:, 0] = generator.random(len(targets)) < 0.4
        values[gaps[:, 0], 0] = 0.25
    columns = {
        "numbers": values,
        "missing": gaps,
        "codes": generator.integers(0, 3, size=(len(targets), codes)).astype(np.int32),
        "target": targets,
    }
    return Examples(columns, {"classes": ["often", "rarely"]})


def smote(training: Examples, modality: str = "tabular", seed: int = 1, **keys: Any) -> Examples:
    chosen = registry.settings_of("resampling", "smote").model_validate({"kind": "smote", **keys})
    made: Examples = registry.function_of("resampling", "smote")(chosen, training, modality, seed)
    return made


@pytest.mark.parametrize("shape", [{}, {"codes": 2}, {"codes": 2, "numbers": 0}, {"missing": True, "codes": 1}])
def test_the_rare_class_grows_and_what_was_there_stays(shape: dict[str, Any]) -> None:
    training = table(**shape)
    made = smote(training, ratio=0.5)
    assert np.bincount(made.columns["target"]).tolist() == [60, 30]
    for name, column in training.columns.items():
        assert made.columns[name].dtype == column.dtype
        np.testing.assert_array_equal(made.columns[name][: len(training)], column)
        assert len(made.columns[name]) == 90
    assert (made.columns["target"][len(training) :] == 1).all()
    assert set(np.unique(made.columns["codes"])) <= {0, 1, 2}


def test_a_made_example_lies_between_two_of_its_class() -> None:
    training = table()
    made = smote(training).columns["numbers"][len(training) :]
    rare = training.columns["numbers"][60:]
    assert len(made) == 48
    assert len(np.unique(made, axis=0)) == 48
    for point in made:
        # On the line between some pair: the two distances add up to that of the pair.
        near = np.linalg.norm(rare - point, axis=1)
        between = np.linalg.norm(rare[:, None] - rare[None], axis=2)
        np.fill_diagonal(between, np.inf)
        assert np.abs(near[:, None] + near[None] - between).min() < 1e-4


def test_a_missing_number_stays_where_it_was_put() -> None:
    training = table(missing=True)
    made = smote(training)
    gaps = made.columns["missing"][:, 0]
    assert gaps[len(training) :].any()
    assert not gaps[len(training) :].all()
    assert (made.columns["numbers"][gaps, 0] == 0.25).all()
    assert not made.columns["missing"][:, 1].any()


def test_the_seed_decides() -> None:
    one, again, other = (smote(table(), seed=seed).columns["numbers"] for seed in (1, 1, 2**63))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("modality", ["image", "text"])
def test_other_tasks_are_refused_by_name(modality: str) -> None:
    with pytest.raises(RecipeError, match=rf"train\.resample: the task is {modality}"):
        smote(table(), modality)


def test_a_class_that_is_too_small_is_named() -> None:
    with pytest.raises(RecipeError, match="the class 'rarely' has 5 training examples, and each needs 5 neighbours"):
        smote(table(rare=5))
    assert len(smote(table(rare=5), neighbours=4)) == 120
    # A class that is large enough as it is needs no neighbours.
    assert len(smote(table(rare=3), ratio=0.05)) == 63


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imblearn.over_sampling", None)
    with pytest.raises(MissingExtra, match=r"modelwright\[data\]"):
        smote(table())


def test_none_changes_nothing() -> None:
    training = table()
    chosen = registry.settings_of("resampling", "none").model_validate({"kind": "none"})
    assert registry.function_of("resampling", "none")(chosen, training, "image", 1) is training
