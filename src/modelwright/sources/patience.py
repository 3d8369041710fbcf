"""Reading that may hang, as a network share does that is gone: in a thread, and we wait only so long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from modelwright.core.errors import DataError

# Seconds without an answer after which a disk or a share is taken for frozen.
PATIENCE = 60.0
Answer = TypeVar("Answer")


class Patient:
    """State: a thread that does what it is asked; one that hangs is left behind, and the next question gets a new one."""

    def __init__(self) -> None:
        self.questions: SimpleQueue[Callable[[], Any]] | None = None
        self.answers: SimpleQueue[Any] = SimpleQueue()
        self.one_at_a_time = threading.Lock()

    def __call__(self, work: Callable[[], Answer], where: object) -> Answer:
        """Return what `work` returns, or raise what it raises.

        Raises:
            DataError: nothing came in time; names the place.
        """
        with self.one_at_a_time:
            if self.questions is None:
                self.questions, self.answers = SimpleQueue(), SimpleQueue()
                threading.Thread(target=_work, args=(self.questions, self.answers), name="reading", daemon=True).start()
            self.questions.put(work)
            try:
                answer, error = self.answers.get(timeout=PATIENCE)
            except Empty:
                self.questions = None
                raise DataError(
                    f"nothing came for {PATIENCE:g} s",
                    where=where,
                    expected="a file that can be read",
                    next_step="look at the disk or network share that holds it",
                ) from None
        if error is not None:
            raise error
        result: Answer = answer
        return result


def _work(questions: SimpleQueue[Callable[[], Any]], answers: SimpleQueue[Any]) -> None:
    while True:
        work = questions.get()
        try:
            answers.put((work(), None))
        except BaseException as error:  # whatever it is, it belongs to whoever waits
            answers.put((None, error))


patiently = Patient()
