"""Muon: momentum, orthogonalised by Newton-Schulz, for hidden matrices; AdamW for every other parameter.

torch.optim.Muon takes matrices with exactly two dims and needs a second optimiser beside it. This one takes a whole
model, convolutions included, so that a turn still has one optimiser and one state; on matrices both agree bit by bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adamw import adamw

from .parameter_groups import group_parameters

# Chosen by Jordan for the steepest slope at zero: singular values end near one, between 0.7 and 1.2, not at one.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
SMALLEST_NORM = 1e-7


def orthogonalise(matrix: Tensor, iterations: int = 5, precision: torch.dtype = torch.bfloat16) -> Tensor:
    """Return a matrix with almost the same singular vectors, whose singular values are all near one.

    Shapes: matrix (rows, columns) float -> (rows, columns) of the given precision
    Source: Jordan et al. 2024, Muon, section "Newton-Schulz iteration".
    """
    constant, linear, square = COEFFICIENTS
    tall = matrix.size(0) > matrix.size(1)
    result = matrix.to(precision)
    result = result.T if tall else result
    result = result / result.norm().clamp(min=SMALLEST_NORM)
    for _ in range(iterations):
        gram = result @ result.T
        result = torch.addmm(result, torch.addmm(gram, gram, gram, beta=linear, alpha=square), result, beta=constant)
    return result.T if tall else result


def group_for_muon(
    pairs: Sequence[tuple[str, Tensor]],
    leave_out: Sequence[str],
    lr: float,
    adamw_lr: float,
    weight_decay: float,
    decay: Literal["all", "matrices"],
) -> list[dict[str, Any]]:
    """Split named parameters into hidden matrices and what AdamW trains: embeddings, output layers, vectors.

    Source: Jordan et al. 2024, Muon, section "Empirical considerations".
    """
    hidden: list[Tensor] = []
    rest: list[Tensor] = []
    for name, parameter in pairs:
        left_out = any(fnmatchcase(word, pattern) for word in name.split(".") for pattern in leave_out)
        (rest if left_out or parameter.ndim < 2 else hidden).append(parameter)
    groups = [{"params": hidden, "orthogonalise": True, "lr": lr, "weight_decay": weight_decay}] if hidden else []
    others = group_parameters(rest, weight_decay, decay) if rest else []
    return groups + [{**group, "orthogonalise": False, "lr": adamw_lr} for group in others]


class Muon(Optimizer):
    """State: a momentum for each orthogonalised matrix; two moments and a step count for each other parameter.

    A parameter group says with `orthogonalise` which of the two rules it follows.

    Source: Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks; Liu et al. 2025 (Moonlight),
        section 2.2, for `scale="adamw"`.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 0.02,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        nesterov: bool = True,
        iterations: int = 5,
        scale: Literal["shape", "adamw"] = "shape",
        precision: Literal["bfloat16", "float32"] = "bfloat16",
        beta1: float = 0.9,
        beta2: float = 0.95,
        eps: float = 1e-8,
        orthogonalise: bool = True,
    ) -> None:
        matrices = {
            "momentum": momentum,
            "nesterov": nesterov,
            "iterations": iterations,
            "scale": scale,
            "precision": precision,
        }
        others = {"beta1": beta1, "beta2": beta2, "eps": eps}
        super().__init__(
            params, {"lr": lr, "weight_decay": weight_decay, "orthogonalise": orthogonalise, **matrices, **others}
        )
        for group in self.param_groups:
            if group["orthogonalise"] and any(parameter.ndim < 2 for parameter in group["params"]):
                raise ValueError("found a parameter with fewer than two dims in a group that is orthogonalised")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; parameters without a gradient stay as they are.

        Source: Jordan et al. 2024, Muon, section "Definition".
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not group["orthogonalise"]:
                self._step_by_adamw(parameters, group)
                continue
            for parameter in parameters:
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                _step_by_muon(parameter, parameter.grad, state["momentum"], group)
        return loss

    def _step_by_adamw(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                # `step` is the one name that torch restores without casting it to the parameter's type.
                state.update(
                    step=torch.tensor(0.0), mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter)
                )
        states = [self.state[parameter] for parameter in parameters]
        adamw(
            parameters,
            [parameter.grad for parameter in parameters if parameter.grad is not None],
            [state["mean"] for state in states],
            [state["square"] for state in states],
            [],
            [state["step"] for state in states],
            amsgrad=False,
            beta1=group["beta1"],
            beta2=group["beta2"],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def _step_by_muon(parameter: Tensor, gradient: Tensor, momentum: Tensor, group: dict[str, Any]) -> None:
    momentum.lerp_(gradient, 1 - group["momentum"])
    update = gradient.lerp(momentum, group["momentum"]) if group["nesterov"] else momentum
    # A convolution's kernel is one matrix: output channels by everything that feeds one of them.
    update = orthogonalise(update.flatten(1), group["iterations"], getattr(torch, group["precision"]))
    rows, columns = update.shape
    size = math.sqrt(max(1, rows / columns)) if group["scale"] == "shape" else 0.2 * math.sqrt(max(rows, columns))
    parameter.mul_(1 - group["lr"] * group["weight_decay"])
    parameter.add_(update.reshape(parameter.shape), alpha=-group["lr"] * size)
