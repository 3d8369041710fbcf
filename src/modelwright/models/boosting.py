"""Boosted trees: found by scikit-learn, stored as arrays, answered by numpy.

Source: Friedman 2001, Greedy function approximation: a gradient boosting machine; Ke et al. 2017, LightGBM.
Dimensions: N rows, F columns, T trees, P classes present (1 column of scores where two are).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .at_once import SEEDS, Arrays, AtOnce, check_table, class_probabilities, known_codes, present_classes
from .at_once_settings import Boosting
from .forest import CODES, leaves_of


def build(settings: Boosting, learnt: dict[str, Any]) -> AtOnce:
    """Return how boosted trees are fitted and how they answer, for the columns that preparation learnt."""
    classes, cardinalities = len(learnt["classes"]), learnt["cardinalities"]
    return AtOnce(
        fit=lambda columns, targets, seed: fit(columns, targets, seed, settings, classes, cardinalities),
        predict=lambda arrays, columns: predict(arrays, columns, classes, cardinalities),
    )


def fit(
    columns: Arrays, targets: np.ndarray, seed: int, settings: Boosting, classes: int, cardinalities: list[int]
) -> Arrays:
    """Grow the trees and return their nodes.

    A column of at most 256 codes is split by sets of categories, a longer one by the order of its codes.

    Shapes: numbers (n, k) float32, missing (n, k) bool, codes (n, m) int32, targets (n,) int64 -> arrays

    Raises:
        DataError: there is no column, or fewer than two classes.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.utils.class_weight import compute_sample_weight

    check_table(columns, cardinalities)
    present, renumbered = present_classes(targets, classes)
    order, by_set = _order(cardinalities)
    codes = known_codes(columns["codes"], cardinalities)[:, order]
    values_NF = _table(columns, codes, 0)
    grown, watched = _split(renumbered, settings.early_stopping, seed)
    # A column that is never there cannot be cut into bins; one that never varies is not split.
    values_NF[:, np.isnan(values_NF[grown]).all(axis=0)] = 0.0
    weights = compute_sample_weight("balanced" if settings.balanced else None, renumbered)
    model = HistGradientBoostingClassifier(
        max_iter=settings.iterations,
        learning_rate=settings.learning_rate,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.leaf_rows,
        l2_regularization=settings.l2,
        early_stopping=watched.size > 0,
        n_iter_no_change=settings.patience,
        categorical_features=range(by_set) if by_set else None,
        random_state=seed % SEEDS,
    )
    kept = (
        {"X_val": values_NF[watched], "y_val": renumbered[watched], "sample_weight_val": weights[watched]}
        if watched.size
        else {}
    )
    model.fit(values_NF[grown], renumbered[grown], sample_weight=weights[grown], **kept)
    # scikit-learn numbers the categories that occur in this order.
    seen = [np.unique(codes[grown, column][codes[grown, column] > 0]) for column in range(by_set)]
    # scikit-learn has no public way to its trees; the test of equality notices when these two names change.
    trees = [tree for round_ in model._predictors for tree in round_]
    baseline = np.array(model._baseline_prediction, dtype=np.float64).reshape(1, -1)
    return {
        **_flatten(trees, seen),
        "baseline": baseline,
        "present": present,
        "numbers": np.array([columns["numbers"].shape[1]]),
    }


def _split(targets: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to grow trees on and those to watch: none where a class is too rare to have its share."""
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(targets))
    if np.bincount(targets).min() * share < 1:
        return rows, rows[:0]
    grown, watched = train_test_split(rows, test_size=share, stratify=targets, random_state=seed % SEEDS)
    return np.sort(grown), np.sort(watched)


def predict(arrays: Arrays, columns: Arrays, classes: int, cardinalities: list[int]) -> np.ndarray:
    """Return the probability of each class.

    Shapes: numbers (n, k) float32, missing (n, k) bool, codes (n, m) int32 -> (n, classes) float64

    Raises:
        DataError: the table has other columns than the fitted one.
    """
    check_table(columns, cardinalities, int(arrays["numbers"][0]))
    order, by_set = _order(cardinalities)
    values_NF = _table(columns, known_codes(columns["codes"], cardinalities)[:, order], by_set)
    baseline = arrays["baseline"]
    found_NT = arrays["value"][leaves_of(values_NF, arrays)]
    # The trees of one round stand side by side, one per column of scores.
    rounds = found_NT.shape[1] // baseline.shape[1]
    scores_NP = baseline + found_NT.reshape(len(found_NT), rounds, baseline.shape[1]).sum(axis=1)
    return class_probabilities(scores_NP, arrays["present"], classes)


def _order(cardinalities: list[int]) -> tuple[np.ndarray, int]:
    """Return the columns of codes, those that are split by sets of categories first, and how many those are."""
    by_order = np.asarray(cardinalities, dtype=np.int64) > CODES
    return np.argsort(by_order, kind="stable"), int((~by_order).sum())


def _table(columns: Arrays, codes: np.ndarray, plain: int) -> np.ndarray:
    """Return codes, then numbers, as one table; missing is NaN, but stays 0 in the first `plain` columns."""
    coded = codes.astype(np.float64)
    coded[:, plain:][codes[:, plain:] == 0] = np.nan
    return np.concatenate([coded, np.where(columns["missing"], np.nan, columns["numbers"].astype(np.float64))], axis=1)


def _flatten(trees: list[Any], seen: list[np.ndarray]) -> Arrays:
    sizes = np.array([len(tree.nodes) for tree in trees])
    splits = np.array([len(tree.raw_left_cat_bitsets) for tree in trees])
    roots, first_split = np.cumsum(sizes) - sizes, np.cumsum(splits) - splits
    nodes = np.concatenate([tree.nodes for tree in trees])
    inner, by_set = nodes["is_leaf"] == 0, nodes["is_categorical"] == 1
    shift = np.repeat(roots, sizes)
    bitset = np.where(inner & by_set, nodes["bitset_idx"] + np.repeat(first_split, sizes), -1)
    return {
        "roots": roots.astype(np.int32),
        "feature": np.where(inner, nodes["feature_idx"], 0).astype(np.int32),
        "threshold": np.where(inner & ~by_set, nodes["num_threshold"], 0.0),
        "missing_left": np.ascontiguousarray(nodes["missing_go_to_left"]),
        "left": np.where(inner, nodes["left"] + shift, -1).astype(np.int32),
        "right": np.where(inner, nodes["right"] + shift, -1).astype(np.int32),
        "bitset": bitset.astype(np.int32),
        "bitsets": _bitsets(
            nodes[bitset >= 0], bitset[bitset >= 0], np.concatenate([tree.raw_left_cat_bitsets for tree in trees]), seen
        ),
        "value": np.where(inner, 0.0, nodes["value"]),
    }


def _bitsets(nodes: np.ndarray, rows: np.ndarray, found: np.ndarray, seen: list[np.ndarray]) -> np.ndarray:
    """Return, for each split by a set, the codes that go left; those that did not occur go where missing ones go."""
    by_number = np.unpackbits(found.view(np.uint8), axis=1, bitorder="little")
    by_code = np.zeros_like(by_number)
    by_code[rows] = nodes["missing_go_to_left"][:, None]
    for column, codes in enumerate(seen):
        of_column = rows[nodes["feature_idx"] == column]
        by_code[np.ix_(of_column, codes)] = by_number[of_column, : len(codes)]
    return np.packbits(by_code, axis=1, bitorder="little")
