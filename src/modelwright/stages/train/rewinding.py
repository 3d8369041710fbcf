"""Going back: to the last checkpoint, and past the steps that could not be taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.files import read_json, write_json
from ...core.stage import Context
from ...engine.checkpoint import drop_newest
from ...engine.guard import Guard
from ...engine.observers import Keeper


class Rewinds:
    """State, on disk so that a killed training still knows it: how often it went back, to where, and what to pass over."""

    def __init__(self, path: Path, most: int) -> None:
        self.path, self.most = path, most
        found: dict[str, Any] = read_json(path) if path.exists() else {"count": 0, "last": -1, "passed_over": []}
        self.count: int = found["count"]
        self.last: int = found["last"]
        self.passed_over: list[int] = found["passed_over"]

    def without_passed_over(self, batches: Iterable[tuple[int, np.ndarray]]) -> Iterator[tuple[int, np.ndarray | None]]:
        """Yield the steps; those to pass over without examples."""
        avoided = set(self.passed_over)
        return ((step, None if step in avoided else indices) for step, indices in batches)

    def go_back(self, context: Context, keeper: Keeper, guard: Guard) -> int:
        """Put back the newest whole checkpoint and return its step; the bad steps that led here will be passed over.

        Twice to the same checkpoint would be once too often: then the one before it is taken, if there is one.

        Raises:
            DataError: training went back as often as it may.
        """
        if self.count >= self.most:
            raise cannot_go_on(guard, keeper.step, self.count)
        bad = self._bad_steps(guard, keeper.step)
        checkpoint, _ = keeper.newest()
        if checkpoint and checkpoint.step == self.last and context.crew.share(lambda: drop_newest(keeper.folder)):
            checkpoint, _ = keeper.newest()
        if checkpoint is None:
            raise cannot_go_on(guard, keeper.step, self.count)
        self.count, self.last = self.count + 1, checkpoint.step
        self.passed_over = sorted({*self.passed_over, *bad})
        if context.crew.rank == 0:
            write_json(self.path, {"count": self.count, "last": self.last, "passed_over": self.passed_over})
        context.note("training went back", to=checkpoint.step, reason=guard.reason, passing_over=bad)
        message = f"{guard.reason} {guard.in_a_row} times in a row: back to step {checkpoint.step}, past step {bad[0]} to {bad[-1]}"
        keeper.restore(checkpoint)
        guard.forgive()
        context.progress(checkpoint.step, keeper.total, message)
        return checkpoint.step

    def _bad_steps(self, guard: Guard, reached: int) -> list[int]:
        """Return the last steps that were judged, as many as were bad in a row."""
        judged = [step for step in range(reached) if step not in set(self.passed_over)]
        return judged[len(judged) - guard.in_a_row :]


def cannot_go_on(guard: Guard, step: int, rewinds: int) -> DataError:
    """Return the error of a training that must end."""
    before = f", after going back {rewinds} times" if rewinds else ""
    return DataError(
        f"{guard.in_a_row} steps in a row could not be taken: {guard.reason or 'see the journal'}{before}",
        where=f"train, step {step}",
        expected="finite losses and gradients, and no jumps of the loss",
        next_step="lower train.optimiser.lr, set train.clip_norm, or look for bad values in the examples that the journal names",
    )
