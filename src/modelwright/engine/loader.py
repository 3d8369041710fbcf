"""Making batches, in the loop's own time or ahead of it in threads.

Threads and not processes: the work is numpy's and torch's, which let other threads run meanwhile; nothing is copied from
process to process, and there is no process that could be killed. A batch depends on its step alone, so any number of
workers gives the same batches in the same order.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import torch

from ..core.errors import DataError
from ..tasks.task import Batch
from .pool import Pool, Slot

# step, indices, room -> batch
Load = Callable[[int, np.ndarray, Slot], Batch]
Steps = Iterable[tuple[int, np.ndarray | None]]
# Seconds after which a batch that does not come is taken for one that never will: a disk or network that hangs.
PATIENCE = 60.0
AHEAD = 2
# Rows that a message names.
SHOWN = 8
# Steps of a trial, and the share of a step's time that making its batch may take before a thread is tried.
WARM_UP, TRIAL, NOTICEABLE = 5, 30, 0.02


class Loader:
    """State: the pool, and the seconds that the loop has waited for batches.

    Without a number of workers the loader tries none for some steps, and one if the loop then waits noticeably; it keeps
    what was faster and tells `decided`.
    """

    def __init__(
        self,
        load: Load,
        workers: int | None,
        *,
        pinned: bool = False,
        patience: float = PATIENCE,
        decided: Callable[[int, str], None] = lambda workers, why: None,
    ) -> None:
        self.load, self.workers, self.patience, self.decided = load, workers, patience, decided
        self.ahead = (1 if workers is None else workers) + AHEAD
        self.pool = Pool(1 if workers == 0 else self.ahead + 1, pinned)
        self.waited = 0.0

    def batches(self, steps: Steps) -> Iterator[tuple[int, Batch | None]]:
        """Yield (step, batch) in the order of the steps; None stays None.

        Raises:
            DataError: a batch did not come in time; whatever else making a batch met is raised as it is.
        """
        if self.workers is None:
            return self._whatever_is_faster(iter(steps))
        return self._ahead(steps, self.workers) if self.workers else self._at_once(steps)

    def _whatever_is_faster(self, steps: Iterator[tuple[int, np.ndarray | None]]) -> Iterator[tuple[int, Batch | None]]:
        yield from self._at_once(islice(steps, WARM_UP))
        began, before = time.perf_counter(), self.waited
        yield from self._at_once(islice(steps, TRIAL))
        without = time.perf_counter() - began
        share = (self.waited - before) / without
        if share <= NOTICEABLE:
            self.decided(0, f"making a batch took {share:.1%} of a step")
            yield from self._at_once(steps)
            return
        began = time.perf_counter()
        yield from self._ahead(islice(steps, TRIAL), 1)
        ratio = without / (time.perf_counter() - began)
        chosen = int(ratio > 1)
        self.decided(
            chosen, f"making a batch took {share:.1%} of a step; with a thread for it {ratio:.2f} times as fast"
        )
        yield from self._ahead(steps, 1) if chosen else self._at_once(steps)

    def _at_once(self, steps: Steps) -> Iterator[tuple[int, Batch | None]]:
        for step, indices in steps:
            began = time.perf_counter()
            batch = None if indices is None else self._load_alone(step, indices)
            self.waited += time.perf_counter() - began
            yield step, batch

    def _load_alone(self, step: int, indices: np.ndarray) -> Batch:
        """Make a batch with one thread, as a worker does: the same sums, and waking others costs more than they bring."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return self.load(step, indices, self.pool.slot(0))
        finally:
            torch.set_num_threads(threads)

    def _ahead(self, steps: Steps, workers: int) -> Iterator[tuple[int, Batch | None]]:
        jobs: SimpleQueue[Any] = SimpleQueue()
        # One letter box for each batch that may be on its way; a box is empty again before it is used again.
        boxes: list[SimpleQueue[Any]] = [SimpleQueue() for _ in self.pool.slots]
        ended = threading.Event()
        for worker in range(workers):
            name = f"batches-{worker}"
            threading.Thread(target=self._work, args=(jobs, boxes, ended), name=name, daemon=True).start()
        try:
            coming = iter(enumerate(steps))
            asked: list[tuple[int, int, np.ndarray | None]] = []
            for number, (step, indices) in coming:
                jobs.put((number, step, indices))
                asked.append((number, step, indices))
                if len(asked) > self.ahead - 1:
                    yield self._fetch(boxes, *asked.pop(0))
            for number, step, indices in asked:
                yield self._fetch(boxes, number, step, indices)
        finally:
            ended.set()
            for _ in range(workers):
                jobs.put(None)

    def _fetch(
        self, boxes: list[SimpleQueue[Any]], number: int, step: int, indices: np.ndarray | None
    ) -> tuple[int, Batch | None]:
        began = time.perf_counter()
        try:
            answer = boxes[number % len(boxes)].get(timeout=self.patience)
        except Empty:
            raise DataError(
                f"the batch of step {step}, rows {_named(indices)}, did not come within {self.patience:.0f} seconds",
                where="train.workers",
                expected="data that can be read",
                next_step="look at the disk or network share that holds the run folder; origins.txt of the dataset names the rows, counted "
                "from 0",
            ) from None
        self.waited += time.perf_counter() - began
        if isinstance(answer, BaseException):
            raise answer
        return step, answer

    def _work(self, jobs: SimpleQueue[Any], boxes: list[SimpleQueue[Any]], ended: threading.Event) -> None:
        # The number of threads is each thread's own: the loop keeps its.
        torch.set_num_threads(1)
        while (job := jobs.get()) is not None and not ended.is_set():
            number, step, indices = job
            try:
                answer: Any = None if indices is None else self.load(step, indices, self.pool.slot(number))
            except BaseException as error:  # whatever it was, the loop raises it again
                answer = error
            boxes[number % len(boxes)].put(answer)


def _named(indices: np.ndarray | None) -> str:
    """Say which rows of its part a batch holds; looking up their names would ask the disk that hangs."""
    rows = [] if indices is None else np.asarray(indices).tolist()
    return ", ".join(map(str, rows[:SHOWN])) + (f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")
