"""Which rows a label would tell most about, by what a model says of rows without one.

Legend: N rows, C classes, M answers of a committee, F features.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST = 1e-12
# Of so many rows for each that is asked for, groups are made.
AMONG = 10


def entropy(answers_NC: Floats) -> Floats:
    """Return how undecided a model is about each row, in nats.

    Shapes: answers (rows, classes) float64 -> (rows,) float64
    Source: Shannon 1948, section 6; Settles 2009, Active learning literature survey, section 3.1.
    """
    return -(answers_NC * np.log(np.maximum(answers_NC, LEAST))).sum(axis=1)


def margin(answers_NC: Floats) -> Floats:
    """Return how near the second most likely class comes to the most likely one: 1 where both are as likely.

    Shapes: answers (rows, classes) float64 -> (rows,) float64
    Source: Scheffer, Decomain and Wrobel 2001, section 3; Settles 2009, section 3.1.
    """
    second_N, first_N = np.sort(answers_NC, axis=1)[:, -2:].T
    return 1 - (first_N - second_N)


def bald(answers_MNC: Floats) -> Floats:
    """Return how far a committee disagrees about each row, each of its members being decided, in nats.

    Shapes: answers (members, rows, classes) float64 -> (rows,) float64
    Source: Houlsby, Huszar, Ghahramani and Lengyel 2011, equation 2; Gal, Islam and Ghahramani 2017, section 4.
    """
    together = entropy(answers_MNC.mean(axis=0))
    alone = np.stack([entropy(answers_NC) for answers_NC in answers_MNC]).mean(axis=0)
    return np.maximum(together - alone, 0.0)


def apart(features_NF: Floats, scores_N: Floats, count: int, seed: int) -> list[int]:
    """Choose rows of high scores that are not all alike: one of each group of those that score highest, ten times as many.

    Shapes: features (rows, features) float64, scores (rows,) float64 -> at most count rows
    Source: Zhdanov 2019, Diverse mini-batch active learning, algorithm 1, with unweighted groups.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    likely = np.argsort(-scores_N, kind="stable")[: AMONG * count]
    if len(likely) <= count:
        return likely.tolist()
    with warnings.catch_warnings():
        # Fewer kinds of rows than are asked for: there are then fewer groups, which is what is made up for below.
        warnings.simplefilter("ignore", ConvergenceWarning)
        groups = KMeans(count, n_init=1, random_state=seed % 2**32).fit(features_NF[likely])
    nearest = groups.transform(features_NF[likely]).argmin(axis=0)
    # Two groups may have the same row nearest; those that score highest make up for it.
    chosen = list(dict.fromkeys(likely[nearest].tolist()))
    return [*chosen, *(row for row in likely.tolist() if row not in chosen)][:count]


def furthest(features_NF: Floats, known_KF: Floats, count: int) -> list[int]:
    """Choose rows one by one, each the one furthest from all that is known or chosen.

    Shapes: features (rows, features) float64, known (known, features) float64 -> count rows
    Source: Sener and Savarese 2018, algorithm 1 (greedy k-centre).
    """
    squares_N = (features_NF**2).sum(axis=1)

    def distances(one_F: Floats) -> Floats:
        found: Floats = np.maximum(squares_N - 2 * features_NF @ one_F + (one_F**2).sum(), 0.0)
        return found

    nearest_N = np.full(len(features_NF), np.inf)
    for one_F in known_KF:
        nearest_N = np.minimum(nearest_N, distances(one_F))
    chosen: list[int] = []
    for _ in range(min(count, len(features_NF))):
        row = int(nearest_N.argmax()) if np.isfinite(nearest_N).all() else int(distances(features_NF.mean(0)).argmax())
        chosen.append(row)
        nearest_N = np.minimum(nearest_N, distances(features_NF[row]))
        nearest_N[row] = -1.0
    return chosen
