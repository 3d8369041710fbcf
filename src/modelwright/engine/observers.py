"""Observers look on and may ask to stop: the loss history, the watch on the validation part, the keeper of checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.errors import Interrupted
from ..core.stage import Answer, Context
from ..tasks.task import Examples
from .cadence import Cadence
from .checkpoint import Checkpoint, load_newest, load_step, save_checkpoint
from .loop import Moment, Verdict
from .predictor import Predictor, in_batches
from .state import put_state, take_state
from .turn import Turn

# Up to this size the bytes of a checkpoint do not tell how long it takes to write.
SMALL_BYTES = 1 << 20


class LossHistory:
    """State: the mean training loss of each epoch so far, and the sum and count of the present one."""

    def __init__(self, steps_per_epoch: int) -> None:
        self.steps_per_epoch = steps_per_epoch
        self.points: list[dict[str, float]] = []
        self._sum, self._count, self.recent = 0.0, 0, float("nan")

    def __call__(self, moment: Moment) -> bool:
        """Add the losses of a step that was taken."""
        if moment.verdict is Verdict.APPLY:
            # All finite: the guard takes no other step.
            self._sum += float(moment.losses.sum(dtype=torch.float64))
            self._count += len(moment.losses)
        self.recent = self._sum / max(1, self._count)
        if (moment.step + 1) % self.steps_per_epoch == 0:
            self.points.append({"step": moment.step + 1, "loss": self.recent})
            self._sum, self._count = 0.0, 0
        return False

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        return {}, {"points": self.points, "sum": self._sum, "count": self._count}

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.points, self._sum, self._count = numbers["points"], numbers["sum"], numbers["count"]


def measure(predictor: Predictor, examples: Examples, heed: Callable[[], None] | None = None) -> dict[str, float]:
    """Return the mean loss (nats) of a predictor on some examples, and its accuracy where there are classes.

    `heed` is called before each batch; what it raises ends the measurement.
    """
    if "classes" not in predictor.learnt:
        return {"loss": _mean_loss(predictor, examples, heed)}
    answers = predictor.predict(examples) if heed is None else _predict(predictor, examples, heed)
    targets = examples.columns["target"]
    right = answers[np.arange(len(targets)), targets]
    loss = -np.log(np.maximum(right, np.finfo(np.float64).tiny)).mean()
    return {"loss": float(loss), "accuracy": float((answers.argmax(axis=1) == targets).mean())}


def _predict(predictor: Predictor, examples: Examples, heed: Callable[[], None]) -> np.ndarray:
    answers = []
    for indices in in_batches(examples):
        heed()
        answers.append(predictor.predict(examples.take(indices)))
    return np.concatenate(answers)


def _mean_loss(predictor: Predictor, examples: Examples, heed: Callable[[], None] | None) -> float:
    """Return the mean over all that counts in the examples, such as their tokens."""
    assert predictor.losses is not None, "what has no classes is trained by steps"
    total = counted = 0.0
    for indices in in_batches(examples):
        if heed is not None:
            heed()
        losses, sizes = predictor.losses(examples.take(indices))
        total, counted = total + float(losses @ sizes), counted + float(sizes.sum())
    return total / counted


class Validation:
    """State: the history on the validation part, the best weights, and how long nothing has improved.

    `stopping` has the fields `measure`, `patience` and `least` of the recipe's early stopping. `watched` puts the weights
    that are to be judged into the network that the predictor asks, and returns it; `tell` hears every measurement. A
    measurement that `heed` interrupts stays `due`, and is made up for after the resume. `share` makes it in the first of
    several processes, and tells the others.
    """

    def __init__(
        self,
        predictor: Predictor,
        watched: Callable[[torch.nn.Module], torch.nn.Module],
        examples: Examples,
        stopping: Any,
        *,
        every: int,
        total: int,
        keep_best: bool,
        tell: Sequence[Callable[[dict[str, float]], None]] = (),
        heed: Callable[[int], None] | None = None,
        share: Callable[[Callable[[], Any]], Any] = lambda make: make(),
    ) -> None:
        self.share = share
        self.predictor, self.watched, self.examples, self.stopping = predictor, watched, examples, stopping
        self.every, self.total, self.keep_best, self.tell, self.heed = every, total, keep_best, tell, heed
        self.history: list[dict[str, float]] = []
        self.best: dict[str, torch.Tensor] = {}
        self.best_at = -1
        self.last_step = 0
        self.due = False

    def __call__(self, moment: Moment) -> bool:
        """Measure when it is time; ask to stop when patience has run out."""
        self.last_step = moment.step + 1
        if (moment.step + 1) % self.every and moment.step + 1 != self.total:
            return False
        self.due = True
        return self.catch_up(moment.turns[0].model)

    def catch_up(self, model: torch.nn.Module) -> bool:
        """Measure, if that is due; ask to stop when patience has run out."""
        if not self.due:
            return self.exhausted
        network, heed, step = self.watched(model), self.heed, self.last_step
        found = self.share(lambda: measure(self.predictor, self.examples, (lambda: heed(step)) if heed else None))
        self.due = False
        self.history.append({"step": step, **found})
        for hear in self.tell:
            hear(self.history[-1])
        if self._improved():
            self.best_at = len(self.history) - 1
            if self.keep_best:
                self.best = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        return self.exhausted

    @property
    def exhausted(self) -> bool:
        """Whether patience has run out."""
        return bool(self.stopping.patience) and len(self.history) - 1 - self.best_at >= self.stopping.patience

    @property
    def kept(self) -> dict[str, float]:
        """What was measured on the weights that are kept."""
        return self.history[self.best_at if self.keep_best else -1]

    @property
    def kept_step(self) -> int:
        """The step after which the kept weights stood."""
        return int(self.kept["step"])

    def finish(self, model: torch.nn.Module) -> torch.nn.Module:
        """Return the network that the predictor asks, with the weights that are kept."""
        network = self.watched(model)
        if not self.history:
            found = self.share(lambda: measure(self.predictor, self.examples))
            self.history.append({"step": self.last_step, **found})
            self.best_at = 0
        elif self.keep_best and self.best:
            network.load_state_dict(self.best)
        return network

    def _improved(self) -> bool:
        sign = 1.0 if self.stopping.measure == "loss" else -1.0
        now = sign * self.history[-1][self.stopping.measure]
        if not np.isfinite(now):
            return False
        return self.best_at < 0 or now < sign * self.history[self.best_at][self.stopping.measure] - self.stopping.least

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        numbers = {"history": self.history, "best_at": self.best_at, "last_step": self.last_step, "due": self.due}
        return self.best, numbers

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.best = tensors
        self.history, self.best_at, self.last_step = numbers["history"], numbers["best_at"], numbers["last_step"]
        self.due = numbers["due"]


class Keeper:
    """State: the step reached, and when the world last heard of it. Saves on time, and when asked to stop."""

    def __init__(
        self,
        context: Context,
        folder: Path,
        turns: list[Turn],
        memories: dict[str, Any],
        *,
        cadence: Cadence,
        total: int,
        keep: int,
        save_as: Callable[[Path, Checkpoint, int], object] | None = None,
    ) -> None:
        self.save_as = save_as or save_checkpoint
        self.context, self.folder, self.turns, self.memories = context, folder, turns, memories
        self.cadence, self.total, self.keep = cadence, total, keep
        self.step = self._first = 0
        self._saved = -1
        self._began = time.monotonic()
        self.saving_seconds = 0.0
        # Of the first checkpoint that this process wrote.
        self._first_seconds, self._first_bytes = 0.0, 0

    def __call__(self, moment: Moment) -> bool:
        """Tell the world, save when it is time, and obey."""
        self.step = moment.step + 1
        # What training goes back to must lie before the trouble.
        sound = self.step < self.total and moment.verdict is not Verdict.REWIND
        answer, due = self.context.crew.share(lambda: self._decide(sound))
        if answer == "interrupt":
            self.save()
            raise Interrupted(
                f"stopped after step {self.step} of {self.total}, saved",
                where="train",
                next_step=f"modelwright resume {self.context.folder}",
            )
        if due:
            self.save()
        return bool(answer == "stop")

    def _decide(self, sound: bool) -> tuple[Answer, bool]:
        """Ask the world whether to go on, and the clock whether to save."""
        answer = self.context.progress(self.step, self.total, "", **self._values())
        if self.cadence.every is None and not self._first_seconds and self.context.crew.size > 1:
            # What saving costs shows the first time, and all processes take part in that.
            return answer, answer != "interrupt" and sound
        return answer, answer != "interrupt" and sound and self.cadence.due(self.step, self.cost)

    def _values(self) -> dict[str, float]:
        seconds = time.monotonic() - self._began
        rate = (self.step - self._first) / seconds if seconds else 0.0
        values = {"loss": self.memories["history"].recent, "steps_per_second": rate}
        if rate:
            values["seconds_left"] = (self.total - self.step) / rate
        watch = self.memories["validation"]
        if watch.history:
            values |= {f"validation_{name}": value for name, value in watch.history[-1].items() if name != "step"}
        return values

    def save_at(self, step: int) -> None:
        """Write a checkpoint of a step that has been taken, and of which nobody has been told yet."""
        self.step = step
        self.save()

    def save(self) -> None:
        """Write a checkpoint of the turns and of every observer that remembers."""
        if self._saved == self.step:
            return
        began = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        checkpoint = self.now()
        self.save_as(self.folder, checkpoint, self.keep)
        self._saved = self.step
        seconds = time.monotonic() - began
        self.saving_seconds += seconds
        if not self._first_seconds:
            self._first_seconds, self._first_bytes = seconds, checkpoint.nbytes

    def cost(self) -> float:
        """Return how long it would take to write a checkpoint now, by the first one that was written.

        Units: seconds
        """
        if not self._first_seconds:
            self.save()
        # A small one takes the time of asking the disk; of a larger one each byte counts, and the first step adds many.
        grown = self.now().nbytes / self._first_bytes if self._first_bytes > SMALL_BYTES else 1.0
        return self._first_seconds * max(1.0, grown)

    def now(self) -> Checkpoint:
        """Return the state that a checkpoint would hold now."""
        return take_state(self.step, self.turns, self.memories)

    def newest(self) -> tuple[Checkpoint | None, list[str]]:
        """Return the newest undamaged checkpoint, if there is one, and what was wrong with newer ones.

        Of several processes the first one judges, and all read what it found.
        """
        read: list[Checkpoint | None] = []

        def find() -> tuple[int | None, list[str]]:
            found, complaints = load_newest(self.folder) if self.folder.exists() else (None, [])
            read.append(found)
            return found.step if found else None, complaints

        step, complaints = self.context.crew.share(find)
        if not read:
            read.append(None if step is None else load_step(self.folder, step))
        return read[0], complaints

    def restore(self, checkpoint: Checkpoint) -> None:
        """Put everything back as it was."""
        put_state(checkpoint, self.turns, self.memories)
        self.step = self._saved = self._first = checkpoint.step
