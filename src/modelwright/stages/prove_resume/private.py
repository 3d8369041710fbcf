"""What of a private training must be equal after a resume: its noise cannot be had again, its counts and its sampling can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# Whatever a privacy claim is made from, but for the chances of the draws.
COUNTED = ("kind", "noise", "rate", "clip", "batch", "delta", "examples")
SPENT = ("steps", "epsilon")
METHOD = (
    "noise, rate, clip, delta, steps and epsilon of the accountant compared, and the order of the examples with that of the "
    "sampler; the weights of a private training are never the same twice, because its noise comes from the operating system"
)


def private_part(model: Path) -> dict[str, Any]:
    """Return what a training wrote down of its privacy; nothing of an ordinary one."""
    record: dict[str, Any] = json.loads((model / "training.json").read_text())
    return dict(record.get("privacy") or {})


def private_difference(one: dict[str, Any], other: dict[str, Any], *, may_end_early: bool) -> str:
    """Say what differs between an undisturbed private training and a resumed one; nothing if both are as claimed.

    Where training ends when validation no longer gets better, other noise may end it at another step.
    """
    names = [name for name in (*COUNTED, *(() if may_end_early else SPENT)) if one.get(name) != other.get(name)]
    if names:
        return f"these differ: {', '.join(names)}"
    if not other.get("order_as_drawn"):
        return "the examples did not stand in the order in which the sampler draws them"
    if other.get("begun", 0) < other["steps"]:
        return f"{other['steps']} steps were taken, and only {other.get('begun', 0)} begun ones are known"
    return ""
