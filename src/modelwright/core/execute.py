"""Running a recipe: order the stages, skip what is made already, run the rest, keep the record.

A stage is made already when a record lies under its key: the hash of the recipe sections it reads, the digests of its
inputs, the code it may run and the environment. Change one of these and it, and what depends on it, runs again.
"""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from . import registry
from .artifact import AGAIN, Artifact, find, find_about, store, verify
from .digest import code_digest, digest_of
from .errors import DamagedArtifact, ModelwrightError, RecipeError
from .evidence import Evidence
from .files import write_json
from .journal import Journal, read_journal
from .order import order
from .recipe import Recipe
from .run import Record, Run
from .stage import Answer, Context, OnProgress, Progress, Stage

DEPTH_LIMIT = 2
FINISHED = "stage finished"


def go_on(progress: Progress) -> Answer:
    """Answer every sign of life with 'go'."""
    return "go"


def run(
    recipe: Recipe,
    until: str | None = None,
    on_progress: OnProgress = go_on,
    *,
    folder: Path | None = None,
    from_scratch: bool = False,
    depth: int = 0,
) -> Run:
    """Run what a recipe asks for (or up to one stage) in a run folder, and return the run.

    Raises:
        ModelwrightError: whatever a stage met; what was finished before stays, and the journal says what happened.
    """
    if depth > DEPTH_LIMIT:
        raise RecipeError(
            f"runs inside runs go deeper than {DEPTH_LIMIT}",
            where=recipe.name,
            expected="fewer nested searches and folds",
        )
    recipe, stages = with_defaults(recipe, until)
    opened = Run(folder or Path("runs") / recipe.name)
    with opened.opened() as journal:
        opened.update(recipe=recipe.resolved(), base=str(recipe.base))
        journal.append("run started", recipe=recipe.digest, stages=[stage.name for stage in stages])
        execution = _Execution(opened, journal, recipe, on_progress, from_scratch, depth)
        for stage in stages:
            execution.execute(stage)
        journal.append("run finished")
        journal.checkpoint()
    return opened


def with_defaults(recipe: Recipe, until: str | None) -> tuple[Recipe, list[Stage]]:
    """Return the stages to run and the recipe with a default section for each that has none."""
    stages = order(recipe, until)
    missing: dict[str, Any] = {stage.name: {} for stage in stages if stage.name not in recipe.sections}
    return (recipe.edited(missing) if missing else recipe), stages


def key_of(stage: Stage, recipe: Recipe, inputs: dict[str, Artifact], gathered: list[Evidence]) -> str:
    """Return the key under which a stage's record is kept."""
    resolved = recipe.resolved()
    return digest_of(
        {
            "sections": {name: resolved.get(name) for name in ("name", "seed", stage.name, *stage.reads)},
            "inputs": {kind: artifact.digest for kind, artifact in inputs.items()},
            "gathered": [item.to_json() for item in gathered],
            "code": code_digest(stage.name),
            "environment": environment(),
            "outside": registry.load(stage.fingerprint)(recipe) if stage.fingerprint else "",
        }
    )


