"""Shapley values of the parts of one input, estimated by Captum over which parts are shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from modelwright.core.errors import MissingExtra

from .occlusion import Ask

# Subsets or steps of an order that are asked about at once.
AT_ONCE = 512


def by_sampling(ask: Ask, parts: int, orders: int, seed: int) -> np.ndarray:
    """Return the mean change that each part makes when parts are added one by one in random orders.

    The values add up to what all parts together change, whatever the number of orders.

    Shapes: -> (parts,) float

    Raises:
        MissingExtra: captum is not installed.
    Source: Castro, Gomez and Tejada 2009, Polynomial calculation of the Shapley value based on sampling, section 2.
    """
    attr = captum()
    return _seeded(
        seed,
        attr.ShapleyValueSampling(_game(ask)),
        parts,
        n_samples=orders,
        perturbations_per_eval=min(AT_ONCE, max(1, parts)),
    )


def by_kernel(ask: Ask, parts: int, subsets: int, seed: int) -> np.ndarray:
    """Return the weights of the linear function that best fits the answers to random subsets, weighted as Shapley's axioms ask.

    Shapes: -> (parts,) float

    Raises:
        MissingExtra: captum is not installed.
    Source: Lundberg and Lee 2017, A unified approach to interpreting model predictions, theorem 2.
    """
    attr = captum()
    return _seeded(seed, attr.KernelShap(_game(ask)), parts, n_samples=subsets, perturbations_per_eval=AT_ONCE)


def _game(ask: Ask) -> Any:
    import torch

    def value(shown: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.asarray(ask(shown.numpy() > 0.5), dtype=np.float32))

    return value


def _seeded(seed: int, method: Any, parts: int, **options: int) -> np.ndarray:
    """Run a method of Captum, which draws from the library's generators, and leave those as they were."""
    import torch

    before = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        try:
            found = method.attribute(torch.ones(1, parts), baselines=torch.zeros(1, parts), **options)
        finally:
            np.random.set_state(before)
    return np.asarray(found[0].double().numpy())


def captum() -> Any:
    """Import the library of attributions.

    Raises:
        MissingExtra: it is not installed.
    Source: Kokhlikyan et al. 2020, Captum: a unified and generic model interpretability library for PyTorch.
    """
    try:
        import captum.attr
    except ImportError as error:
        raise MissingExtra(
            f"attributions need the package {error.name}",
            where="explain.attributions",
            expected="captum",
            next_step="pip install 'modelwright[explain]'",
        ) from None
    return captum.attr
