"""What proposes a trial: one sampler for each trial, seeded by its number, so that a search which was killed goes on as if it had not."""

from __future__ import annotations

import warnings
from itertools import islice
from typing import Any

import optuna

from ...core.errors import RecipeError
from ...core.randomness import derive_seed
from .space import Space, grid_of

SEEDS = 2**32


class Given(optuna.samplers.BaseSampler):
    """State: the values of one trial, decided beforehand."""

    def __init__(self, drawn: dict[str, Any]) -> None:
        self.drawn = drawn

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        """Return nothing: no value depends on another one."""
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: dict[str, Any]) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        """Return the value that was decided."""
        return self.drawn[param_name]


def sampler_for(
    method: str, space: Space, study: optuna.Study, number: int, seed: int, name: str = ""
) -> optuna.samplers.BaseSampler:
    """Return what proposes the trial of this number: what is drawn together, or with a name that parameter by itself.

    Each parameter has a seed of its own, so that it does not matter which of them had been drawn before a kill.

    Raises:
        MissingExtra: hyperopt is asked for and not installed.
    """
    own = derive_seed(seed, f"tune/{name}", number) % SEEDS
    if method == "grid":
        return Given(next(islice(grid_of(space), number, None)))
    if method == "tpe":
        # Groups: parameters that exist together, such as those of one model, are drawn together.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(seed=own, multivariate=True, group=True)
    if method == "gp":
        return optuna.samplers.GPSampler(seed=own, warn_independent_sampling=False)
    if method in ("random", "asha"):
        return optuna.samplers.RandomSampler(seed=own)
    if method == "hyperopt":
        from .by_hyperopt import propose

        return Given(propose(space, study, number, own))
    raise RecipeError(f"'{method}' is not a method", where="tune.method")
