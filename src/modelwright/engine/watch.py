"""The watch on training itself: what gradients, weights and updates measure, layer by layer, at a few steps of the run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from ..methods.optimisation.parameter_groups import held
from ..methods.optimisation.penalties import tensor_norms
from .loop import Moment, Verdict
from .turn import Turn

# A look costs about as much as a step of a small network; one in so many steps is below one per cent of the time.
RAREST, MOST_LOOKS, LOOKS_WANTED = 100, 100, 20
# Layers are told apart up to so many; beyond, those of one block are taken together.
MOST_LAYERS = 48
# Entries of a matrix from which the length of its update is told.
ENTRIES = 4096


def steps_between_looks(per_epoch: int, total: int) -> int:
    """Return how far apart two looks lie: about an epoch, but never so near that looking costs time that can be felt."""
    return max(min(per_epoch, total // LOOKS_WANTED), total // MOST_LOOKS, min(RAREST, max(1, total // 4)))


@dataclass(frozen=True)
class _Layers:
    """The parameters of a turn: which are matrices, and to which layer each belongs."""

    names: list[str]
    matrices: list[torch.nn.Parameter]
    owners: list[int]


class Watch:
    """State: what was seen so far, the step to come, and what waits for the end of the present step.

    It stands twice in the loop: `look` among the rules, where gradients are still there, and itself among the observers,
    where the step has been taken.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self.points: list[dict[str, Any]] = []
        self.step = 0
        self._layers: dict[str, _Layers] = {}
        self._waiting: list[tuple[Turn, dict[str, Any], list[torch.Tensor]]] = []

    @torch.no_grad()
    def look(self, turn: Turn, losses: torch.Tensor) -> Verdict:
        """Look at the gradient of a step, if it is time; never object to it."""
        if self.step % self.every:
            return Verdict.APPLY
        layers = self._layers.setdefault(turn.name, _layers_of(turn))
        gradients = [parameter.grad for parameter in turn.parameters() if parameter.grad is not None]
        norms = _norms(gradients) if gradients else torch.zeros(1)
        of_layers = [[0.0] * len(layers.names) for _ in range(2)]
        if layers.matrices:
            # Frozen matrices are no part of a turn; one without a gradient has not been used.
            with_gradient = [matrix if matrix.grad is None else matrix.grad for matrix in layers.matrices]
            used = torch.tensor([matrix.grad is not None for matrix in layers.matrices], device=norms.device)
            of_layers = [
                _by_layer(_norms(with_gradient) * used, layers).tolist(),
                _by_layer(_norms(list(layers.matrices)), layers).tolist(),
            ]
        summary = torch.stack([norms.double().square().sum().sqrt(), losses.detach().double().mean()]).tolist()
        point = {
            "step": self.step,
            "turn": turn.name,
            "lr": _short(float(turn.optimiser.param_groups[0]["lr"])),
            "loss": _short(summary[1]),
            "norm": _short(summary[0]),
            "layers": {
                name: [_short(gradient), _short(weights), None]
                for name, gradient, weights in zip(layers.names, *of_layers, strict=True)
            },
        }
        self._waiting.append((turn, point, [_some_entries(matrix).clone() for matrix in layers.matrices]))
        return Verdict.APPLY

    @torch.no_grad()
    def __call__(self, moment: Moment) -> bool:
        """Measure how far the step has moved the weights, if it was looked at and taken."""
        for turn, point, before in self._waiting:
            layers = self._layers[turn.name]
            if moment.verdict is Verdict.APPLY and before:
                after = [_some_entries(matrix) for matrix in layers.matrices]
                moved = _by_layer(_norms(list(torch._foreach_sub(after, before))), layers)
                ratios = (moved / _by_layer(_norms(before), layers)).tolist()
                for seen, ratio in zip(point["layers"].values(), ratios, strict=True):
                    seen[2] = _short(ratio)
            self.points.append(point)
        self._waiting = []
        self.step = moment.step + 1
        return False

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        return {}, {"points": list(self.points), "step": self.step}

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.points, self.step, self._waiting = list(numbers["points"]), numbers["step"], []


def _layers_of(turn: Turn) -> _Layers:
    """Return the matrices of a turn with their layers, in the order of the network."""
    own = {id(parameter) for parameter in turn.parameters()}
    matrices = [
        (name, parameter)
        for name, parameter in turn.model.named_parameters()
        if id(parameter) in own and parameter.dim() > 1 and parameter.numel()
    ]
    modules = [name.removeprefix("_orig_mod.").rpartition(".")[0] or turn.name for name, _ in matrices]
    deepest = max((name.count(".") for name in modules), default=0)
    while len(set(modules)) > MOST_LAYERS and deepest:
        modules = [".".join(name.split(".")[:deepest]) for name in modules]
        deepest -= 1
    names = list(dict.fromkeys(modules))
    return _Layers(names, [parameter for _, parameter in matrices], [names.index(name) for name in modules])


def _norms(tensors: list[torch.Tensor]) -> torch.Tensor:
    return tensor_norms(tensors).float()


def _by_layer(norms: torch.Tensor, layers: _Layers) -> torch.Tensor:
    """Return the norm of each layer from those of its matrices."""
    squares = torch.zeros(len(layers.names), dtype=torch.float64, device=norms.device)
    owners = torch.tensor(layers.owners, device=norms.device)
    return squares.index_add_(0, owners, norms.double().square()).sqrt()


def _some_entries(matrix: torch.Tensor) -> torch.Tensor:
    """Return at most so many entries of a matrix, evenly spread over its memory; a view where that is possible."""
    # Odd, so that it does not always meet the same column.
    flat = held(matrix.detach())
    stride = max(1, flat.numel() // ENTRIES) | 1
    dense = flat.is_contiguous() or (flat.dim() == 4 and flat.is_contiguous(memory_format=torch.channels_last))
    return flat.as_strided((flat.numel(),), (1,))[::stride] if dense else flat.reshape(-1)[::stride]


def _short(value: float) -> float | None:
    """Return five digits of a number, and nothing for one that is not finite, which JSON does not know."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
