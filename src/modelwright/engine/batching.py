"""One model thread behind a bounded queue: requests that wait together are answered together, late ones not at all.

The event loop submits, the thread answers. What the model cannot finish in time is refused at the door, from what the
thread has taken for an example lately, so that whoever gets in is answered and whoever does not knows at once.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.errors import ModelwrightError
from ..tasks.task import Examples

# Weight of the newest batch in the running mean of the seconds that an example takes.
NEWEST = 0.2
# Who would be answered later than this part of the deadline is not let in: the mean is a guess.
SLACK = 0.85
# No batch takes longer than this part of the deadline: when the machine slows down, some are late and not all.
SLICE = 0.25

Answer = Callable[[Examples], np.ndarray]


class Full(ModelwrightError):
    """There is no room in the queue, or no time left for what would wait in it."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("the queue is full", expected=f"another try in {retry_after:.1f} s")
        self.retry_after = retry_after


class Expired(ModelwrightError):
    """The deadline of a request has passed before its answer was there."""


class NonFinite(ModelwrightError):
    """The model answered with NaN or infinity."""


@dataclass(frozen=True)
class Limits:
    """How much may wait, how long, and how much is answered at once."""

    batch: int
    delay_seconds: float
    queue: int
    deadline_seconds: float


@dataclass
class Counts:
    """What has become of the requests so far."""

    batches: int = 0
    examples: int = 0
    answered: int = 0
    refused: int = 0
    expired: int = 0
    abandoned: int = 0
    failed: int = 0


@dataclass(eq=False)
class Ticket:
    """One request in the queue: what is asked, and where the answer goes."""

    examples: Examples
    future: asyncio.Future[np.ndarray]
    work: int
    timer: asyncio.TimerHandle | None = None
    begun: bool = False
    abandoned: bool = False


@dataclass
class _Shared:
    """What the event loop and the model thread both touch, under one lock."""

    ready: threading.Condition = field(default_factory=threading.Condition)
    waiting: deque[Ticket] = field(default_factory=deque)
    examples: int = 0
    # Of what waits, and of what is being computed: in units that take about equally long.
    work: int = 0
    computing: int = 0
    began: float = 0.0
    closed: bool = False


