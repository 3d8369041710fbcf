"""The Python API: the same verbs as on the command line, as functions that return what was made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core import registry
from ..core.crew import ALONE, Crew
from ..core.errors import GateFailed
from ..core.execute import forget as forget_stages
from ..core.execute import go_on
from ..core.execute import run as execute
from ..core.files import read_json
from ..core.recipe import Recipe, load_recipe
from ..core.run import Run
from ..core.stage import OnProgress

Where = str | Path


def run(
    recipe: Where | Recipe,
    *overrides: str,
    until: str | None = None,
    runs: Where = "runs",
    on_progress: OnProgress = go_on,
    from_scratch: bool = False,
    allow_change: bool = False,
    crew: Crew = ALONE,
) -> Run:
    """Run all that a recipe asks for, or up to one stage; then write the report and publish the release, if one was made.

    `from_scratch` forgets what was made before; `allow_change` lets an unfinished training go on although its recipe, data,
    code or environment has changed. `crew` are the processes that train together, of which this is the first.
    """
    loaded = recipe if isinstance(recipe, Recipe) else load_recipe(Path(recipe), overrides)
    return _run_in(Path(runs) / loaded.name, loaded, until, on_progress, from_scratch, allow_change, crew)


def _run_in(
    folder: Path,
    recipe: Recipe,
    until: str | None,
    on_progress: OnProgress,
    from_scratch: bool,
    allow_change: bool,
    crew: Crew = ALONE,
) -> Run:
    from .publish import publish
    from .tracking import require_trackers

    require_trackers(recipe)
    try:
        made = execute(
            recipe, until, on_progress, folder=folder, from_scratch=from_scratch, allow_change=allow_change, crew=crew
        )
    except GateFailed:
        # What an earlier recipe released must not lie there as if this one had; and the report says which gate failed.
        publish(Run(folder))
        raise
    publish(made)
    registry.function_of("action", "settle")(made.folder)
    if until in (None, "prove_resume"):
        _refuse_disproved(made)
    return made


def _refuse_disproved(made: Run) -> None:
    """A training that did not end in the same bytes is no reason to stop the stages after it, but one to fail."""
    for item in made.evidence():
        if item.name in ("resume_bit_equal", "resume_accountant_equal") and item.status == "failed":
            raise GateFailed(
                f"the killed and resumed training is not the undisturbed one: {item.reason}",
                where=made.folder,
                expected="the same bytes",
                next_step="set train.threads: 1 and try again; if they still differ, report it with `modelwright doctor --json`",
            )


def forget(recipe: Recipe, stage: str, runs: Where = "runs") -> None:
    """Let go of what one stage of a recipe has made, so that it is made anew; what others have made stays."""
    opened = Run(Path(runs) / recipe.name)
    if opened.records.exists():
        with opened.opened() as journal:
            forget_stages(opened, [stage])
            journal.append("stage forgotten", stage=stage)


def tune(recipe: Where, *overrides: str, **options: Any) -> Run:
    """Run a recipe up to the stage `tune`."""
    return run(recipe, *overrides, until="tune", **options)


def prepare(recipe: Where, *overrides: str, **options: Any) -> Run:
    """Run a recipe up to the stage `prepare`."""
    return run(recipe, *overrides, until="prepare", **options)


def plan(recipe: Where, *overrides: str, **options: Any) -> Run:
    """Run a recipe up to the stage `plan`.

    Raises:
        BudgetError: nothing that the recipe leaves open fits its budget.
    """
    return run(recipe, *overrides, until="plan", **options)


def planned(folder: Where) -> dict[str, Any]:
    """Return what was planned of the run in a folder; nothing where it was not."""
    artifact = Run(Path(folder)).artifact("plan")
    found: dict[str, Any] = read_json(artifact.path / "plan.json") if artifact else {}
    return found


def train(recipe: Where, *overrides: str, **options: Any) -> Run:
    """Run a recipe up to the stage `train`."""
    return run(recipe, *overrides, until="train", **options)


def compress(recipe: Where, *overrides: str, **options: Any) -> Run:
    """Run a recipe up to the stage `compress`."""
    return run(recipe, *overrides, until="compress", **options)


def evaluate(recipe: Where, *overrides: str, **options: Any) -> Run:
    """Run a recipe up to the stage `evaluate`."""
    return run(recipe, *overrides, until="evaluate", **options)


def explain(recipe: Where, *overrides: str, **options: Any) -> Run:
    """Run a recipe up to the stage `explain`."""
    return run(recipe, *overrides, until="explain", **options)


def audit(recipe: Where, *overrides: str, **options: Any) -> Run:
    """Run a recipe up to the stage `audit`."""
    return run(recipe, *overrides, until="audit", **options)


def prove_resume(recipe: Where, *overrides: str, **options: Any) -> Run:
    """Run a recipe up to the stage `prove_resume`: kill its training at random moments, resume it, compare every byte.

    Raises:
        GateFailed: it ended in other bytes.
    """
    return run(recipe, *overrides, until="prove_resume", **options)


def release(recipe: Where, *overrides: str, **options: Any) -> Run:
    """Run a recipe up to the stage `release`."""
    return run(recipe, *overrides, until="release", **options)


def resume(folder: Where, on_progress: OnProgress = go_on, *, allow_change: bool = False, crew: Crew = ALONE) -> Run:
    """Go on with the run in a folder, as its own resolved recipe says."""
    # The folder is what counts: somebody may have moved or renamed it.
    opened = Run(Path(folder).resolve())
    return _run_in(opened.folder, opened.recipe(), None, on_progress, False, allow_change, crew)


def check(recipe: Where, *overrides: str) -> Recipe:
    """Read and validate a recipe; torch is not loaded."""
    return load_recipe(Path(recipe), overrides)


def report(folder: Where, state: Where | None = None) -> Path:
    """Write the report page of a run; return where it lies. `state` is where its release was served, if not beside it."""
    from .report.page import write_report

    return write_report(Run(Path(folder)), Path(state) if state else None)


def serve(
    folder: Where,
    *overrides: str,
    state: Where | None = None,
    public_key: Where | None = None,
    tell: Callable[[str], None] = lambda address: None,
    question: str = "",
    out: Where | None = None,
) -> dict[str, Any]:
    """Answer over HTTP from a release until told to stop, or just this question; return what there is to say of it.

    `tell` is given the address as soon as the model is open; the answer to the question stands under `found`, and is written to `out`
    where it is a picture.
    """
    places = (Path(state) if state else None, Path(public_key) if public_key else None)
    served: dict[str, Any] = registry.function_of("action", "serve")(
        Path(folder), overrides, *places, tell, question=question, out=Path(out) if out else None
    )
    return served


def serving(folder: Where, *overrides: str) -> dict[str, Any]:
    """Return how a release would be served."""
    settings: dict[str, Any] = registry.function_of("action", "serving")(Path(folder), overrides).model_dump(
        mode="json"
    )
    return settings


def keys(
    action: str,
    folder: Where,
    name: str = "",
    *,
    scopes: tuple[str, ...] = ("predict", "feedback"),
    days: float | None = None,
    state: Where | None = None,
) -> dict[str, Any]:
    """Add, list or revoke the keys of a served release; a new key is returned once and never again."""
    place = Path(state) if state else None
    found: dict[str, Any] = registry.function_of("action", "keys")(action, Path(folder), place, name, scopes, days)
    return found


def verify(folder: Where, public_key: Where | None = None, witness: Where | None = None) -> dict[str, Any]:
    """Check a release from nothing but itself."""
    checked: dict[str, Any] = registry.function_of("action", "verify")(
        Path(folder), Path(public_key) if public_key else None, Path(witness) if witness else None
    )
    return checked


def predict(folder: Where, *inputs: str, out: Where | None = None) -> list[dict[str, Any]]:
    """Answer inputs from a release alone: label, probability and the runners-up of each; pictures are written to `out`."""
    place = Path(out) if out is not None else None
    answers: list[dict[str, Any]] = registry.function_of("action", "predict")(Path(folder), list(inputs), place)
    return answers
