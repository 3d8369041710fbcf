"""What happens to classes that are absent, to one-class data, and to input that is not valid."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from modelwright.core.errors import DataError
from modelwright.methods.statistics.bootstrap import summarise, summarise_all, summarise_per_class
from modelwright.methods.statistics.catalogue import METRICS
from modelwright.methods.statistics.scored import score
from modelwright.methods.statistics.weights import unit_weights

TARGETS = np.array([0, 0, 1, 1])
# Class 2 is predicted once and never a target; class 3 is absent.
PROBABILITIES = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]])


def value(name, targets=TARGETS, probabilities=PROBABILITIES):
    return METRICS[name].function(targets, probabilities, unit_weights(len(targets)))[0]


def test_a_class_that_is_present_scores_zero_and_an_absent_one_has_no_value():
    np.testing.assert_array_equal(value("precision_per_class"), [1, 1, 0, np.nan])
    np.testing.assert_array_equal(value("recall_per_class"), [0.5, 1, 0, np.nan])
    np.testing.assert_array_equal(value("f1_per_class"), [2 / 3, 1, 0, np.nan])


def test_macro_averages_are_over_the_classes_present():
    assert value("recall_macro") == pytest.approx(1.5 / 3)
    assert value("precision_macro") == pytest.approx(2 / 3)
    assert value("balanced_accuracy") == pytest.approx(1.5 / 2)
    assert value("precision_weighted") == pytest.approx(1.0)


def test_areas_are_over_the_classes_that_have_positives_and_negatives():
    # Class 0: the positives score 0.7 and 0.1, both negatives 0.1: (2 + 1) / 4. Class 1: all pairs right.
    assert value("roc_auc") == pytest.approx((0.75 + 1) / 2)
    # Class 0: precision 1 at the first positive, 2/4 at the level that holds the second.
    assert value("pr_auc") == pytest.approx(((1 + 0.5) / 2 + 1) / 2)


def test_an_absent_class_gives_an_estimate_that_says_so():
    estimates = summarise_per_class(
        METRICS["f1_per_class"], TARGETS, PROBABILITIES, resamples=400, generator=np.random.default_rng(0)
    )
    absent = estimates[3]
    assert (absent.value, absent.low, absent.high, absent.resamples, absent.n) == (None, None, None, 0, 4)
    # Class 2 rests on one example, which (3/4)^4 = 32 of 100 resamples leave out.
    assert 0.6 < estimates[2].resamples / 400 < 0.76
    assert (estimates[2].low, estimates[2].high) == (0, 0)


def test_a_rare_positive_shortens_the_list_of_resamples_and_leaves_no_nan():
    targets = np.array([0] * 9 + [1])
    scores = np.linspace(0.1, 0.9, 10)
    found = summarise(
        METRICS["roc_auc"],
        targets,
        np.column_stack([1 - scores, scores]),
        resamples=500,
        generator=np.random.default_rng(1),
    )
    assert (found.value, found.low, found.high) == (1, 1, 1)
    assert found.resamples / 500 == pytest.approx(1 - 0.9**10, abs=0.07)


@pytest.mark.parametrize("classes", [2, 3])
def test_one_class_only(classes):
    probabilities = np.full((20, classes), 1 / classes)
    probabilities[:, 0] += 0.1
    probabilities[:, 1] -= 0.1
    found = summarise_all(np.zeros(20, int), probabilities, resamples=30, generator=np.random.default_rng(2))
    assert (found["accuracy"].value, found["accuracy"].low) == (1, 1)
    assert found["roc_auc"].value is None
    assert found["pr_auc"].value == (None if classes == 2 else 1)
    assert found["f1_macro"].value == 1
    assert found["f1_per_class"][1].value is None
    numbers = [e for entry in found.values() for e in (entry if isinstance(entry, tuple) else (entry,))]
    for estimate in numbers:
        for number in (estimate.value, estimate.low, estimate.high):
            assert number is None or np.isfinite(number)


def test_one_example_is_enough():
    found = summarise_all(np.array([1]), np.array([[0.2, 0.8]]), resamples=3, generator=np.random.default_rng(3))
    assert found["accuracy"].value == 1
    assert found["calibration_error"].value == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("targets", "probabilities", "message"),
    [
        (np.zeros(0, int), np.zeros((0, 3)), "no examples"),
        (np.zeros(2, int), np.full((3, 2), 0.5), "2 targets and 3 rows"),
        (np.array([0, 3]), np.full((2, 2), 0.5), "class 3 at row 1"),
        (np.array([0, -1]), np.full((2, 2), 0.5), "class -1 at row 1"),
        (np.array([0.0, 1.0]), np.full((2, 2), 0.5), "encode the labels"),
        (np.array([0, 1]), np.array([[0.5, 0.5], [np.nan, 0.5]]), "not finite at row 1"),
        (np.array([0, 1]), np.array([[np.inf, -np.inf], [0.5, 0.5]]), "not finite at row 0"),
        (np.array([0, 1]), np.array([[3.0, -2.0], [0.5, 0.5]]), "apply softmax to logits"),
        (np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.2]]), "row 1 adds up to 0.7"),
        (np.array([0, 1]), np.array([0.5, 0.5]), "pass both columns"),
        (np.array([0, 1]), np.array([[1, 0], [0, 1]]), "expected floats"),
    ],
)
def test_input_that_is_not_valid_is_refused(targets, probabilities, message):
    with pytest.raises(DataError, match=message):
        score(targets, probabilities)


@pytest.mark.parametrize(
    "weights",
    [
        np.ones(4),
        np.ones((1, 3)),
        np.zeros((1, 4)),
        np.full((2, 4), np.nan),
        -np.ones((1, 4)),
        [[np.inf, -np.inf, 1, 1]],
    ],
)
def test_weights_that_are_not_valid_are_refused(weights):
    with pytest.raises(DataError, match="weight"):
        METRICS["accuracy"].function(TARGETS, PROBABILITIES, weights)


def test_importing_loads_neither_torch_nor_scipy_nor_scikit_learn():
    names = "bootstrap, curves, calibration, intervals"
    code = f"""import sys; from modelwright.methods.statistics import {names}
print({{"torch", "scipy", "sklearn"}} & set(sys.modules))"""
    path = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path)
    assert done.stdout.strip() == "set()"
