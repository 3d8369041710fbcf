"""Observers look on and may ask to stop: the loss history, the watch on the validation part, the keeper of checkpoints."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from ..core.errors import Interrupted
from ..core.stage import Context
from ..tasks.task import Examples
from .checkpoint import Checkpoint, save_checkpoint, tensors_to_turns, turns_to_tensors
from .loop import Moment
from .predictor import Predictor
from .turn import Turn


class Remembers(Protocol):
    """An observer whose state belongs in the checkpoint."""

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]: ...
    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None: ...


class LossHistory:
    """State: the mean training loss of each epoch so far, and the sum and count of the present one."""

    def __init__(self, steps_per_epoch: int) -> None:
        self.steps_per_epoch = steps_per_epoch
        self.points: list[dict[str, float]] = []
        self._sum, self._count, self.recent = 0.0, 0, float("nan")

    def __call__(self, moment: Moment) -> bool:
        """Add the losses of a step."""
        finite = moment.losses[torch.isfinite(moment.losses)]
        self._sum += float(finite.double().sum())
        self._count += len(finite)
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


def measure(predictor: Predictor, examples: Examples) -> dict[str, float]:
    """Return the mean loss (nats) and the accuracy of a predictor on some examples."""
    answers = predictor.predict(examples)
    targets = examples.columns["target"]
    right = answers[np.arange(len(targets)), targets]
    loss = -np.log(np.maximum(right, np.finfo(np.float64).tiny)).mean()
    return {"loss": float(loss), "accuracy": float((answers.argmax(axis=1) == targets).mean())}


class Validation:
    """State: the history on the validation part, the best weights, and how long nothing has improved.

    `stopping` has the fields `measure`, `patience` and `least` of the recipe's early stopping.
    """

    def __init__(
        self, predictor: Predictor, examples: Examples, stopping: Any, *, every: int, total: int, keep_best: bool
    ) -> None:
        self.predictor, self.examples, self.stopping = predictor, examples, stopping
        self.every, self.total, self.keep_best = every, total, keep_best
        self.history: list[dict[str, float]] = []
        self.best: dict[str, torch.Tensor] = {}
        self.best_at = -1
        self.last_step = 0

    def __call__(self, moment: Moment) -> bool:
        """Measure when it is time; ask to stop when patience has run out."""
        self.last_step = moment.step + 1
        if (moment.step + 1) % self.every and moment.step + 1 != self.total:
            return False
        self.history.append({"step": moment.step + 1, **measure(self.predictor, self.examples)})
        if self._improved():
            self.best_at = len(self.history) - 1
            if self.keep_best:
                self.best = {
                    name: tensor.detach().clone() for name, tensor in moment.turns[0].model.state_dict().items()
                }
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

    def finish(self, model: torch.nn.Module) -> None:
        """Put the weights that are kept into the model."""
        if not self.history:
            self.history.append({"step": self.last_step, **measure(self.predictor, self.examples)})
            self.best_at = 0
        elif self.keep_best and self.best:
            model.load_state_dict(self.best)

    def _improved(self) -> bool:
        sign = 1.0 if self.stopping.measure == "loss" else -1.0
        now = sign * self.history[-1][self.stopping.measure]
        if not np.isfinite(now):
            return False
        return self.best_at < 0 or now < sign * self.history[self.best_at][self.stopping.measure] - self.stopping.least

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        return self.best, {"history": self.history, "best_at": self.best_at, "last_step": self.last_step}

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.best = tensors
        self.history, self.best_at, self.last_step = numbers["history"], numbers["best_at"], numbers["last_step"]


class Keeper:
    """State: the step reached, and when the world last heard of it. Saves on time, and when asked to stop."""

    def __init__(
        self,
        context: Context,
        folder: Path,
        turns: list[Turn],
        memories: dict[str, Any],
        *,
        every: int,
        total: int,
        keep: int,
    ) -> None:
        self.context, self.folder, self.turns, self.memories = context, folder, turns, memories
        self.every, self.total, self.keep = every, total, keep
        self.step = self._saved = self._first = 0
        self._began = time.monotonic()

    def __call__(self, moment: Moment) -> bool:
        """Tell the world, save when it is time, and obey."""
        self.step = moment.step + 1
        answer = self.context.progress(self.step, self.total, "", **self._values())
        if answer == "interrupt":
            self.save()
            raise Interrupted(
                f"stopped after step {self.step} of {self.total}, saved",
                where="train",
                next_step=f"modelwright resume {self.context.folder}",
            )
        if self.step % self.every == 0 and self.step < self.total:
            self.save()
        return answer == "stop"

    def _values(self) -> dict[str, float]:
        seconds = time.monotonic() - self._began
        rate = (self.step - self._first) / seconds if seconds else 0.0
        values = {"loss": self.memories["history"].recent, "steps_per_second": rate}
        if rate:
            values["seconds_left"] = (self.total - self.step) / rate
        watch = self.memories["validation"]
        if watch.history:
            values["validation_loss"], values["validation_accuracy"] = (
                watch.history[-1]["loss"],
                watch.history[-1]["accuracy"],
            )
        return values

    def save(self) -> None:
        """Write a checkpoint of the turns and of every observer that remembers."""
        if self._saved == self.step:
            return
        tensors, numbers = turns_to_tensors(self.turns)
        state: dict[str, Any] = {"turns": numbers}
        for name, memory in self.memories.items():
            own, state[name] = memory.state()
            tensors.update({f"{name}/memory/{key}": tensor for key, tensor in own.items()})
        self.folder.mkdir(parents=True, exist_ok=True)
        save_checkpoint(self.folder, Checkpoint(self.step, tensors, state), self.keep)
        self._saved = self.step

    def restore(self, checkpoint: Checkpoint) -> None:
        """Put everything back as it was."""
        tensors_to_turns(self.turns, checkpoint.tensors, checkpoint.state["turns"])
        for name, memory in self.memories.items():
            prefix = f"{name}/memory/"
            own = {key[len(prefix) :]: tensor for key, tensor in checkpoint.tensors.items() if key.startswith(prefix)}
            memory.restore(own, checkpoint.state[name])
        self.step = self._saved = self._first = checkpoint.step
