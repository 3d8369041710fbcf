"""Which models get a surrogate: the one that the run explains, and the same before it was compressed."""

from __future__ import annotations

from typing import Any

from ...core.randomness import derive_seed
from ...core.stage import Context
from .case import Case, some_rows
from .settings import Explain
from .subject import Subject, open_subject
from .surrogate import Imitated, fit_and_judge


def imitate(context: Context, case: Case) -> list[dict[str, Any]]:
    """Fit a surrogate to the model, and to the model before `compress` pruned or otherwise changed it; return what is shown."""
    settings: Explain = context.settings
    if settings.surrogate.kind == "none" or not case.view.names:
        return []
    seed = derive_seed(context.recipe.seed, "surrogate")
    some = case.training.take(some_rows(case.training, settings.surrogate_rows, seed))
    features, held_out = case.view.read(some), case.view.read(case.validation)
    shown = []
    for whom, subject, digest in [("", case.subject, case.about["model"]), *_before_compression(context)]:
        context.check_interrupt(message="fitting a surrogate")
        imitated = Imitated(
            features,
            subject.predictor.predict(some).argmax(axis=1),
            held_out,
            subject.predictor.predict(case.validation).argmax(axis=1),
            case.view.names,
            case.validation.learnt["classes"],
            seed,
        )
        about = {**case.about, "model": digest}
        claims, found = fit_and_judge(settings.surrogate, imitated, whom, settings.confidence, about)
        context.claim(*claims)
        shown.append({"whom": whom, **found})
    return shown


def _before_compression(context: Context) -> list[tuple[str, Subject, str]]:
    """Return the model as it was trained, where `compress` has changed it since; it is not made again."""
    compress: Any = context.recipe.sections.get("compress")
    if compress is None or not compress.steps:
        return []
    inner = context.run_recipe(context.recipe.without("compress").without(context.stage.name), "train")
    trained = inner.artifact("model")
    if trained is None:
        raise AssertionError("a trained run has a model")
    return [("before compress", open_subject(trained.path), trained.digest)]
