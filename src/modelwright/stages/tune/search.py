"""One search: what to try next, and what came of it, kept in a file that several processes may share. Optuna is behind it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from ...core.errors import DamagedArtifact, MissingExtra
from ...core.files import explained
from .space import Choices, Range, Space, edits_of, grid_of

State = Literal["finished", "stopped", "failed"]
# Methods that draw, and do not only say what was decided beforehand.
SEEDED = ("random", "asha", "tpe", "gp")
NAME, EDITS, OUTCOME, REFERENCE = "search", "edits", "outcome", "reference"


@dataclass(frozen=True)
class Plan:
    """What is searched for, how, and from which seed; `halving` is the factor of early stopping, 0: none."""

    space: Space
    method: str
    maximise: bool
    seed: int
    trials: int
    halving: int = 0


@dataclass(frozen=True)
class Asked:
    """A trial to be run: its number and its edits of the recipe."""

    number: int
    edits: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: its value unless it failed, why it failed, and what it cost."""

    state: State
    value: float | None = None
    reason: str = ""
    steps: int = 0
    epochs: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Tried:
    """A trial with its outcome."""

    number: int
    edits: dict[str, Any]
    outcome: Outcome


class Lock:
    """State: the open lock file. The system lets go of it when the process dies, however it dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = -1

    def acquire(self) -> bool:
        """Wait until nobody else holds it."""
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Let go."""
        os.close(self._handle)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it for a block."""
        self.acquire()
        try:
            yield
        finally:
            self.release()


class Search:
    """State: the open study, and the trials that this process has begun."""

    def __init__(self, plan: Plan, path: Path | None = None) -> None:
        """Open the search kept at `path`, or begin it; without a path it is kept in memory.

        Raises:
            MissingExtra: Optuna is not installed.
            DamagedArtifact: the file is not what a search has written.
        """
        optuna = _optuna()
        self.plan, self.path = plan, path
        self._turn = Lock(path.with_suffix(".turn")) if path else None
        direction = "maximize" if plan.maximise else "minimize"
        pruner = (
            optuna.pruners.SuccessiveHalvingPruner(1, plan.halving, 0) if plan.halving else optuna.pruners.NopPruner()
        )
        with _damage_explained(path), self._held():
            self.study = optuna.create_study(
                storage=_storage(path),
                pruner=pruner,
                sampler=optuna.samplers.RandomSampler(seed=0),
                study_name=NAME,
                direction=direction,
                load_if_exists=True,
            )
        self._open: dict[int, Any] = {}
        # A grid ends when it is done.
        self.limit = sum(1 for _ in islice(grid_of(plan.space), plan.trials)) if plan.method == "grid" else plan.trials

    @contextmanager
    def _held(self) -> Iterator[None]:
        if self._turn is None:
            yield
        else:
            with explained(self._turn.path), self._turn.held():
                yield

    def ask(self) -> Asked | None:
        """Return the next trial, or nothing when there are as many as asked for."""
        with self._held():
            number = len(self.study.get_trials(deepcopy=False))
            if number >= self.limit:
                return None
            self.study.sampler = self._sampler(number)
            return self._decide(self.study.ask())

    def take_up(self, number: int) -> Asked:
        """Return a trial that another process began and did not end; what it had decided stays, the rest is decided as it would have."""
        import optuna

        with self._held():
            trial = self.study.get_trials(deepcopy=False)[number]
            self.study.sampler = self._sampler(number)
            # The number of a trial is no way to it in Optuna's public interface; the identifier of its storage is.
            return self._decide(optuna.trial.Trial(self.study, trial._trial_id))

    def _sampler(self, number: int, name: str = "") -> Any:
        from .samplers import sampler_for

        return sampler_for(self.plan.method, self.plan.space, self.study, number, self.plan.seed, name)

    def _decide(self, trial: Any) -> Asked:
        def draw(name: str, node: Range | Choices) -> Any:
            if self.plan.method in SEEDED:
                self.study.sampler = self._sampler(trial.number, name)
            if isinstance(node, Choices):
                return trial.suggest_categorical(name, tuple(range(len(node.options))))
            if node.whole:
                return trial.suggest_int(name, int(node.low), int(node.high), log=node.logarithmic)
            return trial.suggest_float(name, node.low, node.high, log=node.logarithmic)

        edits = edits_of(self.plan.space, draw)
        trial.set_user_attr(EDITS, edits)
        self._open[trial.number] = trial
        return Asked(trial.number, edits)

    def should_stop(self, number: int, rung: int, value: float) -> bool:
        """Tell how good a trial is when it comes to a rung (0, 1, ...); the answer says whether it is among the worse ones there."""
        step = max(1, self.plan.halving) ** rung
        trial = self._open[number]
        if step in self.study.get_trials(deepcopy=False)[number].intermediate_values:
            return False  # it was judged there before it was interrupted, and went on
        trial.report(value, step)
        return bool(trial.should_prune())

    def tell(self, number: int, outcome: Outcome) -> None:
        """Keep what came of a trial."""
        from optuna.trial import TrialState

        states = {"finished": TrialState.COMPLETE, "stopped": TrialState.PRUNED, "failed": TrialState.FAIL}
        with self._held():
            self._open.pop(number).set_user_attr(OUTCOME, asdict(outcome))
            value = outcome.value if outcome.state == "finished" else None
            self.study.tell(number, value, state=states[outcome.state])

    def tried(self) -> list[Tried]:
        """Return all trials that have ended, by number."""
        return [
            Tried(trial.number, trial.user_attrs[EDITS], Outcome(**trial.user_attrs[OUTCOME]))
            for trial in self.study.get_trials(deepcopy=False)
            if trial.state.is_finished()
        ]

    def begun(self) -> list[int]:
        """Return the numbers of the trials that have not ended."""
        return [trial.number for trial in self.study.get_trials(deepcopy=False) if not trial.state.is_finished()]

    def reference(self, value: str) -> str:
        """Return what the first trial said that asked this; later ones are compared with it."""
        with self._held():
            if REFERENCE not in self.study.user_attrs:
                self.study.set_user_attr(REFERENCE, value)
            return str(self.study.user_attrs[REFERENCE])

    def best(self) -> Tried | None:
        """Return the finished trial with the best value, the first one of equals."""
        finished = [trial for trial in self.tried() if trial.outcome.state == "finished"]
        sign = -1.0 if self.plan.maximise else 1.0
        return min(finished, key=lambda trial: (sign * (trial.outcome.value or 0.0), trial.number), default=None)


def forget(path: Path) -> None:
    """Remove what is kept of a search."""
    path.unlink(missing_ok=True)


def mend(path: Path) -> None:
    """Cut off a last line that a kill has left unfinished, before anything is written behind it."""
    if path.exists():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with path.open("r+b") as stream:
                stream.truncate(whole)


def _storage(path: Path | None) -> Any:
    if path is None:
        return None
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(path), lock_obj=Lock(path.with_suffix(".lock"))))  # type: ignore[arg-type]


@contextmanager
def _damage_explained(path: Path | None) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError) as error:
        raise DamagedArtifact(
            f"the record of the search cannot be read: {error}",
            where=path,
            expected="what the search had written",
            next_step="begin anew with --from-scratch",
        ) from error


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra(
            "optuna is not installed",
            where="tune",
            expected="the extra 'tune'",
            next_step="pip install 'modelwright[tune]'",
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
