"""The thread that ends a process when nothing goes on any more: another process is frozen, or a message is lost for good."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

LOOK_SECONDS = 0.5
# Keys by which the first process sends the others home, and each of them says that it has gone.
DISMISSED, GONE = "dismissed", "gone"
# What takes so many times as long as the longest step before it is no step any more.
LONGEST = 4.0
# How long a process may be busy with a stage that is over in the first one.
OVER_SECONDS = 5.0
# How long the end of a watch waits for a question that is still out.
GIVEN_UP_SECONDS = 1.0


def home() -> str:
    """Return what two processes have in common that know each other by number."""
    return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid') if sys.platform == 'linux' else ''}"


@dataclass(frozen=True)
class Seen:
    """What the store said when it last answered: the signs of the first process, whether it has left, and sent us home."""

    count: int | None = None
    over: bool = False
    dismissed: bool = False


class Watchdog:
    """State: the last sign of the first process, and when it came.

    The first process counts its signs into the store, and ends itself when it gives none; the others look whether the count
    goes up. Whoever ends is noticed by what started it, and all begin again from the last checkpoint. The store may be in the
    very process that freezes, which leaves a question without an answer for ever: so one thread asks, and another watches.
    """

    def __init__(self, store: Any, rank: int, patience: float, first: float, signs: list[int], call: int) -> None:
        self.store, self.rank, self.signs, self.call = store, rank, signs, call
        self.patience, self.first = patience, first
        self._stopped = threading.Event()
        self._neighbours: list[int] = []
        self._seen = Seen()
        self._asker = threading.Thread(target=self._ask, name="watchdog's questions", daemon=True)
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        # Asked while there is an answer.
        self._neighbours = self._find_neighbours()
        self._seen = Seen(self._count())
        self._asker.start()
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()
        self._thread.join()
        # A question that nobody answers any more is not waited for.
        self._asker.join(GIVEN_UP_SECONDS)

    def _ask(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            self._seen = Seen(self._count(), self.rank > 0 and self._has(f"over/{self.call}"), self._has(DISMISSED))

    def _watch(self) -> None:
        first = seen = self._seen.count
        since, over, longest = time.monotonic(), 0.0, 0.0
        while not self._stopped.wait(LOOK_SECONDS):
            count, now = self._seen.count, time.monotonic()
            if count is not None and count != seen:
                longest = max(longest, now - since if seen != first else 0.0)
                seen, since = count, now
            allowed = self.patience * self.first if seen == first else max(self.patience, LONGEST * longest)
            if now - since > allowed:
                self._end(f"nothing went on in the first process for {allowed:.0f} s, so another one hangs")
            over = over or (now if self._seen.over else 0.0)
            if over and now - over > OVER_SECONDS:
                self._end("the first process has left the training")

    def _count(self) -> int | None:
        """Return how many signs the first process has given; nothing where it cannot be asked."""
        try:
            if self.rank == 0:
                self.store.set("signs", str(self.signs[0]))
                return self.signs[0]
            return int(self.store.get("signs")) if self.store.check(["signs"]) else 0
        except RuntimeError:  # the machine of the store is cut off
            return self.signs[0] if self.rank == 0 else None

    def _has(self, key: str) -> bool:
        try:
            return bool(self.store.check([key]))
        except RuntimeError:  # as above
            return False

    def _end(self, why: str) -> None:
        if not self._stopped.is_set():
            sys.stderr.write(f"rank {self.rank}: {why}\n")
            sys.stderr.flush()
            self._end_neighbours()
            os._exit(0 if self._leaves_in_peace() else 1)

    def _find_neighbours(self) -> list[int]:
        """Return the other processes on this machine, by number."""
        found: list[int] = []
        rank = 0
        while self.store.check([f"process/{rank}"]):
            place, number = json.loads(self.store.get(f"process/{rank}"))
            if place == home() and number != os.getpid():
                found.append(number)
            rank += 1
        return found

    def _end_neighbours(self) -> None:
        """End the others on this machine, if they are still expected to work: a frozen process hears nothing softer."""
        for number in [] if self._seen.over else self._neighbours:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    def _leaves_in_peace(self) -> bool:
        """Whether the first process has sent the others home; it is told that this one goes."""
        if not (self.rank > 0 and self._seen.dismissed):
            return False
        with suppress(RuntimeError):  # the machine of the store is cut off
            self.store.set(f"{GONE}/{self.rank}", "")
        return True
