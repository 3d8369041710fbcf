"""Everything a report page speaks of, read once from a run folder; what is damaged is named, not fatal."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ...core import registry
from ...core.artifact import Artifact
from ...core.errors import DamagedArtifact, DataError
from ...core.evidence import Evidence
from ...core.files import read_json
from ...core.journal import Record as Event
from ...core.journal import read_journal, verify_journal
from ...core.run import STATE, Record, Run

Found = TypeVar("Found")


@dataclass(frozen=True)
class Material:
    """What was found in a run folder; empty where a run has not come so far."""

    folder: Path
    recipe: dict[str, Any]
    resolved: dict[str, dict[str, Any]]
    records: dict[str, Record]
    events: list[Event]
    sheet: dict[str, Any]
    training: dict[str, Any]
    evaluation: dict[str, Any]
    pictures: Path
    trained: Path
    problems: tuple[str, ...]
    feedback: dict[str, Any] = field(default_factory=dict)
    audit: dict[str, Any] = field(default_factory=dict)
    tuning: dict[str, Any] = field(default_factory=dict)
    explanation: dict[str, Any] = field(default_factory=dict)
    explained: Path = Path()
    compression: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    profile: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the recipe."""
        return str(self.recipe.get("name", self.folder.name))

    def claims(self, *stages: str) -> list[Evidence]:
        """Return the evidence of some stages, or of all."""
        return [
            item for name, record in self.records.items() if not stages or name in stages for item in record.evidence
        ]

    def claim(self, name: str) -> Evidence | None:
        """Return the newest evidence of a name."""
        return next((item for item in reversed(self.claims()) if item.name == name), None)

    def digest(self, kind: str) -> str:
        """Return the digest of the present artifact of a kind; empty when there is none."""
        return next((record.outputs[kind] for record in reversed(self.records.values()) if kind in record.outputs), "")


def read_material(run: Run, served: Path | None = None) -> Material:
    """Read all that a page can show of a run; `served` is where its release was served, if not beside it.

    Raises:
        DataError: there is no run in this folder.
    """
    if not (run.folder / STATE).exists():
        raise DataError(
            "there is no run here", where=run.folder, expected="a run folder", next_step="modelwright runs lists them"
        )
    problems: list[str] = []

    def attempt(read: Callable[[], Found], otherwise: Found) -> Found:
        try:
            return read()
        except DamagedArtifact as error:
            problems.append(str(error))
            return otherwise

    state: dict[str, Any] = attempt(run.state, {})
    journal = run.folder / "journal.jsonl"
    events: list[Event] = attempt(lambda: read_journal(journal), [])
    attempt(lambda: verify_journal(journal, run.witness), 0)

    def artifact(kind: str) -> Artifact | None:
        return attempt(lambda: run.artifact(kind), None)

    said = registry.function_of("action", "feedback")
    feedback: dict[str, Any] = attempt(lambda: said(run.folder / "release", served) or {}, {})
    dataset, model, evaluation, explanation = map(artifact, ("dataset", "model", "evaluation", "explanation"))
    return Material(
        folder=run.folder,
        # A stage may have edited it: what counts is what the model was made with.
        recipe=state.get("edited") or state.get("recipe") or {},
        resolved=state.get("resolved") or {},
        records=attempt(run.current, {}),
        events=events,
        sheet=attempt(lambda: _read(dataset, "datasheet.json"), {}),
        profile=attempt(lambda: _read(dataset, "profile.json"), {}),
        training=attempt(lambda: _read(model, "training.json"), {}),
        evaluation=attempt(lambda: _read(evaluation, "summary.json"), {}),
        pictures=evaluation.path if evaluation else run.folder,
        trained=model.path if model else run.folder,
        problems=tuple(dict.fromkeys(problems)),
        feedback=feedback,
        audit=attempt(lambda: _read(artifact("audit"), "summary.json"), {}),
        plan=attempt(lambda: _read(artifact("plan"), "plan.json"), {}),
        tuning=attempt(lambda: _read_tuning(artifact("tuning")), {}),
        explanation=attempt(lambda: _read(explanation, "summary.json"), {}),
        explained=explanation.path if explanation else run.folder,
        compression=attempt(lambda: _read(artifact("compression"), "compression.json"), {}),
    )


def _read(artifact: Artifact | None, name: str) -> dict[str, Any]:
    if artifact is None or not (artifact.path / name).exists():
        return {}
    found = read_json(artifact.path / name)
    return found if isinstance(found, dict) else {}


def _read_tuning(artifact: Artifact | None) -> dict[str, Any]:
    if artifact is None:
        return {}
    trials = artifact.path / "trials.jsonl"
    lines = trials.read_text(encoding="utf-8").splitlines() if trials.exists() else []
    names = ("summary", "edits", "importance")
    try:
        return {
            **{name: _read(artifact, f"{name}.json") for name in names},
            "trials": [json.loads(line) for line in lines],
        }
    except ValueError:
        raise DamagedArtifact("a line is not JSON", where=trials, expected="a trial on each line") from None
