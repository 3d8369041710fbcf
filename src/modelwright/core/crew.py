"""The processes that carry out a stage together. One process alone is a crew of one, and asks nobody."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from .errors import Interrupted


class Crew(Protocol):
    """What a stage asks of the processes that carry it out. Rank 0 leads: it alone writes, tells and decides."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    def together(self, context: Any) -> AbstractContextManager[None]:
        """Let the others come to the stage that rank 0 is about to carry out."""
        ...

    def share(self, make: Callable[[], Any]) -> Any:
        """Let rank 0 make something that JSON can say, and return it in every process; so with being interrupted."""
        ...

    def collect(self, value: Any) -> list[Any]:
        """Return what each process has, as far as JSON can say it, in the order of their ranks."""
        ...

    def watched(self, first: float) -> AbstractContextManager[None]:
        """Take it for a process that hangs when for too long nothing goes on inside; the first sign may take `first` times as long."""
        ...

    def sign(self) -> None:
        """Say that something goes on."""
        ...


@dataclass(frozen=True)
class Alone:
    """A crew of one."""

    rank: int = 0
    size: int = 1

    def together(self, context: Any) -> AbstractContextManager[None]:
        """There is nobody to call."""
        return nullcontext()

    def share(self, make: Callable[[], Any]) -> Any:
        """Make it."""
        return make()

    def collect(self, value: Any) -> list[Any]:
        """There is one value."""
        return [value]

    def watched(self, first: float) -> AbstractContextManager[None]:
        """Nobody waits for this process."""
        return nullcontext()

    def sign(self) -> None:
        """Nobody listens."""


ALONE = Alone()


class LostContact(Interrupted):
    """Another process of the crew is gone or hangs; what was saved can be gone on from."""
