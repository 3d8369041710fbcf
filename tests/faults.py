"""A file system that fails: at its k-th call it reports an error, or the power goes and nothing works any more."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

# What is counted. `close` fails after it has closed, so that no handle is lost; that of a folder does not fail.
CALLS = ("open", "write", "fsync", "close", "replace", "rename", "unlink", "rmdir", "mkdir", "ftruncate")


class PowerCut(BaseException):
    """The moment at which the machine stops."""


class FailingSystem:
    """Counts calls of the operating system and makes one of them fail; after a power cut every later one fails too."""

    def __init__(self, patch: pytest.MonkeyPatch, fail_at: int, error: BaseException) -> None:
        self.count, self.fail_at, self.error = 0, fail_at, error
        for name in CALLS:
            patch.setattr(os, name, self._wrap(getattr(os, name), after=name == "close"))
        patch.setattr(io, "open", self._wrap(io.open, stream=True))

    def _fails(self) -> bool:
        self.count += 1
        return self.count == self.fail_at or (isinstance(self.error, PowerCut) and 0 < self.fail_at < self.count)

    def _wrap(self, real: Callable[..., Any], after: bool = False, stream: bool = False) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **words: Any) -> Any:
            failing = not (after and stat.S_ISDIR(os.fstat(arguments[0]).st_mode)) and self._fails()
            if failing and not after:
                raise self.error
            result = real(*arguments, **words)
            if failing:
                raise self.error
            return self._failing_writer(result) if stream and "w" in str(arguments[1:2]) else result

        return wrapped

    def _failing_writer(self, stream: Any) -> Any:
        system = self

        class Writer:
            """A stream whose writes and flushes are calls of the operating system too; a write that fails writes half."""

            def __enter__(self) -> Writer:
                return self

            def __exit__(self, *error: object) -> None:
                stream.close()

            def write(self, content: Any) -> int:
                if system._fails():
                    stream.write(content[: len(content) // 2])
                    raise system.error
                return int(stream.write(content))

            def flush(self) -> None:
                system._wrap(stream.flush)()

            def fileno(self) -> int:
                return int(stream.fileno())

        return Writer()


@contextmanager
def failing(fail_at: int, error: BaseException) -> Iterator[FailingSystem]:
    """Let the k-th call within the block fail."""
    with pytest.MonkeyPatch.context() as patch:
        yield FailingSystem(patch, fail_at, error)


def calls_of(action: Callable[[], object]) -> int:
    """Return how many calls an action makes when nothing fails."""
    with failing(0, OSError()) as system:
        action()
    return system.count
