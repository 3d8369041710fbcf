"""One process, one device: the layout that every other must agree with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from ..core.errors import LayoutError
from .pieces import Pieces
from .settings import LocalLayout
from .short import with_short_parameters

PROVIDES = frozenset({"whole-batch", "example-losses", "global-gradients", "whole-parameters"})


@dataclass(frozen=True)
class Local:
    """The five verbs on one device, in one precision, in one or more micro-batches.

    Precision `bfloat16` computes products of matrices in it; `bfloat16_parameters` holds the matrices themselves in it, too,
    and so all that is between them.
    """

    device: str = "cpu"
    precision: str = "float32"
    micro_batch: int = 0
    # What takes the gradient of each example, where one is wanted: turn, parts, objective -> losses.
    example_gradients: Callable[..., torch.Tensor] | None = None

    @property
    def provides(self) -> frozenset[str]:
        """What a part may need; micro-batches take the whole batch away."""
        return PROVIDES - {"whole-batch"} if self.micro_batch else PROVIDES

    # All of the model is here, and so the norm of its gradient needs nobody else.
    whole = True
    norm = None

    @property
    def stream(self) -> int:
        """Whose random numbers this process draws."""
        return 0

    def place(self, model: torch.nn.Module) -> torch.nn.Module:
        """Put a model on the device, with channels last in memory where it has convolutions."""
        placed: torch.nn.Module = model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    def split(self, batch: Any) -> list[Any]:
        """Cut a batch into micro-batches."""
        size = self.micro_batch or len(batch)
        if size >= len(batch):
            return [batch]
        return [batch.part(start, min(start + size, len(batch))) for start in range(0, len(batch), size)]

    def backward(
        self, turn: Any, parts: list[Any], objective: Callable[[torch.Tensor, Any], torch.Tensor]
    ) -> torch.Tensor:
        """Accumulate the gradient of the size-weighted mean loss of the whole batch; return the losses.

        Shapes: parts of b examples in all -> (b,) float
        """
        if self.example_gradients is not None:
            return self.example_gradients(turn, parts, objective)
        if self.precision == "bfloat16_parameters":
            return with_short_parameters(turn.model, lambda: self._backward(turn, parts, objective))
        return self._backward(turn, parts, objective)

    def _backward(
        self, turn: Any, parts: list[Any], objective: Callable[[torch.Tensor, Any], torch.Tensor]
    ) -> torch.Tensor:
        sizes = [turn.sizes(part) for part in parts]
        total = sum(float(size.sum()) for size in sizes)
        losses = []
        for part, size in zip(parts, sizes, strict=True):
            with self.autocast():
                loss = turn.losses(part)
            (objective(loss, part) * size).sum().div(total).backward()
            losses.append(loss.detach())
        return torch.cat(losses) if len(losses) > 1 else losses[0]

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Return the mean over all processes: there is one."""
        return value

    def gather(self, value: torch.Tensor) -> torch.Tensor:
        """Return the values of all processes: there is one."""
        return value

    def autocast(self) -> AbstractContextManager[Any]:
        """Compute in the precision of this layout inside."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device, dtype=torch.bfloat16)


def build(settings: LocalLayout, local: Local, pieces: Pieces) -> Local:
    """Return the layout of one process.

    Raises:
        LayoutError: there are several.
    """
    if torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
        raise LayoutError(
            f"{torch.distributed.get_world_size()} processes, and the layout is local",
            where="train.layout",
            expected="auto, or a layout for several processes",
            next_step="leave train.layout out, or --processes",
        )
    return local