class Batcher:
    """Owns the queue, the model thread and the measured seconds of a unit of work, which is an example unless `work` counts others."""

    def __init__(self, limits: Limits, work: Callable[[Examples], int] = len) -> None:
        self.limits, self.counts, self._work_of = limits, Counts(), work
        self.seconds_of_example = 0.0
        self._shared = _Shared()
        self._waking = False
        self._thread: threading.Thread | None = None

    def start(self, open_model: Callable[[], Answer], opened: Callable[[BaseException | None], None]) -> None:
        """Start the thread; it opens the model itself, and tells the event loop when it is open or why it is not."""
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, args=(open_model, opened, loop), name="model", daemon=True)
        self._thread.start()

    def wait_seconds(self, work: int = 0) -> float:
        """Return how long the last of some more work would take to be answered, as far as one can tell."""
        shared = self._shared
        ahead = shared.work + shared.computing + work
        spent = time.monotonic() - shared.began if shared.computing else 0.0
        return max(0.0, ahead * self.seconds_of_example - min(spent, shared.computing * self.seconds_of_example))

    @property
    def depth(self) -> int:
        """How many requests wait."""
        return len(self._shared.waiting)

    @property
    def busy(self) -> bool:
        """Whether anything waits or is being computed."""
        return bool(self._shared.waiting) or self._shared.computing > 0

    def retry_after(self, work: int = 1) -> float | None:
        """Return after how many seconds to try again, or nothing where there is room now."""
        in_time = self.wait_seconds(work) <= SLACK * self.limits.deadline_seconds
        # What an idle model is about to begin does not wait.
        waiting = self.depth - (self._shared.computing == 0)
        if waiting < self.limits.queue and (in_time or not self.busy):
            return None
        return max(1.0, self.wait_seconds())

    def submit(self, examples: Examples) -> Ticket:
        """Put a request into the queue; its ticket's future will hold the answer.

        Raises:
            Full: no room; says when to try again.
        """
        work = self._work_of(examples)
        late = self.retry_after(work)
        if late is not None:
            self.counts.refused += 1
            raise Full(late)
        loop = asyncio.get_running_loop()
        ticket = Ticket(examples, loop.create_future(), work)
        ticket.timer = loop.call_later(self.limits.deadline_seconds, self._expire, ticket)
        with self._shared.ready:
            self._shared.waiting.append(ticket)
            self._shared.examples += len(examples)
            self._shared.work += work
        # Once for all that the event loop has read in one go: what came together is computed together.
        if not self._waking:
            self._waking = True
            loop.call_soon(self._wake)
        return ticket

    def _wake(self) -> None:
        self._waking = False
        with self._shared.ready:
            self._shared.ready.notify()

    def abandon(self, ticket: Ticket) -> None:
        """Nobody waits for this any more: drop it, if it has not begun."""
        # Whoever waited may have been cancelled, and the future with it.
        if not ticket.abandoned and (not ticket.future.done() or ticket.future.cancelled()):
            ticket.abandoned = True
            self.counts.abandoned += 1
            self._withdraw(ticket)
            ticket.future.cancel()

    def close(self) -> None:
        """Let the thread end once the queue is empty."""
        with self._shared.ready:
            self._shared.closed = True
            self._shared.ready.notify()

    def _expire(self, ticket: Ticket) -> None:
        if not ticket.future.done():
            self.counts.expired += 1
            self._withdraw(ticket)
            ticket.future.set_exception(
                Expired("no answer in time", expected=f"{self.limits.deadline_seconds:g} s at most")
            )

    def _withdraw(self, ticket: Ticket) -> None:
        """Free the slot of a ticket that has not begun."""
        if ticket.timer is not None:
            ticket.timer.cancel()
        with self._shared.ready:
            if not ticket.begun and ticket in self._shared.waiting:
                self._shared.waiting.remove(ticket)
                self._shared.examples -= len(ticket.examples)
                self._shared.work -= ticket.work

    def _work(
        self,
        open_model: Callable[[], Answer],
        opened: Callable[[BaseException | None], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """The thread: open the model, then answer batch after batch until closed."""
        try:
            answer = open_model()
        except BaseException as error:  # whatever it is, it belongs to whoever waits for the model, in another thread
            _tell(loop, opened, error)
            return
        _tell(loop, opened, None)
        while tickets := self._next_batch():
            began = time.monotonic()
            outcomes = _answer_all(answer, tickets)
            self._measured(time.monotonic() - began, tickets)
            _tell(loop, self._deliver, list(zip(tickets, outcomes, strict=True)))

    def _next_batch(self) -> list[Ticket]:
        """Wait for work; return what is computed together, or nothing when the thread is to end."""
        shared, limits = self._shared, self.limits
        with shared.ready:
            shared.computing = 0
            while True:
                shared.ready.wait_for(lambda: shared.waiting or shared.closed)
                if not shared.waiting:
                    return []
                if limits.delay_seconds:
                    shared.ready.wait_for(
                        lambda: shared.examples >= limits.batch or shared.closed, limits.delay_seconds
                    )
                # During the delay everything may have been withdrawn.
                if tickets := self._take():
                    return tickets

    def _take(self) -> list[Ticket]:
        """Take what fits into one batch; a request larger than a batch goes alone, its answers belong together."""
        shared = self._shared
        tickets: list[Ticket] = []
        taken, work, most = 0, 0, math.inf
        if self.seconds_of_example:
            most = SLICE * self.limits.deadline_seconds / self.seconds_of_example
        while shared.waiting:
            ticket = shared.waiting[0]
            fits = taken + len(ticket.examples) <= self.limits.batch and work + ticket.work <= most
            if tickets and not fits:
                break
            shared.waiting.popleft()
            ticket.begun = True
            taken += len(ticket.examples)
            work += ticket.work
            tickets.append(ticket)
        shared.examples -= taken
        shared.work -= work
        shared.computing, shared.began = work, time.monotonic()
        return tickets

    def _measured(self, seconds: float, tickets: Sequence[Ticket]) -> None:
        mean = seconds / sum(ticket.work for ticket in tickets)
        before = self.seconds_of_example
        self.seconds_of_example = mean if before == 0 else before + NEWEST * (mean - before)
        self.counts.batches += 1
        self.counts.examples += sum(len(ticket.examples) for ticket in tickets)

    def _deliver(self, outcomes: Sequence[tuple[Ticket, np.ndarray | Exception]]) -> None:
        for ticket, outcome in outcomes:
            if ticket.timer is not None:
                ticket.timer.cancel()
            if ticket.future.done():
                continue
            if isinstance(outcome, Exception):
                self.counts.failed += 1
                ticket.future.set_exception(outcome)
            else:
                self.counts.answered += 1
                ticket.future.set_result(outcome)


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *arguments: Any) -> None:
    """Call in the event loop, unless that has ended: then nobody is left to tell."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(what, *arguments)


def _answer_all(answer: Answer, tickets: Sequence[Ticket]) -> list[np.ndarray | Exception]:
    """Answer tickets together; when that fails, each alone, so that only the one at fault bears it."""
    try:
        answers = answer(join([ticket.examples for ticket in tickets]))
    except Exception as error:  # the model is foreign code
        if len(tickets) == 1:
            return [error]
        return [_answer_all(answer, [ticket])[0] for ticket in tickets]
    outcomes: list[np.ndarray | Exception] = []
    start = 0
    for ticket in tickets:
        own = answers[start : start + len(ticket.examples)]
        start += len(ticket.examples)
        # What is no array of numbers was looked at by whoever made it.
        finite = len(own) == len(ticket.examples) and (own.dtype == object or bool(np.isfinite(own).all()))
        outcomes.append(own if finite else NonFinite("non-finite", where="the answer of the model"))
    return outcomes


def join(parts: Sequence[Examples]) -> Examples:
    """Return the rows of some examples one after the other."""
    if len(parts) == 1:
        return parts[0]
    names = parts[0].columns
    return Examples({name: np.concatenate([part.columns[name] for part in parts]) for name in names}, parts[0].learnt)
