"""One decision tree that people can read: found by scikit-learn, stored as arrays, answered by numpy, told as rules.

A category is put in the order of what it says about the classes, and the tree splits that order: with two classes no
other order gives a better split (Breiman et al. 1984, theorem 4.5), with more it is the first principal component of
the classes' shares (Coppersmith, Hong and Hosking 1999). So a column stays one column, however many categories it has.

Source: Breiman, Friedman, Olshen and Stone 1984, Classification and regression trees.
Dimensions: N rows, F columns, P classes present, C codes of one column.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .at_once import SEEDS, Arrays, AtOnce, check_table, known_codes, present_classes, spread
from .at_once_settings import Tree
from .forest import leaves_of


def build(settings: Tree, learnt: dict[str, Any]) -> AtOnce:
    """Return how a tree is fitted and how it answers, for the columns that preparation learnt."""
    classes, cardinalities = len(learnt["classes"]), learnt["cardinalities"]
    return AtOnce(
        fit=lambda columns, targets, seed: fit(columns, targets, seed, settings, classes, cardinalities),
        predict=lambda arrays, columns: predict(arrays, columns, classes, cardinalities),
    )


def fit(
    columns: Arrays, targets: np.ndarray, seed: int, settings: Tree, classes: int, cardinalities: list[int]
) -> Arrays:
    """Grow the tree and return its nodes, and for each code its place in the order of its column.

    Shapes: numbers (n, k) float32, missing (n, k) bool, codes (n, m) int32, targets (n,) int64 -> arrays

    Raises:
        DataError: there is no column, or fewer than two classes.
    """
    from sklearn.tree import DecisionTreeClassifier

    check_table(columns, cardinalities)
    present, renumbered = present_classes(targets, classes)
    codes = known_codes(columns["codes"], cardinalities)
    places = [_places(codes[:, column], renumbered, count) for column, count in enumerate(cardinalities)]
    arrays = {
        "numbers": np.array([columns["numbers"].shape[1]]),
        "present": present,
        "places": np.concatenate([*places, np.zeros(0, np.float32)]),
    }
    model = DecisionTreeClassifier(
        criterion=settings.criterion,
        max_depth=settings.depth,
        min_samples_leaf=settings.leaf_rows,
        ccp_alpha=settings.pruning,
        class_weight="balanced" if settings.balanced else None,
        random_state=seed % SEEDS,
    ).fit(_table(arrays, columns, cardinalities), renumbered)
    nodes = model.tree_
    inner = nodes.children_left >= 0
    return arrays | {
        "roots": np.zeros(1, dtype=np.int32),
        "feature": np.where(inner, nodes.feature, 0).astype(np.int32),
        "threshold": np.where(inner, nodes.threshold, 0.0),
        "missing_left": np.ascontiguousarray(nodes.missing_go_to_left, dtype=np.uint8),
        "left": nodes.children_left.astype(np.int32),
        "right": nodes.children_right.astype(np.int32),
        "bitset": np.full(nodes.node_count, -1, dtype=np.int32),
        "bitsets": np.zeros((0, 32), dtype=np.uint8),
        "value": np.ascontiguousarray(nodes.value[:, 0, :]),
        "rows": nodes.n_node_samples.astype(np.int64),
    }


def predict(arrays: Arrays, columns: Arrays, classes: int, cardinalities: list[int]) -> np.ndarray:
    """Return the probability of each class: its share in the leaf.

    Shapes: numbers (n, k) float32, missing (n, k) bool, codes (n, m) int32 -> (n, classes) float64

    Raises:
        DataError: the table has other columns than the fitted one.
    """
    check_table(columns, cardinalities, int(arrays["numbers"][0]))
    leaves = leaves_of(_table(arrays, columns, cardinalities).astype(np.float64), arrays)[:, 0]
    found_NP = arrays["value"][leaves]
    return spread(found_NP / found_NP.sum(axis=1, keepdims=True), arrays["present"], classes)


def _table(arrays: Arrays, columns: Arrays, cardinalities: list[int]) -> np.ndarray:
    """Return numbers, then the places of the codes; a missing value is NaN."""
    first = np.cumsum([0, *cardinalities])[:-1].astype(np.int64)
    places = arrays["places"][known_codes(columns["codes"], cardinalities) + first]
    return np.concatenate([np.where(columns["missing"], np.float32(np.nan), columns["numbers"]), places], axis=1)


def _places(codes: np.ndarray, targets: np.ndarray, count: int) -> np.ndarray:
    """Return the place of each code of a column, from 0; NaN for the missing one and those that do not occur."""
    classes = int(targets.max()) + 1
    counts_CP = np.bincount(codes * classes + targets, minlength=count * classes).reshape(count, classes)
    rows_C = counts_CP.sum(axis=1)
    known = np.flatnonzero((rows_C > 0) & (np.arange(count) > 0))
    places_C = np.full(count, np.nan, dtype=np.float32)
    if known.size:
        shares_CP = counts_CP[known] / rows_C[known, None]
        centred_CP = shares_CP - np.average(shares_CP, axis=0, weights=rows_C[known])
        direction_P = np.linalg.svd(centred_CP * np.sqrt(rows_C[known])[:, None], full_matrices=False)[2][0]
        # The sign of a singular vector is anybody's: the last class that matters is to lie at the upper end.
        direction_P *= np.sign(direction_P[np.flatnonzero(np.abs(direction_P) > 1e-9)[-1]])
        # Rounded, so that equal shares are equal whatever the last bits say, and the code decides.
        places_C[known[np.argsort((centred_CP @ direction_P).round(12), kind="stable")]] = np.arange(known.size)
    return places_C
