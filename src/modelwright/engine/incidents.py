"""What happened to which examples in which step: the order of the data as a digest, and the steps that were not taken."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch

from .guard import Guard
from .loop import Moment, Verdict

# Examples of a bad step that are named in the journal; a batch may hold thousands.
NAMED = 64


class DataOrder:
    """State: a digest over which examples stood in which step so far. Equal digests, equal order."""

    def __init__(self) -> None:
        self.digest = ""

    def __call__(self, moment: Moment) -> bool:
        """Take in one step."""
        seen = hashlib.sha256(f"{self.digest}/{moment.step}".encode())
        if moment.batch is not None:
            seen.update(moment.batch.indices.tobytes())
        self.digest = seen.hexdigest()
        return False

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        return {}, {"digest": self.digest}

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.digest = numbers["digest"]


def note_skipped(guard: Guard, note: Callable[..., Any]) -> Callable[[Moment], bool]:
    """Return the observer that writes into the journal which step was not taken, why, and which examples stood in it."""

    def observe(moment: Moment) -> bool:
        if moment.verdict is not Verdict.APPLY and moment.batch is not None:
            examples = [int(index) for index in moment.batch.indices[:NAMED]]
            note("step skipped", step=moment.step, reason=guard.reason, examples=examples, of=len(moment.batch))
        return False

    return observe
