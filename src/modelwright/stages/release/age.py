"""How old the audit of a model is when it is released, so that a gate can demand a fresh one."""

from __future__ import annotations

import time

from ...core.evidence import Evidence, not_applicable
from ...core.family import FINISHED
from ...core.journal import read_journal
from ...core.run import Run
from ...core.stage import Context

AUDIT = "audit"


def age_of_audit(context: Context, model: str) -> Evidence:
    """Return the seconds since the audit of this very model ended, by the journal.

    Units: seconds
    """
    key = Run(context.folder).state()["current"].get(AUDIT)
    audited = key and any(
        item.name == "security_scan" and item.about.get("model") == model for item in context.gathered
    )
    ends = [
        item.time
        for item in read_journal(context.folder / "journal.jsonl")
        if audited and item.event == FINISHED and item.data.get("key") == key
    ]
    if not ends:
        return not_applicable("audit_age", "this model was not audited: the recipe has no section audit", model=model)
    age = max(0.0, round(time.time() - ends[-1], 3))
    return Evidence(
        "audit_age", age, unit="seconds", about={"model": model}, method="since the audit ended, by the journal"
    )
