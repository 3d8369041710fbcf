"""What an interrupted stage left to go on from, and a change that would abandon it: the user is asked, never surprised.

A stage that can be resumed keeps, beside its own work, the ingredients of its key. A killed or interrupted stage leaves
that folder; a finished one leaves none; one that failed because of its recipe or its data is marked, and asks nobody.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .digest import digest_of
from .errors import DamagedArtifact, DataError, GateFailed, RecipeError
from .files import read_json, write_json
from .metering import SPENT

INGREDIENTS, FAILED = "ingredients.json", "failed.json"
SHOWN_DIGITS = 12


@dataclass(frozen=True)
class Takeover:
    """Work that was given another key: its old and new folder, its old ingredients, when each file was last changed."""

    old: Path
    new: Path
    ingredients: dict[str, Any]
    times: dict[str, int]


def begin(work: Path, ingredients: dict[str, Any]) -> None:
    """Make the work folder of a stage that can be resumed, or take it up again."""
    work.mkdir(parents=True, exist_ok=True)
    (work / FAILED).unlink(missing_ok=True)
    write_json(work / INGREDIENTS, ingredients)


def note_failure(work: Path, error: BaseException) -> None:
    """Mark a stage that its recipe or data let fail: the way on is to change these, so nobody need be asked."""
    if isinstance(error, (RecipeError, DataError, GateFailed)):
        write_json(work / FAILED, {"reason": str(error)})


def find_other(work: Path) -> Path | None:
    """Return the newest unfinished work of the same stage under another key, unless there is some under this one."""
    if (work / INGREDIENTS).exists() and not (work / FAILED).exists():
        return None
    found = [path for path in _others(work) if (path / INGREDIENTS).exists() and not (path / FAILED).exists()]
    return max(found, key=lambda path: (path / INGREDIENTS).stat().st_mtime_ns, default=None)


def forget_others(work: Path, *, failed_only: bool) -> list[str]:
    """Remove the work of the same stage under other keys; return the names of what went."""
    doomed = [path for path in _others(work) if not failed_only or (path / FAILED).exists()]
    for path in doomed:
        shutil.rmtree(path)
    return [path.name for path in doomed]


def _others(work: Path) -> list[Path]:
    stage = re.escape(work.name.rpartition("-")[0])
    return [
        path
        for path in sorted(work.parent.glob("*"))
        if re.fullmatch(stage + "-[0-9a-f]{16}", path.name) and path != work
    ]


def ingredients_in(work: Path) -> dict[str, Any]:
    """Return what an unfinished stage was made from.

    Raises:
        DamagedArtifact: the note of it is not what its folder's name says.
    """
    found = read_json(work / INGREDIENTS)
    if not isinstance(found, dict) or not set(found) >= {"sections", "inputs", "environment"}:
        raise DamagedArtifact(
            "this does not say what the unfinished stage was made from",
            where=work / INGREDIENTS,
            expected="the ingredients that were written",
            next_step="start anew with --from-scratch",
        )
    return found


def take_over(old: Path, new: Path, ingredients: dict[str, Any]) -> Takeover:
    """Give unfinished work another key; `ingredients` are what it was made from so far."""
    shutil.rmtree(new, ignore_errors=True)
    os.replace(old, new)
    return Takeover(old, new, ingredients, times_of(new))


def give_back(taken: Takeover) -> bool:
    """Undo `take_over` if nothing was done with the work since; say whether it was undone."""
    if times_of(taken.new) != taken.times:
        return False
    os.replace(taken.new, taken.old)
    begin(taken.old, taken.ingredients)
    return True


def times_of(work: Path) -> dict[str, int]:
    """Return when each file of a stage's work was last changed; our own notes do not count."""
    return {
        path.relative_to(work).as_posix(): path.stat().st_mtime_ns
        for path in sorted(work.rglob("*"))
        if path.is_file() and path.name not in (INGREDIENTS, FAILED, SPENT)
    }


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Say of every ingredient that is another one now what it was and what it is: `train.batch: 64 -> 32`."""
    before, after = _fields(old), _fields(new)
    return [
        f"{name}: {_shown(before.get(name))} -> {_shown(after.get(name))}"
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]


def _fields(ingredients: dict[str, Any]) -> dict[str, Any]:
    """Return every ingredient under the name that a person knows it by."""
    return {
        **_flat(ingredients["sections"]),
        **{f"{kind} (digest)": digest[:SHOWN_DIGITS] for kind, digest in ingredients["inputs"].items()},
        "code of modelwright (digest)": ingredients.get("code", "")[:SHOWN_DIGITS],
        **ingredients["environment"],
        "what is read from outside": ingredients.get("outside", "")[:SHOWN_DIGITS],
        "gathered evidence (digest)": digest_of(ingredients.get("gathered", []))[:SHOWN_DIGITS],
    }


def _flat(data: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(data, dict) or not data:
        return {prefix: data}
    found: dict[str, Any] = {}
    for key, value in data.items():
        found.update(_flat(value, f"{prefix}.{key}" if prefix else key))
    return found


def _shown(value: Any) -> str:
    if value is None:
        return "absent"
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def refusal(stage: str, old: Path, changed: list[str]) -> RecipeError:
    """Return the error that lists every change, and the three ways on."""
    return RecipeError(
        f"an unfinished '{stage}' lies here, and what it is made from has changed:\n  " + "\n  ".join(changed),
        where=old,
        expected="what it began with",
        next_step=f"undo the changes and go on with it (modelwright resume {old.parent.parent}), take its checkpoints over with "
        "--allow-change, or forget it with --from-scratch",
    )
