"""One thread that writes for many at once: whoever comes joins the next step, whoever is done makes room.

Keys and values of all rows lie in room that is taken once. The event loop asks, the thread tells it each token.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from ..models.cache import Slots
from ..models.reading import reader_of
from .batching import Expired, Full
from .generation import Sampling, choose

LENGTH, STOP = "length", "stop"


@dataclass(frozen=True)
class Likely:
    """A token with its log-probability, and the most likely ones in its place."""

    token: int
    logprob: float
    best: tuple[tuple[int, float], ...] = ()


@dataclass(eq=False)
class Writing:
    """One text to be written: from which tokens, how long, how; and who hears of it.

    `hear` is called in the thread with a Likely for each token, then once with the reason why there are no more, or with an error.
    """

    prompt: list[int]
    count: int
    sampling: Sampling
    seed: int
    best: int
    hear: Callable[[Likely | str | BaseException], None]
    deadline: float = field(default_factory=lambda: time.monotonic() + 60.0)
    # Whether the token that ends the text is told, too.
    with_end: bool = False
    # Set by whoever no longer listens.
    abandoned: bool = False
    written: int = 0
    generator: torch.Generator | None = None
    last: int = 0


@dataclass(eq=False)
class Reading:
    """Anything else that is asked of the network, in the same thread: a function of it, and who hears the answer."""

    work: Callable[[Any], Any]
    hear: Callable[[Any], None]


class Scribe:
    """Owns the thread, the queue, and the room for keys and values.

    `network` is called once, in the thread; `end` is the token that ends a text.
    """

    def __init__(self, network: Callable[[], Any], end: int, slots: int, queue: int) -> None:
        self._network, self.end, self.slots, self.queue = network, end, slots, queue
        self._waiting: deque[Writing | Reading] = deque()
        self._ready = threading.Condition()
        self._active: list[Writing] = []
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether anything waits or is being written."""
        return bool(self._waiting or self._active)

    def ask(self, *wanted: Writing | Reading) -> None:
        """Put work into the queue: all of it, or nothing.

        Raises:
            Full: there is no room.
        """
        with self._ready:
            if len(self._waiting) + len(wanted) > self.queue:
                raise Full(1.0)
            self._waiting.extend(wanted)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="scribe", daemon=True)
                self._thread.start()
            self._ready.notify()

    def close(self) -> None:
        """Let the thread end once nothing waits and nothing is being written."""
        with self._ready:
            self._closed = True
            self._ready.notify()

    def _work(self) -> None:
        network = self._network()
        shape = network.shape
        slots = Slots(
            shape.layers,
            self.slots,
            shape.key_value_heads,
            network.length,
            shape.head_width,
            network.embedding.weight.dtype,
        )
        reader = reader_of(network)
        with torch.inference_mode():
            while True:
                with self._ready:
                    self._ready.wait_for(lambda: self._closed or self._waiting or self._active)
                    if self._closed and not self._waiting and not self._active:
                        return
                    arrived = self._take(self.slots - len(self._active))
                for item in arrived:
                    self._begin(network, reader, slots, item)
                if self._active:
                    self._step(reader, slots)

    def _take(self, room: int) -> list[Writing | Reading]:
        """Take from the queue what can begin: texts as long as there is room, everything else at once."""
        taken: list[Writing | Reading] = []
        while self._waiting and (room > 0 or isinstance(self._waiting[0], Reading)):
            item = self._waiting.popleft()
            room -= isinstance(item, Writing)
            taken.append(item)
        return taken

    def _begin(self, network: Any, reader: Any, slots: Slots, item: Writing | Reading) -> None:
        try:
            if isinstance(item, Reading):
                item.hear(item.work(network))
                return
            if item.abandoned:
                return
            if time.monotonic() > item.deadline:
                raise Expired("no answer within the deadline", expected="fewer requests at once")
            item.generator = torch.Generator().manual_seed(item.seed)
            row = slots.add_row()
            tokens = torch.tensor([item.prompt])
            last = (torch.tensor([0]), torch.tensor([len(item.prompt) - 1]))
            logits = reader(tokens, cache=slots.first_read(row), only=last)
            slots.set_length(row, len(item.prompt))
            self._active.append(item)
            self._tell(slots, [row], logits)
        except Exception as error:  # the border of this thread: one request must not take the others down
            item.hear(error)

    def _step(self, reader: Any, slots: Slots) -> None:
        try:
            tokens = torch.tensor([[item.last] for item in self._active])
            rows = torch.arange(len(self._active))
            logits = reader(tokens, cache=slots, only=(rows, torch.zeros_like(rows)))
            self._tell(slots, list(range(len(self._active))), logits)
        except Exception as error:  # as above; what was being written cannot go on
            for item in self._active:
                item.hear(error)
            self._active.clear()
            slots.clear()

    def _tell(self, slots: Slots, rows: list[int], logits: torch.Tensor) -> None:
        """Choose the next token of each row, tell who waits for it, and take away the rows that are done."""
        done = []
        for row, scores in zip(rows, logits, strict=True):
            item = self._active[row]
            token = int(choose(scores[None], item.sampling, item.generator)[0])
            if item.abandoned:
                done.append(row)
            elif token == self.end:
                if item.with_end:
                    item.hear(likely(scores, token, item.best))
                item.hear(STOP)
                done.append(row)
            else:
                item.last, item.written = token, item.written + 1
                item.hear(likely(scores, token, item.best))
                if item.written >= item.count:
                    item.hear(LENGTH)
                    done.append(row)
        for row in reversed(done):
            # The last row moves into the place of the one that goes, here as there.
            slots.drop_row(row)
            self._active[row] = self._active[-1]
            self._active.pop()


def likely(scores_V: torch.Tensor, token: int, best: int) -> Likely:
    """Return a token's log-probability and the most likely tokens in its place.

    Shapes: scores (v,) float -> Likely
    """
    logprobs = scores_V.float().log_softmax(dim=-1)
    top = logprobs.topk(min(best, len(logprobs))) if best else None
    pairs = tuple(zip(top.indices.tolist(), top.values.tolist(), strict=True)) if top is not None else ()
    return Likely(token, float(logprobs[token]), pairs)


def score(network: Any, tokens: list[int], best: int) -> list[Likely]:
    """Return every token after the first with its log-probability given those before it."""
    logits = network(torch.tensor([tokens]))[0]
    return [likely(scores, token, best) for scores, token in zip(logits[:-1], tokens[1:], strict=True)]


def embed(network: Any, tokens: list[int]) -> list[float]:
    """Return the mean of the last states of a text, of length one."""
    states_TW = network.read(torch.tensor([tokens]))[0].float()
    mean_W = states_TW.mean(dim=0)
    embedded: list[float] = (mean_W / mean_W.norm().clamp(min=1e-12)).tolist()
    return embedded
