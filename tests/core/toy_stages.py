"""Four tiny stages that stand in for the real ones; the name of each that is executed is appended to CALLS."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from modelwright.core.builtin import BUILTIN
from modelwright.core.errors import DataError
from modelwright.core.evidence import Evidence
from modelwright.core.metering import is_cost
from modelwright.core.recipe import Recipe, recipe_from
from modelwright.core.settings import Settings
from modelwright.core.stage import Context, Stage

CALLS: list[str] = []


class Fetch(Settings):
    """What is fetched."""

    amount: int = 3


class Learn(Settings):
    """How it is learnt."""

    rate: float = 0.1
    fail: bool = False
    sleep: float = 0.0
    die: bool = False
    deeper: int = 0
    choose: bool = False


class Judge(Settings):
    """How it is judged."""

    strict: bool = False


class Ship(Settings):
    """How it is shipped."""

    label: str = "a"


def _note(context: Context) -> None:
    CALLS.append(context.stage.name)


def _give(context: Context, kind: str, data: Any) -> None:
    folder = context.work / kind
    (folder / "inner").mkdir(parents=True, exist_ok=True)
    (folder / "inner" / "data.json").write_text(json.dumps(data))
    (folder / "size.txt").write_text(str(len(json.dumps(data))))
    context.give(kind, folder)


def fetch(context: Context) -> None:
    """Give the raw material."""
    _note(context)
    _give(context, "raw", list(range(context.settings.amount)))


def learn(context: Context) -> None:
    """Give a model, or do what the settings ask for instead."""
    _note(context)
    settings = context.settings
    if settings.fail:
        raise DataError("nothing can be learnt", where="toy")
    if settings.die:
        os.kill(os.getpid(), signal.SIGKILL)
    if settings.sleep:
        (context.folder / "learning").touch()
        time.sleep(settings.sleep)
    if settings.deeper:
        context.run_recipe(context.recipe.edited({"learn.deeper": settings.deeper - 1}), "learn")
    chosen = context.choose("learn.size", lambda: (len(CALLS), "as many as there were calls")) if settings.choose else 0
    _give(context, "model", [settings.rate, chosen])
    context.claim(Evidence("loss", settings.rate, unit="nats", about={"model": context.outputs["model"].digest}))


def judge(context: Context) -> None:
    """Claim an accuracy for each slice and give the answers."""
    _note(context)
    about = {"model": context.inputs["model"].digest}
    _give(context, "answers", about)
    context.claim(
        Evidence("accuracy[group=a]", 0.5, about=about), Evidence("accuracy", 0.9, low=0.8, n=10, about=about)
    )


def ship(context: Context) -> None:
    """Pack all evidence."""
    _note(context)
    _give(context, "parcel", [context.settings.label, claims(context.gathered)])


def claims(evidence: Iterable[Evidence]) -> list[str]:
    """Return the sorted names of what stages have claimed themselves."""
    return sorted(item.name for item in evidence if not is_cost(item))


def _stage(function: Any, settings: type[Settings], **rest: Any) -> Stage:
    return Stage(function.__name__, f"{__name__}:{settings.__name__}", f"{__name__}:{function.__name__}", **rest)


FETCH = _stage(fetch, Fetch, gives=("raw",))
LEARN = _stage(learn, Learn, needs=("raw",), gives=("model",), claims=("loss",))
JUDGE = _stage(judge, Judge, needs=("model",), gives=("answers",), claims=("accuracy",))
SHIP = _stage(ship, Ship, reads=("fetch",), needs=("model",), gives=("parcel",), gathers=True)
# Not in the order of the life cycle: the core must find that itself.
TABLE = {name: (f"{__name__}:{name.upper()}",) for name in ("ship", "judge", "learn", "fetch")}


def recipe(base: Path, **sections: dict[str, Any]) -> Recipe:
    """Return a toy recipe with all four sections, changed as told."""
    return recipe_from(
        {"version": 1, "name": "toy", "fetch": {}, "learn": {}, "judge": {}, "ship": {}, **sections}, base
    )


def code_digest(stage: str) -> str:
    """Stand in for the digest of our own code, which may be edited while two processes of one test read it."""
    return f"code of {stage}"


def main() -> int:
    """Run a toy recipe in a process of its own: FOLDER and the sections as JSON."""
    from modelwright.core import execute
    from modelwright.core.errors import ModelwrightError

    BUILTIN["stage"], BUILTIN["section"] = dict(TABLE), {}
    execute.code_digest = code_digest
    folder = Path(sys.argv[1])
    try:
        execute.run(recipe(folder.parent, **json.loads(sys.argv[2])), folder=folder)
    except ModelwrightError as error:
        sys.stderr.write(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    # Addresses name this module, so the process must know it by its name and not only as __main__.
    sys.modules["toy_stages"] = sys.modules["__main__"]
    TABLE = {name: (f"toy_stages:{name.upper()}",) for name in TABLE}
    sys.exit(main())
