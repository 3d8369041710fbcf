"""How far a projection can be believed: whether neighbours in the picture are neighbours among the features."""

from __future__ import annotations

import numpy as np


def trustworthiness(features: np.ndarray, places: np.ndarray, neighbours: int) -> float:
    """Return how few strangers stand among the neighbours in the picture: 1 for none.

    Shapes: features (n, d) float, places (n, 2) float -> fraction

    Source: Venna and Kaski 2001, Neighborhood preservation in nonlinear projection methods, section 3.
    """
    from sklearn.manifold import trustworthiness as measure

    # The measure is defined below half of the examples.
    most = max(1, (len(features) - 1) // 2)
    return float(measure(features, places, n_neighbors=min(neighbours, most)))


def agreeing(points: np.ndarray, classes: np.ndarray, neighbours: int) -> int:
    """Return for how many points most of the nearest others have the point's own class.

    Shapes: points (n, d) float, classes (n,) int -> count

    Source: Cover and Hart 1967, Nearest neighbor pattern classification, with each point left out in turn.
    """
    from sklearn.neighbors import NearestNeighbors

    count = min(neighbours, len(points) - 1)
    nearest = NearestNeighbors(n_neighbors=count).fit(points).kneighbors(return_distance=False)
    votes = np.zeros((len(points), int(classes.max()) + 1), dtype=np.int64)
    np.add.at(votes, (np.arange(len(points))[:, None], classes[nearest]), 1)
    # Of equally many votes, those of the nearest count: the first neighbour breaks a tie.
    votes = 2 * votes
    votes[np.arange(len(points)), classes[nearest[:, 0]]] += 1
    return int((votes.argmax(axis=1) == classes).sum())
