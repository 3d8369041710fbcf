"""The accountant: how many noisy steps were taken, with which noise and sampling rate. It forgets nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from ..core.errors import RecipeError
from .loop import Moment


class Accountant:
    """State: the noisy steps of this training, in the checkpoint; and every one ever begun, in a file of its own.

    A killed training takes the steps since its checkpoint again. What they gave before was thrown away with the process, so
    the weights owe it nothing; but somebody may have watched, so those steps are in the ledger all the same.
    """

    def __init__(self, ledger: Path, *, noise: float, rate: float, clip: float) -> None:
        self.ledger, self.noise, self.rate, self.clip = ledger, noise, rate, clip
        self.steps = 0

    def count(self) -> None:
        """Count a step, in the ledger too, before it is taken: what is counted and never happens costs little."""
        self.steps += 1
        place = os.open(self.ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(place, b".")
        finally:
            os.close(place)

    def __call__(self, moment: Moment) -> bool:
        """Look at a step: one that changed the weights and was not counted would be a lie about epsilon."""
        if moment.step + 1 != self.steps:
            raise AssertionError(f"{moment.step + 1} steps were taken, and the accountant knows of {self.steps}")
        return False

    @property
    def begun(self) -> int:
        """Every step ever begun, those that a kill took back included."""
        return max(self.steps, self.ledger.stat().st_size if self.ledger.exists() else 0)

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        return {}, {"steps": self.steps, "noise": self.noise, "rate": self.rate, "clip": self.clip}

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint.

        Raises:
            RecipeError: its steps were taken with other noise, sampling or clipping.
        """
        before = (numbers["noise"], numbers["rate"], numbers["clip"])
        if before != (self.noise, self.rate, self.clip):
            raise _mixed(f"its steps were taken with noise {before[0]:g}, rate {before[1]:g} and clip {before[2]:g}")
        self.steps = numbers["steps"]

    def agree(self, step: int) -> None:
        """Compare with the step that training resumes at.

        Raises:
            RecipeError: some steps before it were not private.
        """
        if self.steps != step:
            raise _mixed(f"only {self.steps} of its {step} steps were private")


def _mixed(found: str) -> RecipeError:
    return RecipeError(
        f"the checkpoint belongs to another kind of training: {found}",
        where="train.privacy",
        expected="a training that is private from its first step, in one way",
        next_step="take the old recipe back, or start anew with --from-scratch",
    )
