"""Running: what is made once is not made twice, what changed is made again, what failed spoils nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import toy_stages
from toy_stages import claims, recipe

from modelwright.core import execute
from modelwright.core.errors import DamagedArtifact, DataError, RecipeError
from modelwright.core.execute import run
from modelwright.core.journal import read_journal, verify_journal
from modelwright.core.recipe import recipe_from
from modelwright.core.run import Run
from modelwright.core.stage import Progress

ALL = ["fetch", "learn", "judge", "ship"]


def events(made: Run) -> list[str]:
    return [record.event for record in read_journal(made.folder / "journal.jsonl")]


def test_a_run_does_all_stages_in_order_and_keeps_the_record(toys: list[str], run_folder: Path) -> None:
    made = run(recipe(run_folder), folder=run_folder)
    assert toys == ALL
    assert list(made.current()) == ALL
    assert claims(made.evidence()) == ["accuracy", "accuracy[group=a]", "loss"]
    parcel = made.artifact("parcel")
    assert parcel is not None
    assert json.loads((parcel.path / "inner" / "data.json").read_text()) == [
        "a",
        ["accuracy", "accuracy[group=a]", "loss"],
    ]
    assert made.artifact("nothing of that kind") is None
    assert events(made) == ["run started", *["stage started", "stage finished"] * 4, "run finished"]
    assert verify_journal(run_folder / "journal.jsonl", made.witness) == 10
    assert made.recipe().digest == recipe(run_folder).digest
    assert not list(run_folder.glob("work/*"))


def test_the_second_run_executes_nothing(toys: list[str], run_folder: Path) -> None:
    first = run(recipe(run_folder), folder=run_folder).current()
    toys.clear()
    seen: list[Progress] = []

    def watch(progress: Progress) -> Any:
        seen.append(progress)
        return "go"

    second = run(recipe(run_folder), on_progress=watch, folder=run_folder)
    assert toys == []
    assert second.current() == first
    assert [item.stage for item in seen if "made already" in item.message] == ALL
    assert events(second).count("stage skipped") == 4


@pytest.mark.parametrize(
    ("change", "again"),
    [
        # Another raw gives the same model here, so the judge is spared; ship reads the section.
        ({"fetch.amount": 4}, ["fetch", "learn", "ship"]),
        ({"learn.rate": 0.2}, ["learn", "judge", "ship"]),
        # The same claims and answers come out, so nothing after it changes.
        ({"judge.strict": True}, ["judge"]),
        ({"ship.label": "b"}, ["ship"]),
        ({"seed": 7}, ALL),
        ({"x-note": "read by nobody"}, []),
    ],
)
def test_a_change_runs_again_only_what_depends_on_it(
    change: dict[str, Any], again: list[str], toys: list[str], run_folder: Path
) -> None:
    run(recipe(run_folder), folder=run_folder)
    toys.clear()
    made = run(recipe(run_folder).edited(change), folder=run_folder)
    assert toys == again
    assert list(made.current()) == ALL
    toys.clear()
    run(recipe(run_folder), folder=run_folder)
    assert toys == [], "what was made under the first recipe is still there"


def test_the_environment_and_the_code_are_part_of_the_key(
    toys: list[str], run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(recipe(run_folder), folder=run_folder)
    toys.clear()
    monkeypatch.setattr(execute, "environment", lambda: {"torch": "another"})
    run(recipe(run_folder), folder=run_folder)
    assert toys == ALL
    toys.clear()
    monkeypatch.setattr(execute, "code_digest", lambda stage: "another" if stage == "judge" else "same")
    run(recipe(run_folder), folder=run_folder)
    toys.clear()
    monkeypatch.setattr(execute, "code_digest", lambda stage: "a third" if stage == "judge" else "same")
    run(recipe(run_folder), folder=run_folder)
    assert toys == ["judge"]


def test_a_failed_stage_leaves_the_earlier_ones(toys: list[str], run_folder: Path) -> None:
    with pytest.raises(DataError, match="nothing can be learnt"):
        run(recipe(run_folder, learn={"fail": True}), folder=run_folder)
    made = Run(run_folder)
    assert toys == ["fetch", "learn"]
    assert list(made.current()) == ["fetch"]
    failed = [record.data for record in read_journal(run_folder / "journal.jsonl") if record.event == "stage failed"]
    assert [item["reason"] for item in failed] == ["toy: nothing can be learnt"]
    toys.clear()
    run(recipe(run_folder), folder=run_folder)
    assert toys == ["learn", "judge", "ship"]


def test_after_a_failure_old_results_do_not_pass_for_the_new_recipes(toys: list[str], run_folder: Path) -> None:
    run(recipe(run_folder), folder=run_folder)
    with pytest.raises(DataError):
        run(recipe(run_folder, learn={"fail": True}), folder=run_folder)
    made = Run(run_folder)
    assert made.recipe().resolved()["learn"]["fail"] is True
    assert list(made.current()) == ["fetch"]
    assert claims(made.evidence()) == []


def test_a_shorter_run_keeps_later_records_while_they_are_true(toys: list[str], run_folder: Path) -> None:
    run(recipe(run_folder), folder=run_folder)
    made = run(recipe(run_folder), "learn", folder=run_folder)
    assert list(made.current()) == ALL
    changed = run(recipe(run_folder, learn={"rate": 0.5}), "learn", folder=run_folder)
    assert list(changed.current()) == ["fetch", "learn"]


def test_until_runs_what_a_stage_needs_and_no_more(toys: list[str], run_folder: Path) -> None:
    bare = recipe_from({"version": 1, "name": "toy"}, run_folder)
    made = run(bare, "judge", folder=run_folder)
    assert toys == ["fetch", "learn", "judge"]
    assert set(made.recipe().sections) == {"fetch", "learn", "judge"}, "defaults are written into the stored recipe"


def test_a_damaged_artifact_stops_the_run_before_the_stage_that_needs_it(toys: list[str], run_folder: Path) -> None:
    made = run(recipe(run_folder), folder=run_folder)
    raw = made.artifact("raw")
    assert raw is not None
    victim = raw.path / "inner" / "data.json"
    victim.write_text(victim.read_text().replace("1", "9"))
    toys.clear()
    with pytest.raises(DamagedArtifact) as caught:
        run(recipe(run_folder, learn={"rate": 0.7}), folder=run_folder)
    assert caught.value.exit_code == 5
    assert str(victim) in str(caught.value)
    assert "--from-scratch" in str(caught.value)
    assert toys == []


def test_from_scratch_makes_all_anew_and_heals_a_damaged_artifact(toys: list[str], run_folder: Path) -> None:
    made = run(recipe(run_folder), folder=run_folder)
    raw = made.artifact("raw")
    assert raw is not None
    (raw.path / "size.txt").write_text("wrong")
    toys.clear()
    run(recipe(run_folder), folder=run_folder, from_scratch=True)
    assert toys == ALL
    assert (raw.path / "size.txt").read_text() == "9"
    toys.clear()
    run(recipe(run_folder), folder=run_folder)
    assert toys == []


def test_a_missing_artifact_is_made_again(toys: list[str], run_folder: Path) -> None:
    made = run(recipe(run_folder), folder=run_folder)
    answers = made.artifact("answers")
    assert answers is not None
    answers.path.with_name(answers.path.name + ".json").unlink()
    toys.clear()
    run(recipe(run_folder), folder=run_folder)
    assert toys == ["judge"]


@pytest.mark.parametrize("part", ["evidence", "outputs"])
def test_a_record_edited_by_hand_is_noticed(part: str, toys: list[str], run_folder: Path) -> None:
    made = run(recipe(run_folder), folder=run_folder)
    record = made.current()["judge"]
    path = made.record_path("judge", record.key)
    data = json.loads(path.read_text())
    if part == "evidence":
        data["evidence"][1]["value"] = 0.99
    else:
        data["seconds"] = 0.5
    path.write_text(json.dumps(data))
    toys.clear()
    with pytest.raises(DamagedArtifact, match="the record of this stage was changed") as caught:
        run(recipe(run_folder, ship={"label": "b"}), folder=run_folder)
    assert str(path) in str(caught.value)
    assert toys == []
    run(recipe(run_folder), folder=run_folder, from_scratch=True)
    assert toys == ALL


def test_a_record_that_the_journal_does_not_know_is_made_again(toys: list[str], run_folder: Path) -> None:
    # A kill between the two writes leaves a record without its line in the journal.
    made = run(recipe(run_folder), folder=run_folder)
    journal = run_folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert b'"stage": "ship"' in lines[-2]
    journal.write_bytes(b"".join(lines[:-2]))
    made.witness.unlink()
    toys.clear()
    run(recipe(run_folder), folder=run_folder)
    assert toys == ["ship"]


def test_runs_inside_runs_are_kept_and_limited(toys: list[str], run_folder: Path) -> None:
    made = run(recipe(run_folder, learn={"deeper": 2}), folder=run_folder)
    # What was fetched once is not fetched again by the runs inside.
    assert toys == ["fetch", "learn", "learn", "learn", "judge", "ship"]
    inner = list(made.folder.glob("inner/*/run.json"))
    assert len(inner) == 1
    with pytest.raises(RecipeError, match="deeper than 2"):
        run(recipe(run_folder, learn={"deeper": 3}), folder=run_folder.with_name("deeper"))


def test_what_auto_became_is_stored_for_the_stage_as_it_stands(toys: list[str], run_folder: Path) -> None:
    first = run(recipe(run_folder, learn={"choose": True}), folder=run_folder)
    stored = first.state()["resolved"]["learn.size"]
    assert (stored["value"], stored["why"]) == (2, "as many as there were calls")
    # The same stage, made anew, takes what was chosen before; another recipe chooses for itself.
    shutil.rmtree(run_folder / "stages")
    again = run(recipe(run_folder, learn={"choose": True}), folder=run_folder)
    assert again.state()["resolved"]["learn.size"] == stored
    assert events(again).count("auto resolved") == 1
    other = run(recipe(run_folder, learn={"choose": True, "rate": 0.2}), folder=run_folder)
    assert other.state()["resolved"]["learn.size"]["value"] != 2
    assert events(other).count("auto resolved") == 2


def test_a_stage_may_not_break_its_own_declaration(
    toys: list[str], run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(context: Any) -> None:
        toys.append("silent")

    monkeypatch.setattr(toy_stages, "judge", silent)
    with pytest.raises(AssertionError, match="judge did not give answers"):
        run(recipe(run_folder), folder=run_folder)
    assert "judge" not in Run(run_folder).current()

    def gives_too_much(context: Any) -> None:
        context.give("secret", context.work)

    monkeypatch.setattr(toy_stages, "judge", gives_too_much)
    with pytest.raises(AssertionError, match="does not declare that it gives 'secret'"):
        run(recipe(run_folder), folder=run_folder)

    def claims_too_much(context: Any) -> None:
        context.claim(toy_stages.Evidence("beauty[a]", 1.0))

    monkeypatch.setattr(toy_stages, "judge", claims_too_much)
    with pytest.raises(AssertionError, match="may claim 'beauty'"):
        run(recipe(run_folder), folder=run_folder)


def test_a_damaged_state_is_named(toys: list[str], run_folder: Path) -> None:
    run(recipe(run_folder), folder=run_folder)
    for text in ("[]", "{}", "{", '{"current": {}}'):
        (run_folder / "run.json").write_text(text)
        with pytest.raises(DamagedArtifact, match=r"run\.json"):
            run(recipe(run_folder), folder=run_folder)


def test_no_run_here(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no run here"):
        Run(tmp_path).recipe()
