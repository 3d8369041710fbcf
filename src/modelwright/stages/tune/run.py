"""Tune: run trials, choose the best on the validation part, give its edits to all that comes after."""

from __future__ import annotations

import shutil
from dataclasses import asdict

from ...core.errors import DataError, RecipeError
from ...core.evidence import Evidence
from ...core.execute import inner_folder
from ...core.run import Run
from ...core.stage import Context
from .crowd import search_by_processes
from .here import search_here
from .plan import open_search, plan_of
from .results import write_results
from .search import Search, Tried, forget, mend
from .settings import Tune
from .telling import Teller
from .trial import recipe_of
from .worker import STUDY, Job


def run(context: Context) -> None:
    """Search for better settings; the test part stays closed.

    Raises:
        Interrupted: asked to stop; the search goes on from here when it is resumed.
        DataError: no trial could be finished.
        MissingExtra: Optuna, or what else was asked for, is not installed.
    """
    settings: Tune = context.settings
    study = context.work / STUDY
    mend(study)
    search = open_search(plan_of(context.recipe, settings), study)
    teller = Teller(context, search)
    teller.tell()
    job = Job(str(context.folder), context.recipe.resolved(), str(context.recipe.base), str(context.work))
    if settings.on == "ray":
        from .on_ray import search_on_ray

        search_on_ray(context, search, teller.tell, job)
    elif settings.processes > 1:
        search_by_processes(context, search, teller.tell, job)
    else:
        search_here(context, search, teller)
    best = search.best()
    if best is None:
        tried = search.tried()
        # Otherwise the same trials would fail for ever, also when what they lacked is there again.
        forget(study)
        raise DataError(
            f"none of {len(tried)} trials was finished; the first said: {tried[0].outcome.reason}",
            where="tune",
            expected="a trial that ends",
            next_step="try the recipe without its section tune, then give tune.space values that work",
        )
    folder = context.work / "tuning"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_results(folder, search, best, settings)
    about = {"tuning": context.give("tuning", folder).digest}
    context.claim(*_claims(search, best, settings, about))
    _keep_best(context, search, settings.keep_trials)


def _claims(search: Search, best: Tried, settings: Tune, about: dict[str, str]) -> list[Evidence]:
    outcomes = [trial.outcome for trial in search.tried()]
    states = [outcome.state for outcome in outcomes]
    epochs = sum(outcome.epochs for outcome in outcomes)
    return [
        Evidence(
            f"tuned[validation_{settings.goal.measure}]",
            best.outcome.value,
            unit="nats" if settings.goal.measure == "loss" else "",
            about=about,
            method=f"the best of {states.count('finished')} finished trials on the validation part that chose it, and so "
            "flattering; the test part says what it is worth",
        ),
        Evidence("trials", len(outcomes), about=about, method="counted"),
        Evidence("trials_stopped", states.count("stopped"), about=about, method="worse than others that came as far"),
        Evidence("trials_failed", states.count("failed"), about=about, method="counted"),
        Evidence("epochs_used", round(epochs, 6), about=about, method="steps of all trials over the steps of an epoch"),
    ]


def _keep_best(context: Context, search: Search, number: int) -> None:
    """Remove the runs of all trials but the best; the very best must stay, for its model is taken from there."""
    sign = -1.0 if search.plan.maximise else 1.0
    finished = [trial for trial in search.tried() if trial.outcome.state == "finished"]
    ranked = sorted(finished, key=lambda trial: (sign * (trial.outcome.value or 0.0), trial.number))
    outer = Run(context.folder)
    kept = {inner_folder(outer, recipe_of(context.recipe, trial.edits)) for trial in ranked[:number]}
    for trial in search.tried():
        try:
            folder = inner_folder(outer, recipe_of(context.recipe, trial.edits))
        except RecipeError:
            continue  # it failed before there was anything to keep
        if folder not in kept:
            shutil.rmtree(folder, ignore_errors=True)
            Run(folder).witness.unlink(missing_ok=True)
    context.note("tuned", best=asdict(search.best() or ranked[0]))
