"""Audit: look at a model beyond how well it does, part by part; what each part found is kept in one summary."""

from __future__ import annotations

import shutil

from ...core.files import write_json
from ...core.stage import Context
from .fairness import audit_fairness
from .privacy import audit_privacy
from .security import audit_security


def run(context: Context) -> None:
    """Audit the model of a recipe."""
    about = {"model": context.inputs["model"].digest, "dataset": context.inputs["dataset"].digest}
    summary = {
        "security": audit_security(context, about),
        "fairness": audit_fairness(context, about),
        "privacy": audit_privacy(context, about),
    }
    folder = context.work / "audit"
    # A killed process may have left a part of it.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_json(folder / "summary.json", summary)
    context.give("audit", folder)
