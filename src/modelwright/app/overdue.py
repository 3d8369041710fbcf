"""What is overdue: audits that are too old, releases that were never audited, keys that will soon be worth nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..core import registry
from ..core.errors import DataError, GateFailed, Problem, RecipeError
from ..core.family import FINISHED
from ..core.files import read_json
from ..core.journal import read_journal
from ..core.run import STATE
from ..core.units import parse_quantity

DAY = 86_400.0
# Audits older than this are overdue, unless told otherwise.
DEFAULT_AGE = "30d"
AUDIT, RELEASE, JOURNAL, DIGESTS = "audit", "release", "journal.jsonl", "digests.json"


def require_nothing_overdue(place: Path, since: str | None) -> int:
    """Return how many runs and releases were looked at, if nothing of them is overdue.

    Raises:
        GateFailed: lists everything that is.
        RecipeError: `since` is no age.
    """
    try:
        age = parse_quantity(since or DEFAULT_AGE, "seconds")
    except ValueError as error:
        raise RecipeError(str(error), where="--since", expected="an age such as 30d or 12h") from None
    problems, places = overdue(place, age)
    if problems:
        raise GateFailed.of(problems)
    return places


def overdue(place: Path, since: float, now: float | None = None) -> tuple[list[Problem], int]:
    """Return what is overdue in a run, a release, or a folder of these, and how many were looked at.

    Units: since: seconds.
    Raises:
        DataError: there is neither a run nor a release.
    """
    moment = time.time() if now is None else now
    found = sorted({*_places(place)})
    if not found:
        raise DataError(
            "there is neither a run nor a release",
            where=place,
            expected="a run folder, a release, or a folder of these",
        )
    problems = [problem for folder in found for problem in _overdue(folder, since, moment)]
    return problems, len(found)


def _places(place: Path) -> Iterator[Path]:
    """Yield each run and each release at a place and right below it; the release of a run belongs to the run."""
    candidates = [place, *(path for path in sorted(place.iterdir()) if path.is_dir())] if place.is_dir() else []
    runs = [path for path in candidates if (path / STATE).exists()]
    yield from runs
    yield from (path for path in candidates if (path / DIGESTS).exists() and path.parent not in runs)


def _overdue(folder: Path, since: float, now: float) -> Iterator[Problem]:
    release = folder / RELEASE if (folder / STATE).exists() else folder
    if not (release / DIGESTS).exists():
        return
    model = str(read_json(release / DIGESTS).get("model", ""))
    audited = _last_audit(folder / JOURNAL, model)
    days = since / DAY
    again = "modelwright audit RECIPE --again, then modelwright release RECIPE"
    if audited is None:
        yield Problem(
            "the model that is released was never audited",
            str(release),
            f"an audit within {days:g} days",
            "write a section audit into the recipe and run it",
        )
    elif now - audited > since:
        yield Problem(
            f"the last audit is {(now - audited) / DAY:.1f} days old", str(release), f"at most {days:g} days", again
        )
    keys: list[dict[str, Any]] = registry.function_of("action", "expiring")(release, now, since)
    for key in keys:
        left = (key["expires"] - now) / DAY
        state = f"ends in {left:.1f} days" if left > 0 else f"ended {-left:.1f} days ago"
        yield Problem(
            f"the key {key['prefix']} of '{key['name']}' {state}",
            str(release),
            f"keys that are valid for more than {days:g} days",
            f"modelwright keys add {release} '{key['name']}', and hand it out",
        )


def _last_audit(journal: Path, model: str) -> float | None:
    """Return when this very model was audited last, by the journal; audits of other models count for nothing."""
    inputs: dict[str, str] = {}
    last = None
    for record in read_journal(journal):
        if record.event == "stage started" and record.data.get("stage") == AUDIT:
            inputs[str(record.data.get("key"))] = str((record.data.get("inputs") or {}).get("model", ""))
        if record.event == FINISHED and record.data.get("stage") == AUDIT:
            last = record.time if inputs.get(str(record.data.get("key"))) == model else last
    return last
