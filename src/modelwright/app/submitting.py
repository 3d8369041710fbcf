"""The verb `submit`: several recipes, planned and then handed to Ray, which runs each where and when there is room."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..core.errors import RecipeError
from .words import say


def add_arguments(command: ArgumentParser) -> None:
    """Say what `submit` takes."""
    command.add_argument("recipes", type=Path, nargs="+", metavar="RECIPE", help="the recipe files")
    command.add_argument("--runs", type=Path, default=Path("runs"), help="the folder of runs (default: runs)")
    command.add_argument(
        "--energy", default="", metavar="LIMIT", help="most energy that all jobs together may take, such as '2 kWh'"
    )
    command.add_argument(
        "--cost",
        type=float,
        default=0.0,
        metavar="LIMIT",
        help="most money that all jobs together may cost, in the currency of plan.price",
    )


def submit(options: Namespace) -> dict[str, Any]:
    """Plan every recipe, hand those that fit to Ray in their order, and say what became of each.

    Raises:
        RecipeError: two recipes have the same name, or one cannot be trained in so many processes.
        ModelwrightError: a job failed, was held back by a limit of the queue, or fits no machine; all others have run.
    """
    from ..core import registry
    from ..core.units import parse_quantity

    queue: Any = registry.load("modelwright.engine.queue:Limits")
    limits = queue(parse_quantity(options.energy, "J") if options.energy else 0.0, options.cost)
    recipes = _load(options.recipes)

    def told(line: str) -> None:
        print(f"{say('queue')}: {line}", file=sys.stderr, flush=True)

    if options.dry_run:
        jobs = registry.load("modelwright.engine.queue:in_order")(
            [_job(recipe, path, None) for path, recipe in recipes]
        )
        _print([f"{job.name:<24} {say('priority')} {job.priority}" for job in jobs], options)
        return {"jobs": [asdict(job) for job in jobs]}
    registry.load("modelwright.engine.queue_ray:require_ray")()
    jobs = [_job(recipe, path, _planned(recipe, options.runs, told)) for path, recipe in recipes]
    ordered = registry.load("modelwright.engine.queue:in_order")(jobs)
    kept, held = registry.load("modelwright.engine.queue:within_limits")(ordered, limits)
    for name, why in held.items():
        told(f"{name}: {why}")
    standings = registry.function_of("action", "submit_to_ray")(kept, options.runs.resolve(), told)
    result = [_told(item) for item in standings]
    result += [{"job": job.name, "state": "held", "why": held[job.name]} for job in ordered if job.name in held]
    _print([_line(item) for item in result], options)
    _require_all(result)
    return {"jobs": result}


def _load(paths: list[Path]) -> list[tuple[Path, Any]]:
    from ..core.recipe import load_recipe
    from .processes import require_layout

    recipes = [(path, load_recipe(path)) for path in paths]
    names = [recipe.name for _, recipe in recipes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RecipeError(
            f"several recipes are called {', '.join(twice)}",
            where="submit",
            expected="a name of its own for each, as its run folder is called so",
        )
    for _, recipe in recipes:
        said = _settings(recipe)
        for workers in {said.workers, said.least or said.workers}:
            require_layout(recipe, workers)
    return recipes


def _settings(recipe: Any) -> Any:
    from ..core import registry

    return recipe.sections.get("submit") or registry.load("modelwright.engine.queue_settings:Submit")()


def _overrides(recipe: Any) -> dict[str, Any]:
    """Return what has to be said so that several jobs on one machine keep to their own cores."""
    train: Any = recipe.sections.get("train")
    return {"train.threads": _settings(recipe).cpus} if train is not None and train.threads == "auto" else {}


def _planned(recipe: Any, runs: Path, told: Any) -> dict[str, Any]:
    """Plan a recipe in its own run folder, and return the plan."""
    from ..core.files import read_json
    from . import api

    told(f"{recipe.name}: {say('planning')}")
    edits = _overrides(recipe)
    made = api.run(recipe.edited(edits) if edits else recipe, until="plan", runs=runs)
    artifact = made.artifact("plan")
    assert artifact is not None, "plan has just given it"
    plan: dict[str, Any] = read_json(artifact.path / "plan.json")
    return plan


def _job(recipe: Any, path: Path, plan: dict[str, Any] | None) -> Any:
    """Return a recipe as a job: what its plan and its section `submit` say."""
    from ..core import registry

    said, plan = _settings(recipe), plan or {}
    aside: int = registry.load("modelwright.engine.queue:PROCESS_BYTES")
    # A closed form has no bound; twice what it knows is asked for. What is fitted at once has no plan.
    tensors = plan.get("bound") or 2 * plan.get("closed_form", 0)
    costs = {name: (plan.get(name) or {}).get("value") or 0.0 for name in ("seconds", "joules", "money")}
    return registry.load("modelwright.engine.queue:Job")(
        name=recipe.name,
        recipe=str(path.resolve()),
        priority=said.priority,
        cpus=said.cpus,
        gpus=said.gpus,
        memory=int(said.memory) or int(tensors) + aside,
        least=said.least or said.workers,
        most=said.workers,
        overrides=tuple(f"{key}={value}" for key, value in _overrides(recipe).items()),
        **costs,
    )


def _told(item: Any) -> dict[str, Any]:
    return {
        "job": item.job.name,
        "state": item.state,
        "why": item.why if item.state in ("held", "failed") else "",
        "exit_code": item.code,
        "seconds": round(item.seconds, 3),
        "planned": {"memory": item.job.memory, "seconds": item.job.seconds, "joules": item.job.joules},
        "peak": item.peak,
        "sizes": [asdict(size) for size in item.sizes],
    }


def _line(item: dict[str, Any]) -> str:
    from ..core.units import format_bytes, format_seconds

    if item["state"] == "held":
        return f"{item['job']:<24} {say('held')}: {item['why']}"
    planned = (
        f"{say('planned')} {format_bytes(item['planned']['memory'])}, {format_seconds(item['planned']['seconds'])}"
    )
    measured = f"{say('measured')} {format_bytes(item['peak'])}, {format_seconds(item['seconds'])}"
    return f"{item['job']:<24} {say(item['state']):<10} {planned}; {measured}"


def _require_all(result: list[dict[str, Any]]) -> None:
    """Refuse to call it done where a job failed or was held; what failed first has its own exit code.

    Raises:
        ModelwrightError: names them all.
    """
    from ..core import errors

    families = (errors.RecipeError, errors.DataError, errors.DamagedArtifact, errors.Busy, errors.GateFailed)
    by_code = {family.exit_code: family for family in families}
    left = [item for item in result if item["state"] != "finished"]
    failed = [item for item in left if item["state"] == "failed"]
    if left:
        family: Any = by_code.get(failed[0]["exit_code"], errors.DataError) if failed else errors.BudgetError
        raise family.of([_problem(item) for item in left])


def _problem(item: dict[str, Any]) -> Any:
    from ..core.errors import Problem

    where = f"submit: {item['job']}"
    if item["state"] == "held":
        return Problem(item["why"], where, "room, or higher limits", "change the recipe or the limit")
    found = item["why"] or f"it ended with exit code {item['exit_code']}"
    return Problem(found, where, "a job that ends well", "modelwright run with its recipe says why")


def _print(lines: list[str], options: Namespace) -> None:
    for line in lines:
        print(line, file=sys.stderr if options.json else sys.stdout)
