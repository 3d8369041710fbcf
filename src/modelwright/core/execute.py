"""Running a recipe: order the stages, skip what is made already, run the rest, keep the record.

A stage is made already when a record lies under its key: the hash of the recipe sections it reads, the digests of its
inputs, the code it may run and the environment. Change one of these and it, and what depends on it, runs again.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from . import registry, unfinished
from .artifact import AGAIN, Artifact, find, find_about, locate, store, verify
from .crew import ALONE, Crew
from .demands import require_demands
from .digest import code_digest, digest_of
from .environment import environment
from .errors import DamagedArtifact, ModelwrightError, RecipeError
from .evidence import Evidence
from .family import FINISHED, INNER, find_in_family, take_over
from .files import read_json, write_json
from .journal import Journal, read_journal
from .metering import is_cost
from .order import order
from .recipe import Recipe
from .run import Record, Run
from .settings import effective
from .sitting import Sitting, joules_of
from .stage import EDITS, Answer, Context, OnProgress, Progress, Stage
from .vault import vault_of

DEPTH_LIMIT = 2


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
    allow_change: bool = False,
    depth: int = 0,
    outermost: Path | None = None,
    crew: Crew = ALONE,
) -> Run:
    """Run what a recipe asks for (or up to one stage) in a run folder, and return the run.

    `from_scratch` forgets what was made before; `allow_change` lets an unfinished stage go on under another recipe, code,
    data or environment than it began with. `depth` and `outermost` are for runs inside runs; `crew` are the processes that
    train together, of which this is the first.

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
    require_demands(recipe, stages)
    opened = Run(folder or Path("runs") / recipe.name)
    with opened.opened() as journal:
        before = opened.state()
        opened.update(recipe=recipe.resolved(), base=str(recipe.base), edited=None)
        if from_scratch:
            forget(opened, [stage.name for stage in stages])
        journal.append("run started", recipe=recipe.digest, stages=[stage.name for stage in stages])
        vault_of(recipe).settle(opened.folder, journal.append)
        manner = Manner(on_progress, from_scratch, allow_change, depth, outermost or opened.folder, crew)
        execution = _Execution(opened, journal, recipe, manner, before)
        for stage in stages:
            execution.execute(stage)
        journal.append("run finished")
        journal.checkpoint()
    return opened


def run_inside(outer: Run, recipe: Recipe, until: str, manner: Manner) -> Run:
    """Run another recipe in a run of its own inside a run; what any run of the family has made is not made again."""
    return run(
        recipe,
        until,
        manner.on_progress,
        folder=inner_folder(outer, recipe),
        allow_change=manner.allow_change,
        depth=manner.depth + 1,
        outermost=manner.outermost,
        crew=manner.crew,
    )


def inner_folder(outer: Run, recipe: Recipe) -> Path:
    """Return where the run of a recipe inside another run lies."""
    return outer.folder / INNER / f"{recipe.name}-{recipe.digest[:16]}"


def forget(opened: Run, stages: list[str]) -> None:
    """Let go of what these stages ever made here, and of the runs inside."""
    for stage in stages:
        for path in opened.records.glob(f"{stage}-{'[0-9a-f]' * 16}.json"):
            path.unlink()
    shutil.rmtree(opened.folder / INNER, ignore_errors=True)


def with_defaults(recipe: Recipe, until: str | None) -> tuple[Recipe, list[Stage]]:
    """Return the stages to run and the recipe with a default section for each that has none."""
    stages = order(recipe, until)
    missing: dict[str, Any] = {stage.name: {} for stage in stages if stage.name not in recipe.sections}
    return (recipe.edited(missing) if missing else recipe), stages


def ingredients_of(
    stage: Stage, recipe: Recipe, inputs: dict[str, Artifact], gathered: list[Evidence]
) -> dict[str, Any]:
    """Return all that the result of a stage may depend on; its digest is the key under which the record is kept."""
    header = {"name": recipe.name, "seed": recipe.seed}
    sections = {
        name: effective(recipe.sections[name]) if name in recipe.sections else None
        for name in (stage.name, *stage.reads)
    }
    return {
        "sections": {**header, **sections},
        "inputs": {kind: artifact.digest for kind, artifact in inputs.items()},
        # What a claim has cost to make is no part of it: made again, it is the same claim.
        "gathered": [item.to_json() for item in gathered if not is_cost(item)],
        "code": code_digest(stage.name),
        "environment": environment(),
        "outside": registry.load(stage.fingerprint)(recipe) if stage.fingerprint else "",
    }


@dataclass(frozen=True)
class Manner:
    """How a run is done, whatever its recipe says."""

    on_progress: OnProgress
    from_scratch: bool
    allow_change: bool
    depth: int
    # The run folder in which all the runs inside runs lie.
    outermost: Path
    crew: Crew = ALONE


