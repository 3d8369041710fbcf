"""Plan: trace what the recipe would do, choose what it leaves to `auto`, say what it will cost before it runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ...core.errors import DataError
from ...core.evidence import not_applicable
from ...core.files import write_json
from ...core.settings import AUTO
from ...core.stage import EDITS, Context
from ...core.units import format_bytes, format_seconds
from .claims import claims_of
from .closed_form import TIMES, claims_of_closed, describe_closed, is_enough
from .elsewhere import claims_of_fleet, describe_fleet, refuse_fleet
from .fleet import FleetSearch
from .ledger import factor_here
from .machine import Machine, machine_of
from .prices import Priced, Range, price
from .refusal import limit_of, over_budget
from .search import YIELDING, Found, Search, yielding_of
from .settings import STAGE, Plan
from .table import describe
from .tracing import Worker
from .worker import Job, count_threads

PLAN = "plan.json"


def run(context: Context) -> None:
    """Say what the run will cost, and resolve every `auto` that this decides.

    Raises:
        BudgetError: nothing that the recipe leaves open fits the budget; says what would.
        DataError: the training cannot be traced, and a closed form will not do.
    """
    settings: Plan = context.settings
    about = {"dataset": context.inputs["dataset"].digest}
    if getattr(type(context.recipe.sections["model"]), "at_once", False):
        _nothing_to_plan(context, about)
        return
    context.check_interrupt(message="tracing the training")
    train: Any = context.recipe.sections["train"]
    threads = count_threads(train)
    machine = machine_of(settings.machine, threads, train.precision)
    job = Job(context.recipe.resolved(), str(context.recipe.base), str(context.inputs["dataset"].path), threads)
    folder = context.work / "worker"
    shutil.rmtree(folder, ignore_errors=True)
    if not machine.here:
        _plan_elsewhere(context, machine, job, folder, about)
        return
    factor = factor_here(context.folder)
    failed: list[dict[str, Any]] = []
    found: Found | None
    with Worker(job, folder) as worker:

        def trace(edits: dict[str, Any], timed: bool) -> Priced:
            context.check_interrupt(message="tracing the training")
            seen = worker.trace(edits, timed)
            if "failed" in seen:
                failed.append(seen)
                raise _cannot_be_traced(seen)
            return price(seen, edits, context.recipe, settings, machine, factor)

        try:
            found = Search(context.recipe, settings.budget, trace).run()
        except DataError:
            if not (failed and is_enough(settings.budget, failed[0]["parameters"])):
                raise
            found = None
    shutil.rmtree(folder, ignore_errors=True)
    if found is None:
        _give_closed_form(context, failed[0], about)
        return
    if found.chosen.refused:
        raise DataError(f"no choice can be trained: {found.chosen.refused}", where="plan")
    _refuse(context, settings, found)
    _give(context, settings, found, machine.source, factor)
    context.claim(*claims_of(found.chosen, settings, machine, about))


def _plan_elsewhere(context: Context, machine: Machine, job: Job, folder: Path, about: dict[str, str]) -> None:
    """Do as `run`, for machines that are not here."""
    settings: Plan = context.settings
    with Worker(job, folder) as worker:

        def ask(asked: dict[str, Any]) -> dict[str, Any]:
            context.check_interrupt(message="tracing the training of one of several devices")
            return worker.trace_share(asked)

        search = FleetSearch(context.recipe, settings, machine, ask)
        found = search.run()
    shutil.rmtree(folder, ignore_errors=True)
    chosen = found.chosen
    if chosen.failed and not is_enough(settings.budget, chosen.failed["parameters"]):
        raise _cannot_be_traced(chosen.failed)
    if chosen.failed:
        _give_closed_form(context, chosen.failed, about)
        return
    if chosen.refused:
        raise DataError(f"no choice can be trained: {chosen.refused}", where="plan")
    refuse_fleet(settings, search, found)
    plan = describe_fleet(context.recipe, settings, machine, search, found)
    place = _new_folder(context)
    write_json(place / PLAN, plan)
    _resolve(context, place, plan["choices"])
    context.give("plan", place)
    context.claim(*claims_of_fleet(plan, machine, about))


def _nothing_to_plan(context: Context, about: dict[str, str]) -> None:
    kind: str = context.recipe.sections["model"].kind  # type: ignore[attr-defined]
    reason = f"the model '{kind}' is fitted at once, by scikit-learn, whose memory cannot be traced"
    folder = _new_folder(context)
    write_json(folder / PLAN, {"reason": reason})
    context.give("plan", folder)
    context.claim(*(not_applicable(name, reason, **about) for name in STAGE.claims))


def _give_closed_form(context: Context, failed: dict[str, Any], about: dict[str, str]) -> None:
    """Say what a closed form knows, that it is one, and why there is nothing better."""
    plan = describe_closed(context.recipe, failed["failed"], failed["parameters"])
    folder = _new_folder(context)
    write_json(folder / PLAN, plan)
    _resolve(context, folder, plan["choices"])
    context.note("closed form", value=plan["closed_form"], why=plan["reason"])
    context.give("plan", folder)
    context.claim(*claims_of_closed(plan, about))


def _cannot_be_traced(found: dict[str, Any]) -> DataError:
    """With a limit to keep, or nothing known of the network, there is no plan: a closed form has no bound."""
    parameters = found["parameters"]
    known = (
        f"; four times its parameters, without activations, are {format_bytes(TIMES * parameters)}"
        if parameters
        else ""
    )
    return DataError(
        f"the training cannot be traced ({found['failed']}){known}",
        where="plan",
        expected="a training without parts that look into tensors in a way that cannot be followed",
        next_step="leave plan.budget out for a closed form, and report the recipe",
    )


def _refuse(context: Context, settings: Plan, found: Found) -> None:
    """Stop here where nothing fits, before anything is spent.

    Raises:
        BudgetError: says what would fit.
    """
    if not found.over:
        return
    chosen, name = found.chosen, found.over[0]
    needs = {
        "memory": lambda: f"the peak may reach {format_bytes(chosen.bound)}",
        "time": lambda: (
            f"the training is expected to take {format_seconds(chosen.seconds.value if chosen.seconds else 0)}"
        ),
        "energy": lambda: f"the training is expected to draw {chosen.joules.value if chosen.joules else 0:.4g} J",
        "cost": lambda: f"the training is expected to cost {chosen.money.value if chosen.money else 0:.4g}",
    }
    raise over_budget(
        needs[name](),
        f"plan.budget.{name}",
        limit_of(settings.budget, name),
        found.ways_out,
        "make the model smaller",
    )


def _give(context: Context, settings: Plan, found: Found, source: str, factor: Range) -> None:
    folder = _new_folder(context)
    write_json(folder / PLAN, describe(context.recipe, settings, found, source, factor.value))
    train: Any = context.recipe.sections["train"]
    chosen = {key: value for key, value in found.chosen.edits.items() if _is_open(train, key)}
    _resolve(context, folder, {key: {"value": value, "why": found.why[key]} for key, value in chosen.items()})
    context.give("plan", folder)


def _is_open(train: Any, key: str) -> bool:
    """Say whether the recipe leaves a key to the plan."""
    if key in YIELDING:
        return key in yielding_of(train)
    return bool(getattr(train, key.removeprefix("train.")) == AUTO)


def _resolve(context: Context, folder: Any, choices: dict[str, dict[str, Any]]) -> None:
    """Write into the recipe what became of each `auto`, and why."""
    write_json(folder / EDITS, {key: choice["value"] for key, choice in choices.items()})
    for key, choice in choices.items():
        context.note("auto resolved", name=key, value=choice["value"], why=choice["why"])


def _new_folder(context: Context) -> Any:
    folder = context.work / "plan"
    # A killed process may have left a part of it.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