def environment() -> dict[str, str]:
    """Return what else a result may depend on: versions and the kind of device; nothing heavy is imported."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("torch", "numpy", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    found["device"] = "cuda" if Path("/dev/nvidia0").exists() else "cpu"
    return found


class _Execution:
    """Owns what the stages of one run have made so far: artifacts by kind, evidence in order, the current record of each."""

    def __init__(
        self, opened: Run, journal: Journal, recipe: Recipe, on_progress: OnProgress, from_scratch: bool, depth: int
    ) -> None:
        self.run, self.journal, self.recipe = opened, journal, recipe
        self.on_progress, self.from_scratch, self.depth = on_progress, from_scratch, depth
        self.artifacts: dict[str, Artifact] = {}
        self.evidence: list[Evidence] = []
        self.before: dict[str, str] = opened.state()["current"]
        self.current: dict[str, str] = {}
        self.sealed = {
            item.data["key"]: item.data.get("record") for item in read_journal(journal.path) if item.event == FINISHED
        }

    def execute(self, stage: Stage) -> None:
        """Run one stage, or take what it made before under the same key."""
        inputs = {kind: self.artifacts[kind] for kind in stage.needs}
        for artifact in inputs.values():
            verify(artifact)
        gathered = list(self.evidence) if stage.gathers else []
        key = key_of(stage, self.recipe, inputs, gathered)
        work = self.run.folder / "work" / f"{stage.name}-{key[:16]}"
        if self.from_scratch:
            self.run.record_path(stage.name, key).unlink(missing_ok=True)
            shutil.rmtree(work, ignore_errors=True)
        record = self._made_before(stage.name, key)
        if record is not None:
            self.on_progress(Progress(stage.name, message="nothing to do: made already"))
            self.journal.append("stage skipped", stage=stage.name, key=key)
        else:
            # Should the stage fail, what an earlier recipe gave here must not pass for what this one gives.
            self._keep_later_ones(changed=self.before.get(stage.name) != key)
            record = self._execute(stage, key, work, inputs, gathered)
        self.current[stage.name] = key
        self._keep_later_ones(changed=False)
        self.artifacts.update({kind: find(self.run.shelf, kind, digest) for kind, digest in record.outputs.items()})
        self.evidence += record.evidence

    def _keep_later_ones(self, changed: bool) -> None:
        """Store which records are current; what came later in an earlier run stays true only while nothing before it has changed."""
        unchanged = not changed and all(self.before.get(name) == key for name, key in self.current.items())
        later = {name: key for name, key in self.before.items() if unchanged and name not in self.current}
        self.run.update(current={**self.current, **later})

    def _made_before(self, stage: str, key: str) -> Record | None:
        """Return what the stage gave under this key, if the journal knows of it and all of it is still there.

        Raises:
            DamagedArtifact: the record is not the one that the journal sealed.
        """
        record = self.run.record(stage, key)
        if record is None or not self.sealed.get(key) or not self._still_there(record):
            return None
        if digest_of(record.to_json()) != self.sealed[key]:
            where = self.run.record_path(stage, key)
            raise DamagedArtifact(
                "the record of this stage was changed",
                where=where,
                expected="the record that the journal sealed",
                next_step=AGAIN,
            )
        return record

    def _still_there(self, record: Record) -> bool:
        for kind, digest in record.outputs.items():
            try:
                find(self.run.shelf, kind, digest)
            except DamagedArtifact:
                return False
        return True

    def _execute(
        self, stage: Stage, key: str, work: Path, inputs: dict[str, Artifact], gathered: list[Evidence]
    ) -> Record:
        self.journal.append(
            "stage started", stage=stage.name, key=key, inputs={kind: item.digest for kind, item in inputs.items()}
        )
        work.mkdir(parents=True, exist_ok=True)
        context = self._context(stage, work, inputs, gathered)
        started, cpu_started = time.monotonic(), time.process_time()
        try:
            registry.load(stage.function)(context)
        except BaseException as error:
            reason = str(error) if isinstance(error, ModelwrightError) else type(error).__name__
            self.journal.append("stage failed", stage=stage.name, key=key, reason=reason)
            self.journal.checkpoint()
            raise
        missing = set(stage.gives) - set(context.outputs)
        if missing:
            raise AssertionError(f"stage {stage.name} did not give {', '.join(sorted(missing))}")
        seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu_started
        outputs = {kind: item.digest for kind, item in context.outputs.items()}
        record = Record(stage.name, key, outputs, tuple(context.evidence), round(seconds, 3), round(cpu_seconds, 3))
        write_json(self.run.record_path(stage.name, key), record.to_json())
        self.journal.append(
            FINISHED,
            stage=stage.name,
            key=key,
            outputs=outputs,
            seconds=record.seconds,
            record=digest_of(record.to_json()),
        )
        self.journal.checkpoint()
        shutil.rmtree(work, ignore_errors=True)
        return record

    def _context(self, stage: Stage, work: Path, inputs: dict[str, Artifact], gathered: list[Evidence]) -> Context:
        return Context(
            stage=stage,
            recipe=self.recipe,
            inputs=inputs,
            gathered=tuple(gathered),
            folder=self.run.folder,
            work=work,
            on_progress=self.on_progress,
            run_recipe=self._run_inside,
            store=lambda filled, kind: store(filled, kind, self.run.shelf),
            find=lambda kind, about: find_about(self.run.shelf, kind, about),
            note=self.journal.append,
            choose=self._choose,
        )

    def _run_inside(self, recipe: Recipe, until: str, on_progress: OnProgress | None = None) -> Run:
        folder = self.run.folder / "inner" / f"{recipe.name}-{recipe.digest[:16]}"
        return run(
            recipe,
            until,
            on_progress or self.on_progress,
            folder=folder,
            from_scratch=self.from_scratch,
            depth=self.depth + 1,
        )

    def _choose(self, key: str, decide: Callable[[], tuple[Any, str]]) -> Any:
        """Resolve an `auto` once: what it became, and why, is stored in the run and used again by resume."""
        resolved = self.run.state()["resolved"]
        if key not in resolved:
            value, why = decide()
            resolved[key] = {"value": value, "why": why}
            self.run.update(resolved=resolved)
            self.journal.append("auto resolved", name=key, value=value, why=why)
        return resolved[key]["value"]
