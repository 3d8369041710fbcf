"""Each process has some neighbouring blocks of the model, and micro-batches go from one to the next and back. The rest share the examples.

Source: Huang et al. 2018 (GPipe), section 2.3; Narayanan et al. 2021, sections 2.2.1 (1F1B) and 2.2.2 (interleaved);
torch.distributed.pipelining.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe, ScheduleInterleaved1F1B

from ..core.errors import LayoutError
from .gradients import gather_unequal, sum_gradients
from .local import Local
from .pieces import Pieces
from .segments import Segment, Segments
from .settings import PipelineLayout
from .shares import bounds

Objective = Callable[[torch.Tensor, Any], torch.Tensor]
SCHEDULES = {"gpipe": ScheduleGPipe, "1f1b": Schedule1F1B, "interleaved": ScheduleInterleaved1F1B}
# Stretches of blocks in each process of an interleaved pipeline.
INTERLEAVED = 2


@dataclass(frozen=True)
class Load:
    """The micro-batches of one share: equally shaped, the last of them filled up with examples that do not count."""

    whole: Any
    counts: list[int]
    parts: list[Any]
    real: list[int]


@dataclass(frozen=True)
class Pipeline:
    """State: the schedules made so far, one for each shape of a micro-batch; and what is here of the model."""

    settings: PipelineLayout
    local: Local
    pieces: Pieces
    mesh: Any
    ends: Any
    schedules: dict[tuple[int, ...], Any] = field(default_factory=dict)
    # What the schedule's loss needs of the present step.
    present: dict[str, Any] = field(default_factory=dict)

    whole = False

    @property
    def provides(self) -> frozenset[str]:
        """What a part may need."""
        return PipelineLayout.provides

    @property
    def stream(self) -> int:
        """Whose random numbers this process draws: every one its own."""
        return dist.get_rank()

    @property
    def group(self) -> Any:
        """The processes of one pipeline."""
        return self.mesh.get_group("pipeline")

    @property
    def rank(self) -> int:
        """The place of this process in its pipeline."""
        return dist.get_rank(self.group)

    @property
    def size(self) -> int:
        """How many processes make up a pipeline."""
        return dist.get_world_size(self.group)

    def place(self, model: nn.Module) -> nn.Module:
        """Keep what this process has of a model, with the weights of the first process."""
        placed = self.local.place(model)
        for tensor in [*placed.parameters(), *placed.buffers()]:
            dist.broadcast(tensor.detach(), 0)
        walk = self.pieces.walk(placed) if self.pieces.walk else None
        chunks = [self._places(stage) for stage in self._stages()]
        here = Segments(
            placed, walk, self.pieces.blocks, [place for chunk in chunks for place in chunk], self.pieces.path
        )
        self.present["here"] = here
        return here

    def _stages(self) -> list[int]:
        """Return the stages of this process; interleaved ones go round all processes more than once."""
        rounds = INTERLEAVED if self.settings.schedule == "interleaved" else 1
        return [self.rank + self.size * turn for turn in range(rounds)]

    def _places(self, stage: int) -> range:
        total = self.size * len(self._stages())
        start, stop = bounds(len(self.pieces.blocks), total)[stage]
        return range(start, stop)

    def split(self, batch: Any) -> list[Any]:
        """Take the own share of a batch, in micro-batches of one shape."""
        data = self.mesh.get_group("data")
        limits = bounds(len(batch), dist.get_world_size(data))
        start, stop = limits[dist.get_rank(data)]
        most = max(end - begin for begin, end in limits)
        count = (
            -(-most // self.local.micro_batch)
            if self.local.micro_batch
            else self.settings.micro_batches or 2 * self.size
        )
        count = -(-max(count, self.size) // self.size) * self.size
        size = -(-most // count)
        places = [start + number * size + np.arange(size) for number in range(count)]
        real = [int((place < stop).sum()) for place in places]
        # The first example stands in for those that are not there.
        filled = [np.where(place < stop, place, 0) for place in places]
        parts = [batch.pick(place) for place in filled]
        frame = np.max([part.inputs["tokens"].shape for part in parts], axis=0)
        parts = [batch.pick(place, tuple(frame.tolist())) for place in filled]
        return [Load(batch, [end - begin for begin, end in limits], parts, real)]

    def backward(self, turn: Any, parts: list[Load], objective: Objective) -> torch.Tensor:
        """Give each parameter here the gradient of the size-weighted mean loss of the whole batch; return all its losses.

        Shapes: a share of b examples -> (b,) float
        """
        (load,) = parts
        losses = [torch.zeros(count) for count in load.real]
        total = turn.sizes(load.whole).sum()
        here: Segments = self.present["here"]

        def loss_of(answer: torch.Tensor, number: torch.Tensor) -> torch.Tensor:
            at = int(number)
            part, real = load.parts[at], load.real[at]
            here.answer = answer
            loss = turn.losses(part)
            losses[at] = loss.detach()[:real]
            # The schedule wants a loss that depends on the answer, also of what does not count.
            counted = (objective(loss, part) * turn.sizes(part))[:real].sum()
            return (counted if real else 0.0 * loss.sum()) / total

        self.present["loss"] = loss_of
        inputs = {name: torch.cat([part.inputs[name] for part in load.parts]) for name in load.parts[0].inputs}
        inputs["targets"] = torch.cat([part.targets for part in load.parts])
        numbers = torch.arange(len(load.parts))
        with self.local.autocast():
            tokens = (inputs["tokens"],) if self.rank == 0 else ()
            self._schedule(inputs["tokens"].shape, len(load.parts)).step(*tokens, target=numbers, **inputs)
        self._share_gradients(turn)
        own = torch.cat(losses)
        dist.broadcast(own, group_src=self.size - 1, group=self.group)
        return torch.cat(gather_unequal(own, load.counts, self.mesh.get_group("data")))

    def _share_gradients(self, turn: Any) -> None:
        tied = [turn.model.get_parameter(name) for name in self._tied(turn)]
        if tied:
            sum_gradients(tied, self.ends)
        data = self.mesh.get_group("data")
        if dist.get_world_size(data) > 1:
            sum_gradients(turn.parameters(), data)

    def _tied(self, turn: Any) -> list[str]:
        names = {name for name, parameter in turn.model.named_parameters() if parameter.requires_grad}
        return [name for name in turn.model.walk.tied if name in names]

    def _schedule(self, tokens: torch.Size, count: int) -> Any:
        """Return the schedule for micro-batches of a shape; made once."""
        key = (*tokens, count)
        if key not in self.schedules:
            shape = (tokens[0] // count, *tokens[1:])
            stages = [self._stage(stage, shape) for stage in self._stages()]
            chosen = SCHEDULES[self.settings.schedule]
            given: Any = stages if self.settings.schedule == "interleaved" else stages[0]
            self.schedules[key] = chosen(
                given,
                n_microbatches=count,
                loss_fn=lambda answer, number: self.present["loss"](answer, number),
                scale_grads=False,
            )
        return self.schedules[key]

    def _stage(self, stage: int, tokens: tuple[int, ...]) -> PipelineStage:
        total = self.size * len(self._stages())
        first, last = stage == 0, stage == total - 1
        here: Segments = self.present["here"]
        between, answer = here.walk.shapes(tokens)
        return PipelineStage(
            Segment(here, self._places(stage), first, last),
            stage,
            total,
            torch.device(self.local.device),
            input_args=torch.zeros(tokens, dtype=torch.int64) if first else torch.zeros(between, requires_grad=True),
            output_args=torch.zeros(answer if last else between, requires_grad=True),
            group=self.group,
        )

    @torch.no_grad()
    def norm(self, turn: Any) -> torch.Tensor:
        """Return the norm of the gradient of the whole model; what stands on both ends counts once."""
        twice = set(self._tied(turn)) if self.rank == self.size - 1 else set()
        squares = [
            parameter.grad.square().sum()
            for name, parameter in turn.model.named_parameters()
            if parameter.grad is not None and name not in twice
        ]
        total = torch.stack(squares).sum() if squares else torch.zeros(())
        dist.all_reduce(total, group=self.group)
        return total.sqrt()

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Return the mean over the processes that take examples."""
        data = self.mesh.get_group("data")
        summed = value.clone()
        dist.all_reduce(summed, group=data)
        return summed / dist.get_world_size(data)

    def gather(self, value: torch.Tensor) -> torch.Tensor:
        """Return the values of the processes that take examples, one after the other."""
        data = self.mesh.get_group("data")
        everyone = [torch.empty_like(value) for _ in range(dist.get_world_size(data))]
        dist.all_gather(everyone, value.contiguous(), group=data)
        return torch.cat(everyone)


def build(settings: PipelineLayout, local: Local, pieces: Pieces) -> Local | Pipeline:
    """Return the layout over all processes; over one it is the local one.

    Raises:
        LayoutError: the processes are no whole number of pipelines, or there are fewer blocks than stages.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return local
    processes = dist.get_world_size()
    size = settings.stages or processes
    wrong = settings.misfit(processes)
    wanted = size * (INTERLEAVED if settings.schedule == "interleaved" else 1)
    if not wrong and len(pieces.blocks) < wanted:
        wrong = f"{len(pieces.blocks)} blocks of the model, and {wanted} stages"
    if wrong:
        raise LayoutError(wrong, where="train.layout", expected="a block for each stage, and whole pipelines")
    mesh = init_device_mesh(local.device, (processes // size, size), mesh_dim_names=("data", "pipeline"))
    return Pipeline(settings, local, pieces, mesh, _ends(processes, size))


def _ends(processes: int, size: int) -> Any:
    """Return the first and the last process of the own pipeline, as a group; every process takes part in making each."""
    own = dist.get_rank() // size
    groups: Sequence[Any] = [
        dist.new_group([number * size, number * size + size - 1]) for number in range(processes // size)
    ]
    return groups[own]
