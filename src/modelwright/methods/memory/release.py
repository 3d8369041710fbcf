"""Gradient release: each parameter is stepped in the backward pass, as soon as its gradient is there, which is then freed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from modelwright.core.errors import DataError

Build = Callable[[list[tuple[str, torch.Tensor]]], torch.optim.Optimizer]


class ReleasingOptimiser:
    """State: one optimiser for each parameter, and whether a gradient of this step was not finite.

    It has the words of an optimiser. When `step` is called, the step has been taken; a gradient that is not finite was not
    applied, but others may have been, so the step can be neither skipped nor finished.

    Source: Lv et al. 2024 (LOMO), section 3.1; torch.Tensor.register_post_accumulate_grad_hook.
    """

    def __init__(self, build: Build, parameters: Iterable[tuple[str, torch.Tensor]]) -> None:
        self.broken = ""
        named = [(name, parameter) for name, parameter in parameters if parameter.requires_grad]
        self.optimisers = [build([pair]) for pair in named] or [build(named)]
        for (name, parameter), optimiser in zip(named, self.optimisers, strict=True):
            parameter.register_post_accumulate_grad_hook(self._hook(name, optimiser))

    def _hook(self, name: str, optimiser: torch.optim.Optimizer) -> Callable[[torch.Tensor], None]:
        def release(parameter: torch.Tensor) -> None:
            if not self.broken and parameter.grad is not None:
                # A sum is finite exactly when all its terms are, short of an overflow that is as bad.
                if bool(torch.isfinite(parameter.grad.sum())):
                    optimiser.step()
                else:
                    self.broken = name
            parameter.grad = None

        return release

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all parameters, in their order; to change a rate there changes it in the step."""
        return [group for optimiser in self.optimisers for group in optimiser.param_groups]

    def step(self) -> None:
        """Confirm that the whole step was taken.

        Raises:
            DataError: a gradient was not finite.
        """
        if self.broken:
            raise DataError(
                f"the gradient of '{self.broken}' was not finite, and a part of the step has already been taken",
                where="train.gradient_release",
                expected="finite gradients",
                next_step="lower train.optimiser.lr, or set train.gradient_release: false to have such steps skipped",
            )

    def zero_grad(self) -> None:
        """Make ready for the next step; the gradients are gone already."""
        self.broken = ""

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all parameters by their place, as one optimiser would."""
        saved = [optimiser.state_dict() for optimiser in self.optimisers]
        state = {place: one["state"][0] for place, one in enumerate(saved) if 0 in one["state"]}
        return {"state": state, "param_groups": [group for one in saved for group in one["param_groups"]]}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        for place, optimiser in enumerate(self.optimisers):
            state = {0: saved["state"][place]} if place in saved["state"] else {}
            optimiser.load_state_dict({"state": state, "param_groups": [saved["param_groups"][place]]})
