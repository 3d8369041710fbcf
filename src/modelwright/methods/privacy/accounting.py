"""From sampling rate, noise and steps to (epsilon, delta), by two accountants that were written apart from each other.

There is no third: the accountant for Gaussian differential privacy is an approximation from below, and promises too much.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version

import numpy as np

from modelwright.core.errors import MissingExtra, RecipeError

# The bound lies above the truth by at most twice this share of epsilon, or by the finest error, below which the work explodes.
RELATIVE, COARSE, FINEST = 0.005, 0.1, 1e-4


@cache
def epsilon_prv(rate: float, noise: float, steps: int, delta: float) -> float:
    """Return an upper bound on epsilon for so many steps of the Poisson-subsampled Gaussian mechanism.

    Neighbours differ by one example more or less.

    Raises:
        MissingExtra: opacus is not installed.
    Source: Gopi, Lee and Wutschitz 2021, "Numerical composition of differential privacy", as opacus implements it.
    """
    if steps == 0:
        return 0.0
    error = COARSE
    while True:
        found = _bound(rate, noise, steps, delta, error)
        if error <= max(2 * RELATIVE * found, FINEST):
            return found
        error = max(RELATIVE * found, FINEST)


def _bound(rate: float, noise: float, steps: int, delta: float, error: float) -> float:
    with _opacus():
        from opacus.accountants import PRVAccountant

        accountant = PRVAccountant()
        accountant.history = [(noise, rate, steps)]
        return float(accountant.get_epsilon(delta, eps_error=error))


def epsilon_pld(rate: float, noise: float, steps: int, delta: float) -> float:
    """Return the same bound by another method and another library: privacy loss distributions of dp-accounting.

    Raises:
        MissingExtra: dp-accounting is not installed.
    Source: Doroshenko et al. 2022, "Connect the dots", as dp-accounting implements it.
    """
    if steps == 0:
        return 0.0
    try:
        from dp_accounting import dp_event
        from dp_accounting.pld import PLDAccountant
    except ImportError:
        raise _missing("dp-accounting") from None
    accountant = PLDAccountant()
    step = dp_event.PoissonSampledDpEvent(rate, dp_event.GaussianDpEvent(noise))
    accountant.compose(dp_event.SelfComposedDpEvent(step, steps))
    return float(accountant.get_epsilon(delta))


def noise_for(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """Return the least noise, to one part in a hundred of epsilon, with which so many steps stay within epsilon.

    Raises:
        RecipeError: no noise is enough.
        MissingExtra: opacus is not installed.
    Source: Abadi et al. 2016, section 3.2, the noise scale sigma; searched by halving, as opacus does.
    """
    with _opacus():
        from opacus.accountants.utils import get_noise_multiplier

        try:
            return float(
                get_noise_multiplier(
                    target_epsilon=epsilon,
                    target_delta=delta,
                    sample_rate=rate,
                    steps=steps,
                    accountant="prv",
                    epsilon_tolerance=2 * RELATIVE * epsilon,
                    eps_error=max(RELATIVE * epsilon, FINEST),
                )
            )
        except ValueError as error:
            raise RecipeError(
                f"no noise keeps {steps} steps within epsilon {epsilon:g}: {error}",
                where="train.privacy.epsilon",
                expected="a larger epsilon, fewer steps, or smaller batches",
            ) from None


def versions() -> dict[str, str]:
    """Return the versions of the libraries that count.

    Source: the metadata of the installed packages.
    """
    return {name: version(name) for name in ("opacus", "dp-accounting")}


@contextmanager
def _opacus() -> Iterator[None]:
    """Import and call opacus, without warnings that do not concern us: its Renyi bound only sizes a grid here, and at rate 1 it
    asks for the logarithm of 0 where it needs none.
    """
    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        warnings.filterwarnings("ignore", message="Optimal order is the")
        try:
            yield
        except ImportError:
            raise _missing("opacus") from None


def _missing(package: str) -> MissingExtra:
    return MissingExtra(
        f"'{package}' is not installed",
        where="train.privacy",
        expected="the packages of the extra 'privacy'",
        next_step="pip install 'modelwright[privacy]'",
    )