class _Execution:
    """Owns what the stages of one run have made so far: artifacts by kind, evidence in order, the current record of each."""

    def __init__(
        self, opened: Run, journal: Journal, recipe: Recipe, manner: Manner, state_before: dict[str, Any]
    ) -> None:
        self.run, self.journal, self.recipe, self.manner = opened, journal, recipe, manner
        self.state_before, self.vault = state_before, vault_of(recipe)
        self.artifacts: dict[str, Artifact] = {}
        self.first: dict[str, Artifact] = {}
        self.evidence: list[Evidence] = []
        self.before: dict[str, str] = state_before["current"]
        self.current: dict[str, str] = {}
        self.sealed = {
            item.data["key"]: item.data.get("record") for item in read_journal(journal.path) if item.event == FINISHED
        }

    def execute(self, stage: Stage) -> None:
        """Run one stage, or take what it made before under the same key."""
        inputs = {kind: self.first[kind] if kind in stage.needs_first else self.artifacts[kind] for kind in stage.needs}
        for artifact in inputs.values():
            verify(artifact)
        gathered = list(self.evidence) if stage.gathers else []
        ingredients = ingredients_of(stage, self.recipe, inputs, gathered)
        key = digest_of(ingredients)
        work = self.vault.place_of_work(self.run.folder, stage.resumable) / "work" / f"{stage.name}-{key[:16]}"
        if self.manner.from_scratch:
            self._forget(stage, key, work)
        record = self._made_before(stage.name, key)
        if record is not None:
            self.manner.on_progress(Progress(stage.name, message="nothing to do: made already"))
            self.journal.append("stage skipped", stage=stage.name, key=key)
        elif (record := self._made_in_family(stage.name, key, inputs)) is not None:
            self.manner.on_progress(Progress(stage.name, message="nothing to do: made already"))
        else:
            # Should the stage fail, what an earlier recipe gave here must not pass for what this one gives.
            self._keep_later_ones(changed=self.before.get(stage.name) != key)
            taken = self._settle_change(stage, work, ingredients) if stage.resumable else None
            work.mkdir(parents=True, exist_ok=True)
            record = self._execute(stage, key, work, inputs, gathered, taken)
        self.current[stage.name] = record.key
        self._keep_later_ones(changed=False)
        given = {kind: find(self.run.shelf, kind, digest) for kind, digest in record.outputs.items()}
        self.artifacts.update(given)
        self.first = {**given, **self.first}
        self.evidence += record.evidence
        if stage.edits:
            self._edit(stage, [self.artifacts[kind] for kind in record.outputs])

    def _edit(self, stage: Stage, given: list[Artifact]) -> None:
        """Go on with the recipe as a stage has changed it, as if it had been written so."""
        edits: dict[str, Any] = {}
        for artifact in given:
            if (artifact.path / EDITS).exists():
                verify(artifact)
                edits.update(read_json(artifact.path / EDITS))
        foreign = {key.split(".")[0] for key in edits} - set(stage.edits)
        if foreign:
            raise AssertionError(f"stage {stage.name} does not declare that it edits {', '.join(sorted(foreign))}")
        self.recipe = self.recipe.without(stage.name).edited(edits)
        self.run.update(edited=self.recipe.resolved())
        self.journal.append("recipe edited", stage=stage.name, edits=edits)

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

    def _made_in_family(self, stage: str, key: str, inputs: dict[str, Artifact]) -> Record | None:
        """Take what another run of the family gave under this key."""
        found = find_in_family(self.manner.outermost, self.run, stage, key)
        if found is None:
            return None
        relative, record = found
        where = str(relative.folder.relative_to(self.manner.outermost))
        digests = {kind: item.digest for kind, item in inputs.items()}
        self.journal.append("stage started", stage=stage, key=key, inputs=digests, taken_from=where)
        take_over(relative, record, self.run)
        self._seal(record, taken_from=where)
        return record

    def _seal(self, record: Record, **more: Any) -> None:
        """Store the record of a finished stage, and bind it to the journal."""
        write_json(self.run.record_path(record.stage, record.key), record.to_json())
        self.journal.append(
            FINISHED,
            stage=record.stage,
            key=record.key,
            outputs=record.outputs,
            seconds=record.seconds,
            record=digest_of(record.to_json()),
            **more,
        )
        self.journal.checkpoint()

    def _still_there(self, record: Record) -> bool:
        for kind, digest in record.outputs.items():
            try:
                locate(self.run.shelf, kind, digest)
            except DamagedArtifact:
                return False
        return True

    def _forget(self, stage: Stage, key: str, work: Path) -> None:
        """Let go of what the stage made or began, under this key, and of what it began under others."""
        self.run.record_path(stage.name, key).unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)
        if stage.resumable and (gone := unfinished.forget_others(work, failed_only=False)):
            self.journal.append("unfinished work forgotten", stage=stage.name, work=gone)

    def _settle_change(self, stage: Stage, work: Path, ingredients: dict[str, Any]) -> unfinished.Takeover | None:
        """See to unfinished work under another key: refuse, or take it over when told so.

        Raises:
            RecipeError: there is some, and nobody has allowed the change.
        """
        taken = None
        old = unfinished.find_other(work)
        if old is not None:
            before = unfinished.ingredients_in(old)
            changed = unfinished.differences(before, ingredients)
            if changed and not self.manner.allow_change:
                self.journal.append("change refused", stage=stage.name, work=old.name, changed=changed)
                # `resume` must still find the recipe of what is unfinished.
                names = ("recipe", "base", "edited", "current")
                self.run.update(**{name: self.state_before[name] for name in names})
                raise unfinished.refusal(stage.name, old, changed)
            taken = unfinished.take_over(old, work, before)
            if changed:
                self.journal.append("change allowed", stage=stage.name, work=old.name, now=work.name, changed=changed)
        unfinished.begin(work, ingredients)
        return taken

    def _execute(
        self,
        stage: Stage,
        key: str,
        work: Path,
        inputs: dict[str, Artifact],
        gathered: list[Evidence],
        taken: unfinished.Takeover | None,
    ) -> Record:
        self.journal.append(
            "stage started", stage=stage.name, key=key, inputs={kind: item.digest for kind, item in inputs.items()}
        )
        sitting = Sitting(self.recipe.sections, work, joules_of(self.evidence), self.manner.on_progress)
        context = self._context(stage, key, work, inputs, gathered, sitting)
        started, cpu_started = time.monotonic(), time.process_time()
        try:
            sitting.carry_out(context)
        except BaseException as error:
            reason = str(error) if isinstance(error, ModelwrightError) else type(error).__name__
            self.journal.append("stage failed", stage=stage.name, key=key, reason=reason)
            # Checkpoints that do not fit stay with the recipe that they fit.
            given_back = taken and isinstance(error, RecipeError) and unfinished.give_back(taken)
            if not given_back:
                sitting.leave()
            if stage.resumable and not given_back:
                unfinished.note_failure(work, error)
            self.journal.checkpoint()
            raise
        missing = set(stage.gives) - set(context.outputs)
        if missing:
            raise AssertionError(f"stage {stage.name} did not give {', '.join(sorted(missing))}")
        seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu_started
        outputs = {kind: item.digest for kind, item in context.outputs.items()}
        about = {**{kind: item.digest for kind, item in inputs.items()}, **outputs}
        evidence = (*context.evidence, *sitting.meter.claims(stage.name, about))
        if sitting.stopped:
            # What was stopped before its time must never pass for what the recipe asks for.
            key = digest_of({"stopped": key})
        record = Record(stage.name, key, outputs, evidence, round(seconds, 3), round(cpu_seconds, 3))
        self._seal(record)
        shutil.rmtree(work, ignore_errors=True)
        if stage.resumable:
            unfinished.forget_others(work, failed_only=True)
        return record

    def _context(
        self,
        stage: Stage,
        key: str,
        work: Path,
        inputs: dict[str, Artifact],
        gathered: list[Evidence],
        sitting: Sitting,
    ) -> Context:
        return Context(
            stage=stage,
            recipe=self.recipe,
            inputs=inputs,
            gathered=tuple(gathered),
            folder=self.run.folder,
            work=work,
            on_progress=sitting,
            meter=sitting.meter,
            run_recipe=self._run_inside,
            store=lambda filled, kind: store(filled, kind, self.run.shelf, self.vault.key_for(kind)),
            find=lambda kind, about: find_about(self.run.shelf, kind, about),
            note=self.journal.append,
            choose=partial(self._choose, key),
            chosen=partial(self._chosen, key),
            crew=self.manner.crew,
        )

    def _run_inside(self, recipe: Recipe, until: str, on_progress: OnProgress | None = None) -> Run:
        manner = replace(self.manner, on_progress=on_progress or self.manner.on_progress)
        return run_inside(self.run, recipe, until, manner)

    def _choose(self, stage_key: str, name: str, decide: Callable[[], tuple[Any, str]]) -> Any:
        """Resolve an `auto` once for a stage as it stands: what it became, and why, is stored and used again by resume."""
        resolved = self.run.state()["resolved"]
        if resolved.get(name, {}).get("stage_key") != stage_key:
            value, why = decide()
            resolved[name] = {"value": value, "why": why, "stage_key": stage_key}
            self.run.update(resolved=resolved)
            self.journal.append("auto resolved", name=name, value=value, why=why)
        return resolved[name]["value"]

    def _chosen(self, stage_key: str, name: str) -> Any:
        """Return what an `auto` became before, for the stage as it stands; None where nothing was chosen yet."""
        found = self.run.state()["resolved"].get(name, {})
        return found.get("value") if found.get("stage_key") == stage_key else None
