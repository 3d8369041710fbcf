"""Explain: draw what a layer makes of the examples, say which parts an answer rests on and test that, imitate the model simply."""

from __future__ import annotations

import shutil

import numpy as np

from ...core.files import write_json
from ...core.randomness import derive_seed
from ...core.stage import Context
from .attribute import attribute
from .case import Case, open_case, some_rows
from .features import features_of
from .imitate import imitate
from .projections import project
from .settings import Explain

SUMMARY = "summary.json"


def run(context: Context) -> None:
    """Explain the model of a recipe, on its training and validation part.

    Raises:
        RecipeError: the model cannot be explained in a way that was asked for.
        MissingExtra: a way needs a package that is not installed.
        Interrupted: asked to stop; nothing was stored.
    """
    case = open_case(context)
    folder = context.work / "explanation"
    # A killed process may have left a part of it.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    summary = {
        "classes": case.validation.learnt["classes"],
        "projections": _project(context, case),
        **attribute(context, case, folder),
        "surrogates": imitate(context, case),
    }
    write_json(folder / SUMMARY, summary)
    context.give("explanation", folder)


def _project(context: Context, case: Case) -> list[dict[str, object]]:
    settings: Explain = context.settings
    if not settings.projections:
        return []
    seed = derive_seed(context.recipe.seed, "projection")
    some = case.validation.take(some_rows(case.validation, settings.examples, seed))
    features, layer = features_of(case.subject, settings.layer, some)
    classes, shown = np.asarray(some.columns["target"]), []
    for number, part in enumerate(settings.projections):
        context.check_interrupt(number, len(settings.projections), f"projecting {layer}: {part.kind}")
        claims, picture = project(part, features, layer, classes, seed, settings.confidence, case.about)
        context.claim(*claims)
        shown.append(picture)
    return shown
