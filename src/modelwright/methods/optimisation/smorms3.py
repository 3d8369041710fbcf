"""SMORMS3: squared mean over root mean squared, cubed. Each weight has a memory of its own length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class Smorms3(Optimizer):
    """State, per parameter: the memory's length and the running means of the gradient and of its square.

    Source: Funk 2015, RMSprop loses to SMORMS3 - Beware the Epsilon!
    """

    def __init__(self, params: Any, lr: float = 1e-3, eps: float = 1e-16) -> None:
        super().__init__(params, {"lr": lr, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; parameters without a gradient stay as they are.

        Source: Funk 2015, the update in code form.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    _update(parameter, parameter.grad, self._state_of(parameter), group["lr"], group["eps"])
        return loss

    def _state_of(self, parameter: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[parameter]
        if not state:
            state["memory"] = torch.ones_like(parameter)
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)
        return state


def _update(parameter: Tensor, gradient: Tensor, state: dict[str, Tensor], lr: float, eps: float) -> None:
    memory, mean, square = state["memory"], state["mean"], state["square"]
    newness = 1 / (memory + 1)
    mean.lerp_(gradient, newness)
    square.lerp_(gradient.square(), newness)
    signal = mean.square() / (square + eps)
    parameter.sub_(gradient * signal.clamp(max=lr) / (square.sqrt() + eps))
    memory.mul_(1 - signal).add_(1)
