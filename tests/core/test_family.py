"""What a run inside a run has made is not made again; what was stopped, damaged or forgotten is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import toy_stages
from toy_stages import recipe

from modelwright.core import execute
from modelwright.core.artifact import find
from modelwright.core.builtin import BUILTIN
from modelwright.core.errors import RecipeError
from modelwright.core.execute import run
from modelwright.core.journal import read_journal, verify_journal
from modelwright.core.run import Run
from modelwright.core.settings import Sequence, Settings
from modelwright.core.stage import EDITS, Context, Progress, Stage


class Seek(Settings):
    """What is sought."""

    rates: Sequence[float] = (0.1, 0.2)
    key: str = "learn.rate"


def seek(context: Context) -> None:
    """Learn with every rate in a run inside, and choose the last one."""
    toy_stages.CALLS.append("seek")
    plain = context.recipe.without("seek")
    for rate in context.settings.rates:
        context.run_recipe(plain.edited({"learn.rate": rate}), "learn")
    folder = context.work / "choice"
    folder.mkdir()
    (folder / EDITS).write_text(json.dumps({context.settings.key: context.settings.rates[-1]}))
    context.give("choice", folder)


SEEK = Stage(
    "seek", f"{__name__}:Seek", f"{__name__}:seek", gives=("choice",), edits=("learn",), reads=("fetch", "learn")
)


@pytest.fixture
def seeking(toys: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The toy stages, and one that edits."""
    monkeypatch.setitem(BUILTIN, "stage", {**toy_stages.TABLE, "seek": (f"{__name__}:SEEK",)})
    return toys


def rates(*values: float, **more: Any) -> dict[str, Any]:
    return {"seek": {"rates": values, **more}}


def learnt(made: Run) -> Any:
    model = made.artifact("model")
    assert model is not None
    return json.loads((model.path / "inner" / "data.json").read_text())


def test_what_was_chosen_is_taken_from_where_it_was_made(seeking: list[str], run_folder: Path) -> None:
    made = run(recipe(run_folder, **rates(0.3, 0.7)), folder=run_folder)
    # What no edit concerns comes first and is shared; what was learnt with the chosen rate is not learnt again.
    assert seeking == ["fetch", "seek", "learn", "learn", "judge", "ship"]
    assert learnt(made) == [0.7, 0]
    state = made.state()
    assert (state["recipe"]["learn"]["rate"], state["edited"]["learn"]["rate"]) == (0.1, 0.7)
    assert "seek" not in state["edited"]
    events = read_journal(made.folder / "journal.jsonl")
    taken = {item.data["stage"] for item in events if item.event == "stage finished" and "taken_from" in item.data}
    assert taken == {"learn"}
    verify_journal(made.folder / "journal.jsonl", made.witness)
    seeking.clear()
    again = run(made.recipe(), folder=run_folder)
    assert seeking == [], "resumed with the recipe as it was written"
    assert again.current() == made.current()


def test_a_recipe_without_the_search_is_not_edited(seeking: list[str], run_folder: Path) -> None:
    run(recipe(run_folder, **rates(0.3, 0.7)), folder=run_folder)
    made = run(recipe(run_folder), folder=run_folder)
    assert made.state()["edited"] is None
    assert learnt(made) == [0.1, 0]


def test_a_stage_edits_only_what_it_declares(seeking: list[str], run_folder: Path) -> None:
    with pytest.raises(AssertionError, match="does not declare that it edits fetch"):
        run(recipe(run_folder, **rates(3, key="fetch.amount")), folder=run_folder)


def test_from_scratch_makes_each_thing_once(seeking: list[str], run_folder: Path) -> None:
    asked = recipe(run_folder, **rates(0.3, 0.7))
    run(asked, folder=run_folder)
    first = list(seeking)
    seeking.clear()
    run(asked, folder=run_folder, from_scratch=True)
    assert seeking == first


def test_what_is_damaged_is_made_anew(seeking: list[str], run_folder: Path) -> None:
    asked = recipe(run_folder, **rates(0.3, 0.7))
    made = run(asked, "seek", folder=run_folder)
    for inner in sorted(made.folder.glob("inner/*/run.json")):
        record = Run(inner.parent).current()["learn"]
        path = find(Run(inner.parent).shelf, "model", record.outputs["model"]).path / "size.txt"
        path.unlink()
        path.write_text("other")
    seeking.clear()
    assert learnt(run(asked, folder=run_folder)) == [0.7, 0]
    assert seeking == ["learn", "judge", "ship"]


def test_what_was_stopped_early_does_not_pass_for_the_whole(
    toys: list[str], run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = toy_stages.learn

    def listening(context: Context) -> None:
        context.progress(1, 2)
        real(context)

    monkeypatch.setattr(toy_stages, "learn", listening)
    stopped = run(
        recipe(run_folder), "learn", lambda progress: "stop" if progress.stage == "learn" else "go", folder=run_folder
    )
    assert stopped.artifact("model") is not None
    toys.clear()
    whole = run(recipe(run_folder), "learn", folder=run_folder)
    assert toys == ["learn"]
    assert len(list(whole.records.glob("learn-*.json"))) == 2, "each under a key of its own"


def test_a_stage_may_refuse_the_recipe_that_it_stands_in(
    seeking: list[str], run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def problems(found: Any) -> list[tuple[tuple[str, ...], str, str]]:
        return [(("seek", "rates"), f"{found.sections['seek'].rates} is odd", "an even rate")]

    monkeypatch.setattr(toy_stages, "problems", problems, raising=False)
    odd = Stage("seek", f"{__name__}:Seek", "", problems="toy_stages:problems")
    monkeypatch.setattr(f"{__name__}.SEEK", odd)
    with pytest.raises(RecipeError, match=r"\(0\.5,\) is odd; expected an even rate"):
        recipe(run_folder, **rates(0.5))
    assert recipe(run_folder).sections.keys() == {"fetch", "learn", "judge", "ship"}


def test_progress_can_hold_a_row() -> None:
    assert Progress("seek").row == {}
    assert execute.go_on(Progress("seek", row={"trial": "1"})) == "go"
