"""Numbers with several humps, told as which hump and how far from its middle. N values, M modes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# A mode reaches so many deviations to either side; one of less weight than this is none.
REACH, LIGHTEST = 4.0, 0.005
# Values further apart than this share of their range are not one.
NARROWEST = 1e-3


@dataclass(frozen=True)
class Modes:
    """A mixture of normal distributions: shares, means and deviations, each (modes,); and the range of what it was learnt from."""

    shares: Floats
    means: Floats
    deviations: Floats
    low: float
    high: float

    def __len__(self) -> int:
        return len(self.means)


def find_modes(values: Floats, most: int, seed: int) -> Modes:
    """Return the modes of some values, at most so many.

    Shapes: values (n,) float -> modes
    Source: Xu et al. 2019 (CTGAN), section 4.2, after Bishop 2006, section 10.2, for the mixture that chooses its own size.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import BayesianGaussianMixture
    from threadpoolctl import threadpool_limits

    low, high = float(values.min()), float(values.max())
    narrow = max(NARROWEST * (high - low), 1e-6)
    count = min(most, len(np.unique(values)))
    if count == 1:
        return Modes(np.ones(1), np.array([low]), np.array([narrow]), low, high)
    mixture: Any = BayesianGaussianMixture(
        n_components=count, weight_concentration_prior=1e-3, reg_covar=narrow**2, random_state=seed % 2**32
    )
    # In one thread: sums in another order would be other modes.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(values[:, None])
    kept = mixture.weights_ > LIGHTEST
    deviations = np.sqrt(mixture.covariances_[kept, 0, 0])
    return Modes(mixture.weights_[kept], mixture.means_[kept, 0], deviations, low, high)


def tell_by_mode(values: Floats, modes: Modes, generator: np.random.Generator) -> tuple[Floats, Integers]:
    """Return how far each value is from the middle of a mode, and which; the mode is drawn by how likely it made the value.

    Shapes: values (n,) float -> (n,) float from -1 to 1, (n,) int
    Source: Xu et al. 2019 (CTGAN), section 4.2, steps 2 and 3.
    """
    apart_NM = (values[:, None] - modes.means) / modes.deviations
    logs_NM = np.log(modes.shares) - np.log(modes.deviations) - apart_NM**2 / 2
    # The largest of logits with Gumbel noise is a draw from their softmax.
    which_N = (logs_NM + generator.gumbel(size=logs_NM.shape)).argmax(axis=1)
    chosen_N = np.take_along_axis(apart_NM, which_N[:, None], axis=1)[:, 0]
    return np.clip(chosen_N / REACH, -1.0, 1.0), which_N


def value_of(distances: Floats, which: Integers, modes: Modes) -> Floats:
    """Return the values that distances from the middle of modes stand for, inside the range that was seen.

    Shapes: distances (n,) float, which (n,) int -> (n,) float
    Source: Xu et al. 2019 (CTGAN), section 4.2, step 3 the other way round.
    """
    found = modes.means[which] + REACH * distances * modes.deviations[which]
    return np.clip(found, modes.low, modes.high)
