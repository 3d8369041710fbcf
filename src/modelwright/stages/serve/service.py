"""One served release: what it is, who may ask, and the way of a question through the queue to its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ...core import registry
from ...core.errors import DataError, RecipeError
from ...core.files import read_json
from ...engine.batching import Answer, Batcher, Expired, Full, Limits, NonFinite, Ticket
from ...engine.golden import read_golden
from ...engine.predictor import LEARNT, Predictor
from ...sources.rows import Rows
from ...tasks.task import Examples
from ...tasks.vocabulary import Vocabulary
from . import classes
from .door import Answers, Columns, Door, rows_in
from .feedback import mark
from .keys import Ring
from .measures import Measures
from .rate import Rate
from .refusal import Refused, bad
from .settings import Serve
from .store import Store

# Threads that decode pictures and large bodies, so that the event loop never waits for them.
READERS = 2
# Bytes of a body that is read where it arrives.
SMALL = 1 << 15
# Answers by which is known at the start how long one takes; the first of a model is far slower than those that follow.
# Of a model that takes so many seconds no second one is waited for.
TRIES, PATIENCE = 3, 2.0
# What a person may write, whoever it is: once a second, ten at once.
WORDS_RATE, WORDS_BURST = 1.0, 10

Found = TypeVar("Found")
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


# A status that no client sees: it had gone.
GONE = 499


class Gone(Exception):
    """The client went away; there is nobody to answer."""


@dataclass(frozen=True)
class Served:
    """What is read of a release before torch is loaded."""

    folder: Path
    name: str
    digest: str
    signer: str
    recipe: dict[str, Any]
    card: str
    learnt: dict[str, Any]
    modality: str

    @cached_property
    def classes(self) -> list[str]:
        """The labels, in the order of the probabilities; none where no class is answered."""
        return [str(label) for label in self.learnt.get("classes", ())]


def read_served(folder: Path, signer: str) -> Served:
    """Read what a server says of a release, which was verified before.

    Raises:
        RecipeError: there is no door for models of its task.
    """
    modality = str(read_json(folder / "config.json")["task"]["kind"])
    if modality not in registry.names("door"):
        raise RecipeError(
            f"a model of the task '{modality}' cannot be served yet",
            where=folder,
            expected=f"one of the tasks {', '.join(registry.names('door'))}",
        )
    recipe, learnt = read_json(folder / "recipe.json"), read_json(folder / LEARNT)
    if "classes" not in learnt and "pixels" not in learnt:
        # What a language model chooses from are its tokens.
        vocabulary = Vocabulary(learnt)
        learnt = {**learnt, "classes": [vocabulary.name(token) for token in range(vocabulary.size)]}
    return Served(
        folder=folder,
        name=str(recipe.get("name", folder.name)),
        digest=str(read_json(folder / "digests.json")["model"]),
        signer=signer,
        recipe=recipe,
        card=(folder / "README.md").read_text(encoding="utf-8"),
        learnt=learnt,
        modality=modality,
    )


class Service:
    """Owns the queue, the store, the keys and whether the server is ready."""

    def __init__(self, served: Served, settings: Serve, store: Store) -> None:
        self.served, self.settings, self.store = served, settings, store
        self.door: Door = registry.function_of("door", served.modality)(served.learnt, settings)
        explained = served.modality in registry.names("explainer")
        self.explainer = registry.function_of("explainer", served.modality) if explained else None
        self.answers: Answers = self.door.answers or classes.build(served.classes)
        self.ring = Ring(store)
        self.rate = Rate(settings.rate, settings.burst, time.monotonic)
        self.words_rate = Rate(WORDS_RATE, WORDS_BURST, time.monotonic)
        self.measures = Measures(served.name, served.digest[:12])
        limits = Limits(settings.batch, settings.delay_ms / 1e3, settings.queue, settings.deadline_ms / 1e3)
        self.batcher = Batcher(limits, self.answers.work)
        self.started = time.monotonic()
        self.draining = False
        self.failure: BaseException | None = None
        self._predictor: Predictor | None = None
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")

    @property
    def network(self) -> Any:
        """The network behind the answers, for routes that ask it for more; only once the model is open."""
        assert self._predictor is not None, "the gate lets nobody in before"
        return self._predictor.network

    @property
    def ready(self) -> bool:
        """Whether a question would be answered."""
        return self._predictor is not None and not self.draining

    def start(
        self, open_model: Callable[[Path, int], Predictor], opened: Callable[[BaseException | None], None]
    ) -> None:
        """Start the model thread, where alone torch is loaded; `opened` is told that the model is open, or why it is not."""

        def opened_here() -> Callable[..., np.ndarray]:
            self._opened = open_model(self.served.folder, self.settings.threads)
            compute = self.answers.compute(self._opened)
            one = read_golden(self.served.folder)[0].take(np.zeros(1, dtype=np.int64))
            seconds = _seconds_of_one(compute, one)
            self.batcher.seconds_of_example = seconds / self.answers.work(one)
            return compute

        def told(error: BaseException | None) -> None:
            if error is None:
                self._predictor = self._opened
            else:
                self.failure = error
            opened(error)

        self.batcher.start(opened_here, told)

    async def read(self, work: Callable[[], Found], size: int, slow: bool = False) -> Found:
        """Turn a body into examples: here when it is small, in a thread when that may take a while."""
        if size <= SMALL and not slow:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    async def ask_columns(self, columns: Columns) -> np.ndarray:
        """Return the probabilities of each row of some columns, prepared off the event loop."""
        return await self.ask(await self.read(lambda: self.prepare(columns, []), 0, slow=True))

    async def ask(self, examples: Examples, receive: Receive | None = None) -> np.ndarray:
        """Return the answer to each example.

        Raises:
            Refused: no room, too late, or a failure of the model.
            Gone: the client did not wait.
        """
        try:
            idle = not self.batcher.busy
            ticket = self.batcher.submit(examples)
            watch = None
            if receive is not None and not (idle and self.settings.delay_ms == 0):
                watch = asyncio.ensure_future(self._abandon_when_gone(receive, ticket))
            try:
                return await ticket.future
            finally:
                if watch is not None:
                    watch.cancel()
        except Full as error:
            raise Refused(503, "the queue is full", retry_after=error.retry_after) from None
        except Expired as error:
            raise Refused(504, error.problems[0].found, expected=error.problems[0].expected) from None
        except NonFinite:
            raise Refused(
                500, "non-finite", field=self.answers.tensors[0].name, expected="finite numbers from the model"
            ) from None
        except asyncio.CancelledError:
            if ticket.abandoned:
                raise Gone from None
            self.batcher.abandon(ticket)
            raise
        except Exception as error:  # the model is foreign code; the client learns that it failed, the log why
            raise Refused(500, f"the model failed: {type(error).__name__}") from error

    async def _abandon_when_gone(self, receive: Receive, ticket: Ticket) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.batcher.abandon(ticket)

    def prepare(self, columns: Columns, names: list[str]) -> Examples:
        """Turn columns into examples, as preparation did with the training data; `names` are for messages.

        Raises:
            Refused: 400, a value that the model cannot take.
        """
        if self._predictor is None:
            raise Refused(503, "the model is not open yet", retry_after=1)
        origins = names if len(names) == rows_in(columns) else [str(row) for row in range(rows_in(columns))]
        try:
            task = self._predictor.task
            return task.examples(Rows(columns, origins, (), {}, None), self._predictor.learnt)
        except DataError as error:
            problem = error.problems[0]
            raise bad(problem.where, problem.found, problem.expected) from None

    def told(self, answer: np.ndarray) -> dict[str, Any]:
        """Return what is said of one answer, with its number."""
        return {"id": self.number(answer), **self.answers.tell(answer)}

    def number(self, answer: np.ndarray) -> str:
        """Return a number by which people can speak of an answer."""
        return mark(self.store.secret, self.answers.which(answer))

    def summary(self) -> dict[str, Any]:
        """Return what there is to say of serving so far."""
        return self.measures.summary(self.batcher, self.served.digest, time.monotonic() - self.started)

    def close(self) -> None:
        """Let the threads end."""
        self.batcher.close()
        self._readers.shutdown(wait=False, cancel_futures=True)


def _seconds_of_one(answer: Answer, one: Examples) -> float:
    """Return how long an answer takes once the model is warm."""
    tried: list[float] = []
    while len(tried) < TRIES and sum(tried) < PATIENCE:
        tried.append(_seconds(answer, one))
    return min(tried)


def _seconds(answer: Answer, examples: Examples) -> float:
    """Return how long some examples take to be answered."""
    began = time.perf_counter()
    answer(examples)
    return time.perf_counter() - began
