"""What the world hears of a search: a row of a table or a line for each trial, and a note in the journal."""

from __future__ import annotations

from typing import Any

from ...core.stage import Context, Progress
from .search import Asked, Search, Tried

# A person reads a few words; the journal and the report have the whole sentence.
REASON = 80


class Teller:
    """State: which trials have been told of, and the best value and the seconds that the rest will take, for every sign of life."""

    def __init__(self, context: Context, search: Search) -> None:
        self.context, self.search = context, search
        self._told: set[int] = set()
        self._again = {item.number for item in search.tried()}
        self.values: dict[str, float] = {}

    def begin(self, asked: Asked) -> None:
        """Show that a trial has begun."""
        row = _row(asked.number, "", "running", "", settings_of(asked.edits))
        done = len(self.search.tried())
        self.context.on_progress(Progress(self.context.stage.name, done, self.search.limit, self.values, row=row))

    def tell(self) -> None:
        """Tell of every trial that has ended since."""
        tried = self.search.tried()
        for trial in tried:
            if trial.number not in self._told:
                self._told.add(trial.number)
                self._tell_one(trial, tried)

    def _tell_one(self, trial: Tried, tried: list[Tried]) -> None:
        outcome, best = trial.outcome, self.search.best()
        if trial.number not in self._again:
            self.context.note(
                "trial ended",
                number=trial.number,
                state=outcome.state,
                value=outcome.value,
                seconds=outcome.seconds,
                reason=outcome.reason,
            )
        value = "" if outcome.value is None else f"{outcome.value:.4f}"
        edits = settings_of(trial.edits)
        words = [f"trial {trial.number + 1} of {self.search.limit}:", outcome.state, value]
        if best is not None:
            words.append(f"(best {best.outcome.value:.4f}, trial {best.number + 1})")
        message = " ".join([*filter(None, words), edits if outcome.state != "failed" else outcome.reason[:REASON]])
        row = _row(trial.number, value, outcome.state, f"{outcome.seconds:.1f}", edits)
        self.values = self._values(tried)
        self.context.on_progress(
            Progress(self.context.stage.name, len(tried), self.search.limit, self.values, message, row)
        )

    def _values(self, tried: list[Tried]) -> dict[str, float]:
        """Return the best value, and about how long the rest will take."""
        best = self.search.best()
        values = {"best": best.outcome.value} if best and best.outcome.value is not None else {}
        seconds = [trial.outcome.seconds for trial in tried]
        left = (self.search.limit - len(tried)) / self.context.settings.processes
        return {**values, "seconds_left": left * sum(seconds) / len(seconds)} if seconds else values


def _row(number: int, *cells: str) -> dict[str, str]:
    return dict(zip(("trial", "value", "state", "seconds", "settings"), (str(number + 1), *cells), strict=True))


def settings_of(edits: dict[str, Any]) -> str:
    """Write the edits of a trial on one line."""
    return " ".join(f"{key}={shown(value)}" for key, value in edits.items())


def shown(value: Any) -> str:
    """Write a value of an edit for people: numbers with four digits, a part as its kind and what was chosen for it."""
    if isinstance(value, bool) or not isinstance(value, (float, dict, list)):
        return str(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return "[" + ",".join(map(shown, value)) + "]"
    inner = [f"{key}={shown(item)}" for key, item in value.items() if key != "kind"]
    return f"{value.get('kind', '')}({','.join(inner)})" if inner else str(value.get("kind", value))
