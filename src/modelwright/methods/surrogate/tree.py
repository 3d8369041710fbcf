"""A decision tree that imitates a model: grown by scikit-learn on the model's decisions, then pruned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

ASIDE = 0.2
# Strengths of pruning that are tried at most; a large tree has thousands.
TRIED = 40


@dataclass(frozen=True)
class Grown:
    """A fitted tree, and how strongly it was pruned."""

    tree: Any
    pruning: float

    @property
    def leaves(self) -> int:
        """The number of rules."""
        return int(self.tree.get_n_leaves())

    def decide(self, features: np.ndarray) -> np.ndarray:
        """Return the class that the tree gives to each row."""
        return np.asarray(self.tree.predict(features))


def grow(features: np.ndarray, decisions: np.ndarray, depth: int, leaf_rows: int, pruning: float, seed: int) -> Grown:
    """Grow a tree on the decisions of a model, pruned by the given strength.

    Shapes: features (n, d) float, decisions (n,) int

    Source: Craven and Shavlik 1996, Extracting tree-structured representations of trained networks; Breiman, Friedman,
        Olshen and Stone 1984, Classification and regression trees, chapter 3 (pruning).
    """
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(
        max_depth=depth, min_samples_leaf=leaf_rows, ccp_alpha=pruning, random_state=seed % 2**32
    )
    return Grown(tree.fit(features, decisions), pruning)


def choose_pruning(features: np.ndarray, decisions: np.ndarray, depth: int, leaf_rows: int, seed: int) -> float:
    """Return the strongest pruning whose fidelity on rows kept aside is within one standard error of the best.

    Shapes: features (n, d) float, decisions (n,) int -> impurity per leaf

    Source: Breiman, Friedman, Olshen and Stone 1984, Classification and regression trees, section 3.4.3.
    """
    from sklearn.tree import DecisionTreeClassifier

    order = np.random.default_rng(seed).permutation(len(features))
    aside, rest = order[: max(1, round(ASIDE * len(order)))], order[max(1, round(ASIDE * len(order))) :]
    path = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=leaf_rows, random_state=seed % 2**32)
    alphas = np.unique(np.maximum(path.cost_complexity_pruning_path(features[rest], decisions[rest]).ccp_alphas, 0))
    tried = alphas[np.unique(np.linspace(0, len(alphas) - 1, TRIED).round().astype(int))]
    right = [
        float(
            (grow(features[rest], decisions[rest], depth, leaf_rows, alpha, seed).decide(features[aside])
             == decisions[aside]).mean()
        )
        for alpha in tried.tolist()
    ]  # fmt: skip
    best = max(right)
    error = float(np.sqrt(best * (1 - best) / len(aside)))
    return max(alpha for alpha, share in zip(tried.tolist(), right, strict=True) if share >= best - error)
