"""The devices of a plan drawn on their machines: who shares what with whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..core.units import format_bytes, format_seconds
from .words import say

# More machines than this look all alike; so many are drawn, and the rest are counted.
SHOWN = 4


@dataclass(frozen=True)
class Place:
    """One device: its rank, which examples it takes, and which part of the model it has."""

    rank: int
    label: str


def places_of(fleet: dict[str, Any]) -> Iterator[tuple[int, list[Place]]]:
    """Yield each machine that is drawn, from 1, with its devices."""
    per_machine, devices = fleet["per_machine"], fleet["devices"]
    machines = -(-devices // per_machine)
    for machine in range(min(machines, SHOWN)):
        ranks = range(machine * per_machine, min(devices, (machine + 1) * per_machine))
        yield machine + 1, [Place(rank, _label(fleet["layout"], devices, rank)) for rank in ranks]


def machines_left(fleet: dict[str, Any]) -> int:
    """Return how many machines are not drawn."""
    return max(0, -(-fleet["devices"] // fleet["per_machine"]) - SHOWN)


def _label(layout: dict[str, Any], devices: int, rank: int) -> str:
    kind = layout["kind"]
    if kind == "tensor":
        size = layout.get("size") or devices
        return f"b{rank // size} m{rank % size}/{size}"
    if kind == "pipeline":
        stages = layout.get("stages") or devices
        return f"b{rank // stages} s{rank % stages + 1}/{stages}"
    return f"b{rank} m{rank}/{devices}" if kind == "sharded" else f"b{rank}"


# What the letters of a label stand for.
LEGEND = {
    "data": "b: share of the batch; each device has the whole model",
    "sharded": "b: share of the batch; m: share of every parameter",
    "tensor": "b: share of the batch; m: part of the large matrices",
    "pipeline": "b: share of the batch; s: stretch of blocks",
    "local": "b: the whole batch",
}


def legend_of(fleet: dict[str, Any]) -> str:
    """Return what the letters of the labels stand for."""
    return LEGEND.get(fleet["layout"]["kind"], "")


def lines_of_fleet(plan: dict[str, Any]) -> list[str]:
    """Return the devices of a plan as lines: the machines drawn, and what the processes that differ need."""
    fleet = plan["fleet"]
    lines = [f"{say('on')} {plan['machine']}: {fleet['name']}"]
    lines += [
        f"  {say('machine')} {number:<4}" + " ".join(f"[{place.rank} {place.label}]" for place in places)
        for number, places in places_of(fleet)
    ]
    if machines_left(fleet):
        lines.append(f"  {say('more machines alike')}: {machines_left(fleet)}")
    lines.append(f"  {say(legend_of(fleet))}")
    for process in fleet["processes"]:
        time = process["time"]
        lines.append(
            f"  {say('rank')} {process['rank']:<4} {process['role']:<14} {say('reserved')} {format_bytes(process['reserved'])}, "
            f"{say('in tensors')} {format_bytes(process['live'])}; {say('work')} {format_seconds(time['work'])}, "
            f"{say('messages')} {format_seconds(time['waited'])} + {format_seconds(time['beside'])} {say('beside the work')}"
        )
    host = max(process["host"] for process in fleet["processes"])
    lines.append(f"  {say('in the memory of the host while the network is built')}: {format_bytes(host)}")
    lines.append(
        f"  {say('beside the allocator')}: {format_bytes(fleet['beside'])}; {say('of')} {format_bytes(fleet['memory'])}"
    )
    return lines
