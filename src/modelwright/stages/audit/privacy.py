"""Privacy, claimed against measured: direct tests of the parts, canaries in one more training, membership inference."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.evidence import Evidence, not_applicable
from ...core.files import read_json
from ...core.run import Run
from ...core.stage import Context
from ...methods.privacy.auditing import epsilon_lower_bound, guess_by_rank
from .membership import audit_membership
from .settings import Privacy

AFTER = "Dwork and Roth 2014, proposition 2.1"
CANARY_SOURCE = "Steinke, Nasr and Jagielski 2023"
ORDINARY = "the training was not private, so there is no claim to test: train.privacy is none"


def audit_privacy(context: Context, about: dict[str, str]) -> dict[str, Any]:
    """Measure what the settings ask for, claim it, and return what the report shows."""
    settings: Privacy = context.settings.privacy
    spent = _spent(context)
    found: dict[str, Any] = {"claimed": spent}
    compress: Any = context.recipe.sections.get("compress")
    if spent and compress is not None and compress.steps:
        context.claim(*_still_private(spent, about))
    if settings.checks:
        found["checks"] = _checks(context, spent, about)
    if settings.canaries:
        found["canaries"] = _canaries(context, settings, spent, about)
    if settings.membership:
        found["membership"] = audit_membership(context, settings, spent, about)
    return found


def _spent(context: Context) -> dict[str, Any]:
    """Return what the training of the model says it spent; nothing of an ordinary one."""
    path = context.inputs["model"].path / "training.json"
    spent = read_json(path).get("privacy", {}) if path.exists() else {}
    return {name: value for name, value in spent.items() if name != "canaries"}


def _still_private(spent: dict[str, Any], about: dict[str, str]) -> list[Evidence]:
    """Claim for the compressed model what was claimed of the trained one: its steps have looked at no training example."""
    n, delta = spent["examples"], spent["delta"]
    method = f"at delta {delta:g}; that of the training, as what is made of private weights without a look at the data is as private"
    return [
        Evidence(
            "epsilon", spent["epsilon"], high=spent["epsilon_begun"], n=n, about=about, method=method, source=AFTER
        ),
        Evidence("delta", delta, n=n, about=about, method="that of the training"),
    ]


def _checks(context: Context, spent: dict[str, Any], about: dict[str, str]) -> list[dict[str, Any]]:
    if not spent:
        context.claim(not_applicable("privacy_checks", ORDINARY, **about))
        return []
    from ...engine.private_checks import Setting, judge_record, run_checks

    context.check_interrupt(message="testing the parts of the private training")
    setting = Setting(spent["noise"], spent["clip"], spent["rate"], spent["batch"])
    checks = [*run_checks(setting), *judge_record(spent)]
    failed = [f"{check.name}: found {check.found}, expected {check.expected}" for check in checks if not check.passed]
    context.claim(
        Evidence(
            "privacy_checks",
            float(sum(check.passed for check in checks)),
            unit="checks",
            n=len(checks),
            about=about,
            method="noise scale and freshness, clipping of each example, Poisson sampling, empty batches, counting over a "
            "resume; of the parts that trained, with the settings of the training, and of its record",
            status="failed" if failed else "measured",
            reason="; ".join(failed),
        )
    )
    for line in failed:
        context.progress(message=f"privacy check failed: {line}")
    return [check.__dict__ for check in checks]


def _canaries(context: Context, settings: Privacy, spent: dict[str, Any], about: dict[str, str]) -> dict[str, Any]:
    """Train once more with canaries, guess which of them were in, and claim the epsilon that so many right guesses prove."""
    if not spent:
        context.claim(not_applicable("epsilon_lower_bound", ORDINARY, **about))
        return {}
    edits = {"name": f"{context.recipe.name}-canaries", "train.privacy.canaries": settings.canaries}
    context.check_interrupt(message="training once more, with canaries")
    inner: Run = context.run_recipe(context.recipe.edited(edits), "train")
    model = inner.artifact("model")
    if model is None:
        raise AssertionError("a trained run has a model")
    record = read_json(model.path / "training.json")["privacy"]
    heard = record["canaries"]
    found = guess_by_rank(
        np.array(heard["scores"]), np.array(heard["included"]), round(settings.guesses * settings.canaries)
    )
    bound = epsilon_lower_bound(found, spent["delta"], settings.confidence)
    # Its own claim: where training may end early, the second one may have taken more steps than the first.
    claimed = record["epsilon"]
    refuted = bound > claimed
    context.claim(
        Evidence(
            "epsilon_lower_bound",
            bound,
            low=bound,
            confidence=settings.confidence,
            n=settings.canaries,
            about=about,
            method=f"at delta {spent['delta']:g}; the recipe trained once more with {settings.canaries} canaries, each in by the "
            f"toss of a coin; {found.right} of {found.guesses} guesses right, by the noisy gradients of all steps; the claim is "
            f"epsilon {claimed:.4g}",
            source=CANARY_SOURCE,
            status="failed" if refuted else "measured",
            reason=f"the claim of epsilon {claimed:.4g} is refuted" if refuted else "",
        )
    )
    if refuted:
        context.progress(message=f"epsilon is at least {bound:.3g}, and {claimed:.3g} is claimed")
    return {
        "lower_bound": bound,
        "confidence": settings.confidence,
        "canaries": found.canaries,
        "guesses": found.guesses,
        "right": found.right,
        "claimed": claimed,
    }
