"""Which of the settings that the recipe leaves open fit the budget, and which of those is fastest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

from ...core.recipe import Recipe
from ...core.settings import AUTO
from ...core.units import format_bytes, format_seconds
from .prices import Priced

MICRO, CHECKPOINTING, PRECISION = "train.micro_batch", "train.checkpointing", "train.precision"
RELEASE, BITS, LOW_RANK = "train.gradient_release", "train.optimiser.bits", "train.low_rank"
# In the order in which they are preferred where nothing tells them apart.
OPEN: dict[str, tuple[Any, ...]] = {
    CHECKPOINTING: ("none", "selective", "blocks"),
    PRECISION: ("float32", "bfloat16"),
    RELEASE: (False, True),
}
# What is given up only where nothing fits otherwise, in this order: they change what is learnt.
YIELDING = (BITS, LOW_RANK)
# Single changes that save memory, the ones that change least first; what a recipe already has is left out.
WAYS_OUT: tuple[dict[str, Any], ...] = (
    {MICRO: 1},
    {CHECKPOINTING: "selective"},
    {CHECKPOINTING: "blocks"},
    {"train.gradient_release": True, "train.guard.patience": 1},
    {PRECISION: "bfloat16"},
    {PRECISION: "bfloat16_parameters"},
    {"train.optimiser": "adamw8bit"},
    {"train.low_rank": {"kind": "lora", "rank": 8}},
    {"train.batch": 1, MICRO: 0},
)
# A size is searched for to one part in so many.
STEP = 100
# The first guess cuts a batch into so many parts.
PARTS = 8
LIMITS = ("memory", "time", "energy", "cost")

# edits, whether to time it -> what it costs
Trace = Callable[[dict[str, Any], bool], Priced]


@dataclass(frozen=True)
class Found:
    """What the search came to: the choice, who came second, and everything that was priced."""

    chosen: Priced
    runner_up: Priced | None
    # Key -> why it became what it is.
    why: dict[str, str]
    priced: tuple[Priced, ...]
    # Limits of the budget that even the choice does not keep.
    over: tuple[str, ...] = ()
    # Single changes that would fit, where the choice does not.
    ways_out: tuple[dict[str, Any], ...] = ()


class Search:
    """State: everything that was priced so far."""

    def __init__(self, recipe: Recipe, budget: Any, trace: Trace) -> None:
        self.recipe, self.budget, self.trace = recipe, budget, trace
        self.train: Any = recipe.sections["train"]
        self.limited = any(getattr(budget, name) for name in LIMITS)
        self.priced: list[Priced] = []

    def run(self) -> Found:
        """Price every choice that is open, with the largest micro-batch that fits; choose the fastest one that fits.

        What changes the result is given up one after the other, and only until something fits.
        """
        yielding = yielding_of(self.train)
        finalists: list[Priced] = []
        for given in range(len(yielding) + 1):
            held = {key: values[place < given] for place, (key, values) in enumerate(yielding.items())}
            finalists += [self._largest({**dict(variant), **held}) for variant in self._variants()]
            if any(not priced.refused and not self.over(priced) for priced in finalists):
                break
        good = [priced for priced in finalists if not priced.refused] or finalists
        ranked = sorted(good, key=lambda priced: (len(self.over(priced)), _speed(priced)))
        chosen, runner_up = ranked[0], ranked[1] if len(ranked) > 1 else None
        over = self.over(chosen)
        return Found(
            chosen,
            runner_up,
            {key: self._why(key, value, chosen, runner_up) for key, value in chosen.edits.items()},
            tuple(self.priced),
            over,
            self._ways_out(chosen) if over and not chosen.refused else (),
        )

    def over(self, priced: Priced) -> tuple[str, ...]:
        """Return the limits that a candidate does not keep."""
        if priced.refused:
            return LIMITS
        needs = {"memory": float(priced.bound)}
        for name, found in (("time", priced.seconds), ("energy", priced.joules), ("cost", priced.money)):
            needs[name] = found.value if found else 0.0
        return tuple(name for name in LIMITS if 0 < getattr(self.budget, name) < needs[name])

    def _variants(self) -> list[tuple[tuple[str, Any], ...]]:
        """Return every combination of the keys that are left open, but for the micro-batch."""
        choices = []
        for key, values in OPEN.items():
            name = key.removeprefix("train.")
            if getattr(self.train, name, "") == AUTO and (key != PRECISION or self.limited):
                choices.append([(key, value) for value in values])
        return list(product(*choices))

    def _largest(self, edits: dict[str, Any]) -> Priced:
        """Return the variant with the largest micro-batch that fits into memory, timed."""
        if self.train.micro_batch != AUTO:
            return self._price(edits, timed=True)
        batch = self.train.batch
        # The whole batch at once is how a batch norm wants it, and the fastest.
        whole = self._price({**edits, MICRO: 0}, timed=not self.budget.memory)
        if whole.refused or not self.budget.memory or whole.bound <= self.budget.memory:
            return whole if whole.step_seconds or whole.refused else self._price({**edits, MICRO: 0}, timed=True)
        high = (batch, whole.bound)
        # One example at a time takes longest to trace, and is looked at only where it has to be.
        for size in sorted({max(1, batch // PARTS), 1}, reverse=True):
            small = self._price({**edits, MICRO: size})
            if small.refused:
                return self._price({**edits, MICRO: 0}, timed=True)
            if small.bound <= self.budget.memory:
                break
            high = (size, small.bound)
        else:
            return self._price({**edits, MICRO: 1}, timed=True)
        best = self._between((size, small.bound), high, edits)
        return self._price({**edits, MICRO: best}, timed=True)

    def _between(self, low: tuple[int, int], high: tuple[int, int], edits: dict[str, Any]) -> int:
        """Return the largest size between one that fits and one that does not: memory grows about evenly with it."""
        limit = self.budget.memory
        while high[0] - low[0] > max(1, low[0] // STEP):
            share = (limit - low[1]) / max(1, high[1] - low[1])
            guess = low[0] + int(share * (high[0] - low[0]))
            tried = min(max(guess, low[0] + 1), high[0] - 1)
            found = self._price({**edits, MICRO: tried})
            if not found.refused and found.bound <= limit:
                low = (tried, found.bound)
                if tried + 1 < high[0]:
                    # What fits is nearly always the largest that does: look just above it first.
                    above = self._price({**edits, MICRO: tried + max(1, tried // STEP)})
                    size = above.edits[MICRO]
                    low, high = ((size, above.bound), high) if above.bound <= limit else (low, (size, above.bound))
            else:
                high = (tried, found.bound)
        return low[0]

    def _price(self, edits: dict[str, Any], timed: bool = False) -> Priced:
        priced = self.trace(edits, timed)
        self.priced.append(priced)
        return priced

    def _ways_out(self, chosen: Priced) -> tuple[dict[str, Any], ...]:
        """Return the single changes that would fit, as far as they can be had with the rest of the recipe."""
        found = []
        timed = any(getattr(self.budget, name) for name in LIMITS if name != "memory")
        for change in WAYS_OUT:
            if any(chosen.edits.get(key, _value(self.recipe, key)) == value for key, value in change.items()):
                continue
            priced = self._price({**chosen.edits, **change}, timed=timed)
            if not priced.refused and not self.over(priced):
                found.append(change)
        return tuple(found)

    def _why(self, key: str, value: Any, chosen: Priced, runner_up: Priced | None) -> str:
        if key in YIELDING:
            if value == yielding_of(self.train)[key][0]:
                return "it fits without giving this up"
            return f"nothing else stays within the limit of {', '.join(name for name in LIMITS if getattr(self.budget, name))}"
        if key == MICRO:
            if not value:
                return "the whole batch at once fits"
            return f"the largest that stays under {format_bytes(self.budget.memory)}; the batch of a step stays {self.train.batch}"
        if runner_up is None or not (chosen.step_seconds and runner_up.step_seconds):
            return "nothing else fits"
        over = self.over(runner_up)
        other = ", ".join(f"{name.removeprefix('train.')} {setting}" for name, setting in runner_up.edits.items())
        if over:
            return f"{other} does not keep the limit of {', '.join(over)}"
        ours, theirs = chosen.step_seconds.value, runner_up.step_seconds.value
        return f"{format_seconds(ours)} a step; {other} {format_seconds(theirs)}"


def yielding_of(train: Any) -> dict[str, tuple[Any, Any]]:
    """Return for each open key that changes what is learnt: what it is as long as all fits, and what it is given up for."""
    found: dict[str, tuple[Any, Any]] = {}
    if getattr(getattr(train, "optimiser", None), "bits", 32) == AUTO:
        found[BITS] = (32, 8)
    low_rank: Any = getattr(train, "low_rank", None)
    if getattr(low_rank, "kind", "none") == AUTO:
        found[LOW_RANK] = ({"kind": "none"}, {**low_rank.model_dump(mode="json"), "kind": "lora"})
    return found


def _speed(priced: Priced) -> float:
    return priced.seconds.value if priced.seconds else float("inf")


def _value(recipe: Recipe, key: str) -> Any:
    found: Any = recipe.resolved()
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
