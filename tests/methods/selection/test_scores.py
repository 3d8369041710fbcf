"""What each score puts first, on cases whose order is known."""

from __future__ import annotations

import numpy as np
import pytest

from modelwright.methods.selection.scores import apart, bald, entropy, furthest, margin


def test_the_undecided_come_first() -> None:
    scores = entropy(np.array([[1.0, 0.0], [0.5, 0.5], [0.9, 0.1]]))
    assert scores.argsort().tolist() == [0, 2, 1]
    assert scores[1] == pytest.approx(np.log(2))
    assert scores[0] == pytest.approx(0.0)


def test_two_likely_classes_are_a_narrow_margin() -> None:
    assert margin(np.array([[0.5, 0.5, 0.0], [0.2, 0.7, 0.1], [1.0, 0.0, 0.0]])) == pytest.approx([1.0, 0.5, 0.0])


def test_of_rows_that_are_alike_one_is_chosen() -> None:
    # Three places with ten rows each that score high, and a fourth that scores nothing.
    features = np.repeat(np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [50.0, 50.0]]), 10, axis=0)
    scores = np.concatenate([np.linspace(0.9, 1.0, 30), np.zeros(10)])
    chosen = apart(features, scores, 3, seed=1)
    assert sorted(row // 10 for row in chosen) == [0, 1, 2]
    assert chosen == apart(features, scores, 3, seed=1)
    assert sorted(apart(features, scores, 40, seed=1)) == list(range(40))
    assert len(apart(np.zeros((30, 2)), np.zeros(30), 3, seed=1)) == 3


def test_a_committee_that_is_undecided_together_disagrees_about_nothing() -> None:
    undecided = np.full((4, 1, 2), 0.5)
    opposed = np.array([[[1.0, 0.0]], [[0.0, 1.0]], [[1.0, 0.0]], [[0.0, 1.0]]])
    agreed = np.tile([[[0.9, 0.1]]], (4, 1, 1))
    assert bald(undecided) == pytest.approx(0.0)
    assert bald(agreed) == pytest.approx(0.0)
    assert bald(opposed) == pytest.approx(np.log(2))


def test_each_choice_is_far_from_all_that_came_before() -> None:
    features = np.array([[0.0], [0.1], [5.0], [5.1], [-9.0]])
    assert furthest(features, np.array([[0.0]]), 3) == [4, 3, 1]
    assert len(furthest(features, np.empty((0, 1)), 9)) == 5
    assert sorted(furthest(features, np.empty((0, 1)), 5)) == [0, 1, 2, 3, 4]
