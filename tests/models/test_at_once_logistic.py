"""Logistic regression over tables against scikit-learn on the same features written out."""

from __future__ import annotations

import numpy as np
import pytest
from made_tables import known, table
from sklearn.linear_model import LogisticRegression

from modelwright.core.errors import RecipeError
from modelwright.models.at_once_settings import Logistic
from modelwright.models.logistic import build


def written_out(columns, cardinalities):
    one_hot = [np.eye(count)[codes] for count, codes in zip(cardinalities, columns["codes"].T, strict=True)]
    return np.concatenate([columns["numbers"].astype(float), columns["missing"].astype(float), *one_hot], axis=1)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize(
    ("numbers", "cardinalities", "classes"), [(3, [4, 9], 2), (2, [5], 3), (4, [], 4), (0, [6, 3], 2)]
)
def test_equal_to_scikit_learn(numbers, cardinalities, classes, balanced):
    (old, targets), (new, _) = (table(300, numbers, cardinalities, classes, seed) for seed in (0, 1))
    targets = np.where(np.arange(300) < 60, 0, targets)
    model = build(Logistic(C=0.5, balanced=balanced), known(cardinalities, classes))
    arrays = model.fit(old, targets, 0)
    # Another solver, run until nothing moves: the minimum is one, whoever finds it.
    peer = LogisticRegression(C=0.5, class_weight="balanced" if balanced else None, tol=1e-10, max_iter=10_000)
    peer.fit(written_out(old, cardinalities), targets)
    np.testing.assert_allclose(
        model.predict(arrays, new), peer.predict_proba(written_out(new, cardinalities)), rtol=0, atol=1e-5
    )
    assert arrays["coefficients"].shape == (1 if classes == 2 else classes, 2 * numbers + sum(cardinalities))


def test_not_to_converge_is_an_error_and_never_silent():
    columns, targets = table(300, 3, [5], 2, 0)
    with pytest.raises(RecipeError, match="did not converge within 1 steps") as caught:
        build(Logistic(iterations=1), known([5])).fit(columns, targets, 0)
    assert "model.iterations" in str(caught.value)


def test_a_smaller_c_is_a_stronger_penalty():
    columns, targets = table(300, 3, [5], 2, 0)
    sizes = [
        np.abs(build(Logistic(C=c), known([5])).fit(columns, targets, 0)["coefficients"]).sum() for c in (0.01, 1.0)
    ]
    assert sizes[0] < 0.5 * sizes[1]
