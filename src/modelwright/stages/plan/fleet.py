"""Which layout on how many devices of a machine that is not here, with which of the settings that the recipe leaves open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from ...core.recipe import Recipe
from ...core.settings import AUTO
from ...core.units import format_bytes, format_seconds
from .machine import Machine
from .prices import SECONDS_PER_HOUR
from .search import CHECKPOINTING, LIMITS, MICRO, OPEN, PRECISION
from .settings import Plan
from .share import Ask, Fleet, trace_fleet

LAYOUT, DEVICES = "train.layout", "plan.devices"
# How many processes may share an example, or make up a pipeline.
SIZES = (2, 4, 8, 16)
# Single changes that save memory, the ones that change least first.
WAYS_OUT: tuple[dict[str, Any], ...] = (
    {MICRO: 1},
    {CHECKPOINTING: "selective"},
    {CHECKPOINTING: "blocks"},
    {LAYOUT: {"kind": "sharded"}},
    {PRECISION: "bfloat16"},
    {PRECISION: "bfloat16_parameters"},
    {"train.low_rank": {"kind": "lora", "rank": 8}},
)


@dataclass(frozen=True)
class Choice:
    """What the search came to: the choice, confirmed at full depth, who came second, and all that was looked at."""

    chosen: Fleet
    runner_up: Fleet | None
    looked_at: tuple[Fleet, ...]
    over: tuple[str, ...]
    ways_out: tuple[dict[str, Any], ...]


class FleetSearch:
    """State: everything that was traced so far."""

    def __init__(self, recipe: Recipe, settings: Plan, machine: Machine, ask: Ask) -> None:
        self.recipe, self.settings, self.machine, self.ask = recipe, settings, machine, ask
        self.train: Any = recipe.sections["train"]
        self.seen: list[Fleet] = []

    def run(self) -> Choice:
        """Trace every candidate, the deep ones at two depths, and the winner at full depth."""
        found = [
            self._roomiest(devices, layout, dict(edits))
            for devices in self.settings.counts
            for layout in self._layouts(devices)
            for edits in self._variants()
        ]
        ranked = sorted(found, key=self._rank)
        over: tuple[str, ...] = LIMITS
        for place, fleet in enumerate(ranked):
            chosen = fleet if fleet.whole else self._trace(fleet.devices, fleet.layout, fleet.edits, whole=True)
            over = self.over(chosen)
            if not over or (place == 0 and self.over(fleet)):
                break
        good = [fleet for fleet in ranked if not (fleet.refused or fleet.failed) and not _same(fleet, chosen)]
        ways = self._ways_out(chosen) if over and not (chosen.refused or chosen.failed) else ()
        return Choice(chosen, good[0] if good else None, tuple(self.seen), over, ways)

    @property
    def memory(self) -> float:
        """The bytes of a device that may be used."""
        limits = [limit for limit in (self.settings.budget.memory, self.machine.memory_bytes) if limit]
        return min(limits, default=0.0)

    def over(self, fleet: Fleet) -> tuple[str, ...]:
        """Return the limits that a candidate does not keep; the memory of the device is one."""
        if fleet.refused or fleet.failed:
            return LIMITS
        budget = self.settings.budget
        needs = {
            "memory": (float(fleet.bound), self.memory),
            "time": (fleet.seconds, budget.time),
            "energy": (self.joules(fleet), budget.energy),
            "cost": (self.money(fleet), budget.cost),
        }
        return tuple(name for name, (need, limit) in needs.items() if 0 < limit < need)

    def money(self, fleet: Fleet) -> float:
        """What all devices cost while the training goes on."""
        price = self.settings.price or self.machine.price
        return fleet.seconds * fleet.devices * price / SECONDS_PER_HOUR

    def joules(self, fleet: Fleet) -> float:
        """What all devices draw while the training goes on."""
        return fleet.seconds * fleet.devices * self.machine.watts

    def _rank(self, fleet: Fleet) -> tuple[int, float]:
        over = self.over(fleet)
        # Of what keeps all limits the fastest; of what does not, the one that needs least memory.
        return len(over), float(fleet.bound) if over else fleet.step_seconds or float("inf")

    def _layouts(self, devices: int) -> Iterator[dict[str, Any]]:
        """Yield the recipe's layout, or, where it leaves it open, every one that could be."""
        said = self.train.layout
        if said.kind != AUTO:
            yield said.model_dump(mode="json")
        elif devices == 1:
            yield {"kind": "local"}
        else:
            yield from ({"kind": "data"}, {"kind": "sharded"})
            sizes = [size for size in SIZES if devices % size == 0]
            yield from ({"kind": "tensor", "size": size} for size in sizes if size <= self._per_machine())
            yield from ({"kind": "pipeline", "stages": size} for size in sizes)

    def _per_machine(self) -> int:
        return self.machine.device.devices if self.machine.device else 1

    def _variants(self) -> list[tuple[tuple[str, Any], ...]]:
        choices = []
        if self.train.checkpointing == AUTO:
            choices.append([(CHECKPOINTING, value) for value in OPEN[CHECKPOINTING]])
        if self.train.precision == AUTO:
            choices.append([(PRECISION, "bfloat16")])
        return list(product(*choices))

    def _roomiest(self, devices: int, layout: dict[str, Any], edits: dict[str, Any]) -> Fleet:
        """Return the candidate with the largest micro-batch that fits, where the recipe leaves that open."""
        if self.train.micro_batch != AUTO:
            return self._trace(devices, layout, edits)
        whole = self._trace(devices, layout, {**edits, MICRO: 0})
        if whole.refused or whole.failed or not self.memory or whole.bound <= self.memory:
            return whole
        one = self._trace(devices, layout, {**edits, MICRO: 1})
        if one.refused or one.failed or one.bound > self.memory:
            return one if not (one.refused or one.failed) else whole
        share = -(-self.train.batch // devices)
        if layout["kind"] in ("tensor", "pipeline"):
            share *= layout.get("size") or layout.get("stages") or devices
        slope = (whole.bound - one.bound) / max(1, share - 1)
        size = 1 + int((self.memory - one.bound) / slope) if slope > 0 else 1
        # A share in equal parts wastes nothing.
        even = next((part for part in range(min(size, share - 1), 1, -1) if share % part == 0), 1)
        if even == 1:
            return one
        tried = self._trace(devices, layout, {**edits, MICRO: even})
        return tried if not tried.refused and tried.bound <= self.memory else one

    def _trace(self, devices: int, layout: dict[str, Any], edits: dict[str, Any], whole: bool = False) -> Fleet:
        fleet = trace_fleet(self.ask, self.recipe, self.machine, devices, layout, edits, whole)
        self.seen.append(fleet)
        return fleet

    def _ways_out(self, chosen: Fleet) -> tuple[dict[str, Any], ...]:
        """Return the single changes that would fit."""
        found = []
        for change in ({DEVICES: 2 * chosen.devices}, *WAYS_OUT):
            layout, devices = change.get(LAYOUT, chosen.layout), change.get(DEVICES, chosen.devices)
            rest = {key: value for key, value in change.items() if key not in (LAYOUT, DEVICES)}
            resolved = {**_settings_of(self.recipe), **chosen.edits}
            if (
                layout["kind"] == chosen.layout["kind"]
                and devices == chosen.devices
                and rest.items() <= resolved.items()
            ):
                continue
            if chosen.devices == 1 and layout["kind"] == "local" and devices > 1:
                layout = {"kind": "sharded"}
            tried = self._trace(devices, layout, {**chosen.edits, **rest})
            if not self.over(tried):
                found.append(change)
        return tuple(found)


def _settings_of(recipe: Recipe) -> dict[str, Any]:
    train: dict[str, Any] = recipe.resolved()["train"]
    return {f"train.{key}": value for key, value in train.items() if not isinstance(value, (dict, list))}


def _same(one: Fleet, other: Fleet) -> bool:
    return (one.devices, one.layout, one.edits) == (other.devices, other.layout, other.edits)


def reasons(choice: Choice, memory: float, batch: int) -> dict[str, str]:
    """Return why each key that was left open became what it is."""
    chosen, other = choice.chosen, choice.runner_up
    why = "nothing else was looked at"
    if other is not None:
        why = f"{format_seconds(chosen.step_seconds)} a step; the next best {name_of(other)} {format_seconds(other.step_seconds)}"
    found = dict.fromkeys((*chosen.edits, LAYOUT), why)
    if MICRO in found:
        fits = "the whole share at once fits" if not chosen.edits[MICRO] else "the largest even part that stays under"
        found[MICRO] = f"{fits} {format_bytes(memory)}; the batch of a step stays {batch}"
    if PRECISION in found:
        found[PRECISION] = "what such devices are fast in"
    return found


def name_of(fleet: Fleet) -> str:
    """Return a candidate in words."""
    layout = " ".join(str(value) for key, value in fleet.layout.items() if value and key != "gather_again")
    edits = ", ".join(f"{key.removeprefix('train.')} {value}" for key, value in fleet.edits.items())
    return f"{fleet.devices} devices, {layout}" + (f", {edits}" if edits else "")
