"""What one candidate needs on other machines: the steps of those processes that differ, traced and priced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from ...core.recipe import Recipe
from ...methods.planning.device import StepTime, pipeline_seconds
from ...models.decoder_settings import shape_of
from .machine import Machine

# Two depths from which a deeper decoder is told: below eight blocks, what is fetched ahead is not yet as it will be.
DEPTHS = (8, 10)
# By how much the device may take more than was followed: published runs took 3 to 6 % more.
MARGIN = 0.05
# Stretches of blocks in each process of an interleaved pipeline (layouts.pipeline).
INTERLEAVED = 2
LAYERS = "model.layers"
Ask = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Process:
    """What one process needs: bytes in tensors, bytes that the allocator takes, and the time of its own work."""

    rank: int
    role: str
    live: int
    reserved: int
    holders: dict[str, int]
    time: StepTime
    sent: dict[str, float]
    # Bytes in the memory of the machine while the network is built.
    host: int = 0


@dataclass(frozen=True)
class Fleet:
    """One candidate on so many devices. `refused` says why there is nothing else to say; `whole`: traced at full depth."""

    devices: int
    layout: dict[str, Any]
    edits: dict[str, Any]
    refused: str = ""
    failed: dict[str, Any] = field(default_factory=dict)
    processes: tuple[Process, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    step_seconds: float = 0.0
    whole: bool = True
    # Bytes of a device beside what its allocator takes.
    beside: int = 0

    @property
    def estimate(self) -> int:
        """The bytes of the fullest device."""
        return max((process.reserved for process in self.processes), default=0) + self.beside

    @property
    def bound(self) -> int:
        """What the fullest device is not expected to need more than."""
        return int(max((process.reserved for process in self.processes), default=0) * (1 + MARGIN)) + self.beside

    @property
    def seconds(self) -> float:
        """The time of all steps."""
        return self.step_seconds * float(self.facts.get("steps", 0))


def layers_of(recipe: Recipe) -> int:
    """Return the blocks of a decoder; 0 where the model is none, and its depth is no single number."""
    section: Any = recipe.sections["model"]
    return shape_of(section).layers if section.kind == "decoder" else 0


def trace_fleet(
    ask: Ask,
    recipe: Recipe,
    machine: Machine,
    devices: int,
    layout: dict[str, Any],
    edits: dict[str, Any],
    whole: bool,
) -> Fleet:
    """Trace a candidate at full depth, or at two depths from which the full one is told."""
    layers = layers_of(recipe)
    told = {**edits, "train.layout": layout}
    # A pipeline's process has few of the blocks anyway, and which ones depends on how many there are.
    if whole or layers <= DEPTHS[1] or layout["kind"] == "pipeline":
        return _trace(ask, recipe, machine, devices, layout, edits, told)
    low, high = (_trace(ask, recipe, machine, devices, layout, edits, {**told, LAYERS: depth}) for depth in DEPTHS)
    if low.refused or low.failed or high.refused or high.failed:
        return low if low.refused or low.failed else high
    share = (layers - DEPTHS[0]) / (DEPTHS[1] - DEPTHS[0])
    processes = tuple(_extended(one, two, share) for one, two in zip(low.processes, high.processes, strict=True))
    return Fleet(
        devices,
        layout,
        edits,
        processes=processes,
        facts=high.facts,
        step_seconds=_step(recipe, layout, devices, processes, edits),
        whole=False,
        beside=low.beside,
    )


def _extended(low: Process, high: Process, share: float) -> Process:
    def line(one: float, two: float) -> float:
        return one + share * (two - one)

    return Process(
        low.rank,
        low.role,
        int(line(low.live, high.live)),
        int(line(low.reserved, high.reserved)),
        {name: int(line(low.holders[name], high.holders[name])) for name in low.holders},
        StepTime(
            *(line(one, two) for one, two in zip(asdict(low.time).values(), asdict(high.time).values(), strict=True))
        ),
        {name: line(low.sent.get(name, 0.0), size) for name, size in high.sent.items()},
        int(line(low.host, high.host)),
    )


def _trace(
    ask: Ask,
    recipe: Recipe,
    machine: Machine,
    devices: int,
    layout: dict[str, Any],
    edits: dict[str, Any],
    told: dict[str, Any],
) -> Fleet:
    assert machine.device is not None, "of this machine, every process is planned as the only one"
    processes: list[Process] = []
    facts: dict[str, Any] = {}
    for rank, role in ranks_of(layout, devices, recipe):
        found = ask({"edits": told, "rank": rank, "processes": devices, "device": asdict(machine.device)})
        if "refused" in found or "failed" in found:
            failed = found if "failed" in found else {}
            return Fleet(devices, layout, edits, refused=found.get("refused", ""), failed=failed)
        facts = found["facts"]
        time = StepTime(**found["time"])
        processes.append(
            Process(rank, role, found["live"], found["reserved"], found["holders"], time, found["sent"], found["host"])
        )
    return Fleet(
        devices,
        layout,
        edits,
        processes=tuple(processes),
        facts=facts,
        step_seconds=_step(recipe, layout, devices, processes, edits),
        beside=int(machine.context_bytes + machine.workspace_bytes + (machine.message_bytes if devices > 1 else 0)),
    )


def ranks_of(layout: dict[str, Any], devices: int, recipe: Recipe) -> list[tuple[int, str]]:
    """Return the processes that differ from each other, each with what it does: the ends of a pipeline; else the fullest one."""
    if layout["kind"] == "pipeline" and devices > 1:
        stages = layout.get("stages") or devices
        ends = [(0, f"stage 1 of {stages}"), (stages - 1, f"stage {stages} of {stages}")]
        middle = [(1, f"stage 2 of {stages}")] if stages > 2 else []
        return [ends[0], *middle, ends[1]]
    train: Any = recipe.sections["train"]
    # Where a batch cannot be shared evenly, the last ones have the most of it; otherwise the first has the most of a matrix.
    return [(0 if train.batch % devices == 0 else devices - 1, "every process")]


def _step(recipe: Recipe, layout: dict[str, Any], devices: int, processes: Any, edits: dict[str, Any]) -> float:
    slowest = max((process.time.seconds for process in processes), default=0.0)
    if layout["kind"] != "pipeline" or devices == 1:
        return float(slowest)
    stages = layout.get("stages") or devices
    return pipeline_seconds(slowest, stages, _parts(recipe, layout, devices, stages, edits), _stretches(layout))


def _stretches(layout: dict[str, Any]) -> int:
    return INTERLEAVED if layout.get("schedule") == "interleaved" else 1


def _parts(recipe: Recipe, layout: dict[str, Any], devices: int, stages: int, edits: dict[str, Any]) -> int:
    """Return the micro-batches of a pipeline, as layouts.pipeline counts them."""
    train: Any = recipe.sections["train"]
    said = edits.get("train.micro_batch", train.micro_batch)
    share = -(-train.batch // (devices // stages))
    micro = said if isinstance(said, int) and 0 < said < train.batch else 0
    count = -(-share // micro) if micro else layout.get("micro_batches") or 2 * stages
    return int(-(-max(count, stages) // stages) * stages)
