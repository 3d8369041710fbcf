"""A run is a folder: the resolved recipe, the journal, artifacts by digest, the record of every stage.

It holds no model, no trainer, no logger. Stages meet only through it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .artifact import AGAIN, Artifact, find
from .errors import Busy, DamagedArtifact, DataError
from .evidence import Evidence
from .files import explained, read_json, remove_unfinished, write_json
from .journal import Journal
from .recipe import Recipe, recipe_from

STATE = "run.json"


@dataclass(frozen=True)
class Record:
    """What one execution of a stage gave: its key, artifacts, evidence and cost."""

    stage: str
    key: str
    outputs: dict[str, str]
    evidence: tuple[Evidence, ...]
    seconds: float
    cpu_seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {**self.__dict__, "evidence": [item.to_json() for item in self.evidence]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Record:
        """Read what `to_json` wrote.

        Raises:
            DamagedArtifact: it is something else.
        """
        try:
            return cls(**{**data, "evidence": tuple(Evidence.from_json(item) for item in data["evidence"])})
        except (TypeError, KeyError) as error:
            raise DamagedArtifact(
                f"this is not the record of a stage: {error}", expected="the record that was written", next_step=AGAIN
            ) from None


class Run:
    """Owns the open journal of one run folder, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shelf = folder / "artifacts"
        self.records = folder / "stages"

    @property
    def witness(self) -> Path:
        """Where the witness of the journal lies: beside the run folder, not in it."""
        return self.folder.with_name(self.folder.name + ".witness")

    @contextmanager
    def opened(self) -> Iterator[Journal]:
        """Hold the folder for one process at a time, clean up after a killed one, and open the journal.

        Raises:
            Busy: another process holds it.
        """
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.read(lock, 32).decode().strip()
                raise Busy(
                    f"process {holder} is working in this run folder",
                    where=self.folder,
                    next_step="wait for it, or choose another folder with --runs FOLDER",
                ) from None
            os.ftruncate(lock, 0)
            os.write(lock, f"{os.getpid()}\n".encode())
            with explained(self.folder):
                self.shelf.mkdir(exist_ok=True)
                self.records.mkdir(exist_ok=True)
            for place in (self.folder, self.shelf, self.records):
                remove_unfinished(place)
            yield Journal(self.folder / "journal.jsonl", self.witness)
        finally:
            os.close(lock)

    def state(self) -> dict[str, Any]:
        """Return the present state: the recipe, what stages made of it, the current record of each, what `auto` became."""
        path = self.folder / STATE
        empty: dict[str, Any] = {"recipe": None, "base": None, "edited": None, "current": {}, "resolved": {}}
        found = read_json(path) if path.exists() else empty
        if isinstance(found, dict):
            found = {"edited": None, **found}
        if not isinstance(found, dict) or set(found) != set(empty):
            raise DamagedArtifact(
                "this is not the state of a run",
                where=path,
                expected=", ".join(empty),
                next_step="move the run folder away and run the recipe again",
            )
        return found

    def update(self, **changes: Any) -> None:
        """Change the state, atomically."""
        write_json(self.folder / STATE, {**self.state(), **changes})

    def recipe(self) -> Recipe:
        """Return the recipe of this run as it was resolved.

        Raises:
            DataError: there is no run in this folder.
        """
        state = self.state()
        if state["recipe"] is None:
            raise DataError(
                "there is no run here",
                where=self.folder,
                expected="a run folder",
                next_step="modelwright runs lists them",
            )
        return recipe_from(state["recipe"], Path(state["base"]), str(self.folder / STATE))

    def record_path(self, stage: str, key: str) -> Path:
        """Return where the record of a stage under a key lies."""
        return self.records / f"{stage}-{key[:16]}.json"

    def record(self, stage: str, key: str) -> Record | None:
        """Return the record of a stage under a key, if it was made."""
        path = self.record_path(stage, key)
        return Record.from_json(read_json(path)) if path.exists() else None

    def current(self) -> dict[str, Record]:
        """Return the current record of every stage that has one, in the order they ran."""
        keys: dict[str, str] = self.state()["current"]
        found = {stage: self.record(stage, key) for stage, key in keys.items()}
        return {stage: record for stage, record in found.items() if record is not None}

    def evidence(self) -> list[Evidence]:
        """Return all current evidence."""
        return [item for record in self.current().values() for item in record.evidence]

    def artifact(self, kind: str) -> Artifact | None:
        """Return the current artifact of a kind: what the last stage that gives it made of it."""
        for record in reversed(self.current().values()):
            if kind in record.outputs:
                return find(self.shelf, kind, record.outputs[kind])
        return None
