"""Every process takes its share of the examples of each batch: the five verbs that layouts share which do so.

As torch's DistributedDataParallel, but for three things: the gradient is that of the mean over the batch also where
shares are unequal or empty; a parameter that nobody used has no gradient; an objective sees the losses of the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

from .gradients import gather_unequal, sum_gradients
from .local import Local
from .shares import Share, take_share
from .short import with_short_parameters

Objective = Callable[[torch.Tensor, Any], torch.Tensor]


@dataclass(frozen=True)
class ByExample:
    """The five verbs in several processes; what each does by itself is done as `local` does it.

    The processes of `group` take the examples; `rank` and `processes` are those within it. `lay_out` does to the model what
    this layout does; `after` is done to a turn when its gradients are there. Where processes meet inside the network, all
    must go through it equally often (`in_step`), and where that averages gradients, `scale` makes sums of them.
    """

    local: Local
    group: Any
    rank: int
    processes: int
    provides: frozenset[str]
    lay_out: Callable[[torch.nn.Module], torch.nn.Module] = lambda model: model
    after: Callable[[Any], None] = lambda turn: None
    in_step: bool = False
    scale: float = 1.0

    # Every process has a part of every parameter, and tensors know how to be measured in parts.
    whole = True
    norm = None

    @property
    def stream(self) -> int:
        """Whose random numbers this process draws: what no two processes compute alike, each draws for itself."""
        return self.rank

    def place(self, model: torch.nn.Module) -> torch.nn.Module:
        """Put a model on the device of each process, with the weights of the first, and lay it out."""
        placed = self.local.place(model)
        for tensor in [*placed.parameters(), *placed.buffers()]:
            dist.broadcast(tensor.detach(), 0)
        return self.lay_out(placed)

    def split(self, batch: Any) -> list[Any]:
        """Take the own share of a batch."""
        return [take_share(batch, self.rank, self.processes, self.local.micro_batch, self.in_step)]

    def backward(self, turn: Any, parts: list[Share], objective: Objective) -> torch.Tensor:
        """Give each parameter the gradient of the size-weighted mean loss of the whole batch; return all its losses.

        Shapes: a share of b examples -> (b,) float
        """
        (share,) = parts
        if self.local.precision == "bfloat16_parameters" and not self.in_step:
            losses = with_short_parameters(turn.model, lambda: self._backward(turn, share, objective))
        else:
            losses = self._backward(turn, share, objective)
        self.after(turn)
        return losses

    def _backward(self, turn: Any, share: Share, objective: Objective) -> torch.Tensor:
        total = turn.sizes(share.whole).sum() / self.scale
        if self.local.micro_batch:
            return self._by_part(turn, share, objective, total)
        own = torch.empty(0)
        if share.parts:
            with self.local.autocast():
                own = turn.losses(share.parts[0])
        counted = own[: share.counts[self.rank]]
        everyone = gather_unequal(counted.detach(), share.counts, self.group)
        everyone[self.rank] = counted
        losses = torch.cat(everyone)
        # Of what depends on the losses of several examples, each process adds the part that goes through its own.
        value = (objective(losses, share.whole) * turn.sizes(share.whole)).sum() / total
        if share.parts:
            # A process without an example of its own computes one that counts nothing.
            (value if len(counted) else value + 0.0 * own.sum()).backward()
        return losses.detach()

    def _by_part(self, turn: Any, share: Share, objective: Objective, total: torch.Tensor) -> torch.Tensor:
        found = [torch.empty(0)]
        left = share.counts[self.rank]
        for part in share.parts:
            with self.local.autocast():
                loss = turn.losses(part)
            counts = float(left > 0)
            (counts * (objective(loss, part) * turn.sizes(part)).sum()).div(total).backward()
            found.append(loss.detach()[:left])
            left -= len(found[-1])
        return torch.cat(gather_unequal(torch.cat(found), share.counts, self.group))

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Return the mean over all processes that take examples."""
        summed = value.clone()
        dist.all_reduce(summed, group=self.group)
        return summed / self.processes

    def gather(self, value: torch.Tensor) -> torch.Tensor:
        """Return the values of all processes that take examples, one after the other."""
        everyone = [torch.empty_like(value) for _ in range(self.processes)]
        dist.all_gather(everyone, value.contiguous(), group=self.group)
        return torch.cat(everyone)


def sum_over(group: Any) -> Callable[[Any], None]:
    """Return what sums the gradients of a turn over the processes of a group."""
    return lambda turn: sum_gradients(turn.parameters(), group)
