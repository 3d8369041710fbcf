"""The door to the search library: what is proposed, kept, stopped, taken up again and shared, without training anything."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwright.core.errors import DamagedArtifact, MissingExtra
from modelwright.stages.tune.results import importance_of
from modelwright.stages.tune.search import Asked, Outcome, Plan, Search, mend
from modelwright.stages.tune.space import read_space

SPACE = {
    "x": "uniform(0, 1)",
    "model": [{"kind": "a", "y": "log(1e-3, 1)"}, {"kind": "b", "z": "int(1, 9)"}, "c"],
}


def plan(method: str = "random", trials: int = 12, seed: int = 1, **more: Any) -> Plan:
    space, problems = read_space(more.pop("space", SPACE))
    assert not problems
    return Plan(space, method, more.pop("maximise", False), seed, trials, **more)


def value(edits: dict[str, Any]) -> float:
    """Lowest at x = 0.3 with the model a and a small y."""
    part = edits["model"]
    extra = 0.5 if isinstance(part, str) else part["y"] if part["kind"] == "a" else part["z"] / 10
    return float((edits["x"] - 0.3) ** 2 + extra)


def go_through(search: Search, goal: Callable[[dict[str, Any]], float] = value) -> list[Asked]:
    asked = []
    while (trial := search.ask()) is not None:
        search.tell(trial.number, Outcome("finished", goal(trial.edits)))
        asked.append(trial)
    return asked


@pytest.mark.parametrize("method", ["random", "tpe", "asha"])
def test_the_same_seed_proposes_the_same_trials_and_another_one_others(method: str, tmp_path: Path) -> None:
    first = go_through(Search(plan(method)))
    assert len(first) == 12
    assert go_through(Search(plan(method), tmp_path / "study.jsonl")) == first, "in a file as in memory"
    assert go_through(Search(plan(method, seed=2))) != first


@pytest.mark.parametrize("method", ["tpe", "gp"])
def test_what_is_learnt_from_trials_moves_the_search(method: str) -> None:
    """The models see the values: turned upside down, other points are proposed, and good ones are found more often."""
    steep = {"x": "uniform(0, 1)", "y": "uniform(0, 1)"}

    def goal(edits: dict[str, Any]) -> float:
        return float((edits["x"] - 0.8) ** 2 + (edits["y"] - 0.2) ** 2)

    found = [go_through(Search(plan(method, 24, space=steep, maximise=upward)), goal) for upward in (False, True)]
    late = [sum(map(goal, (trial.edits for trial in trials[12:]))) / 12 for trials in found]
    assert late[0] < 0.5 * late[1]
    assert [trial.edits for trial in found[0][:3]] == [trial.edits for trial in found[1][:3]], (
        "nothing is known at first"
    )


def test_a_grid_is_gone_through_and_ends() -> None:
    space = {"a": "int(1, 3)", "b": ["p", "q"]}
    asked = go_through(Search(plan("grid", 20, space=space)), lambda edits: edits["a"])
    assert [tuple(trial.edits.values()) for trial in asked] == [(a, b) for a in (1, 2, 3) for b in "pq"]
    assert len(go_through(Search(plan("grid", 4, space=space)), lambda edits: edits["a"])) == 4


def test_the_best_is_the_first_of_equals_and_the_goal_has_a_direction() -> None:
    for maximise, best in ((False, 1), (True, 0)):
        search = Search(plan(trials=5, maximise=maximise))
        for told in (3.0, 1.0, 1.0, 3.0, None):
            trial = search.ask()
            assert trial is not None
            search.tell(
                trial.number, Outcome("failed", None, "it broke") if told is None else Outcome("finished", told)
            )
        found = search.best()
        assert found is not None
        assert found.number == best
        assert search.tried()[-1].outcome.reason == "it broke"


@pytest.mark.parametrize("method", ["random", "tpe", "gp"])
def test_a_search_that_is_opened_anew_goes_on_as_if_it_had_not_stopped(method: str, tmp_path: Path) -> None:
    undisturbed = go_through(Search(plan(method)))
    path = tmp_path / "study.jsonl"
    seen: dict[int, Asked] = {}
    for _ in range(6):
        search = Search(plan(method), path)
        for number in search.begun():
            # Begun and never told: it is the same trial again.
            assert search.take_up(number) == seen[number]
            search.tell(number, Outcome("finished", value(seen[number].edits)))
        for _ in range(2):
            trial = search.ask()
            if trial is None:
                break
            seen[trial.number] = trial
            if _ == 0:
                search.tell(trial.number, Outcome("finished", value(trial.edits)))
    rest = Search(plan(method), path)
    for number in rest.begun():
        rest.take_up(number)
        rest.tell(number, Outcome("finished", value(seen[number].edits)))
    for trial in go_through(rest):
        seen[trial.number] = trial
    assert [seen[number] for number in sorted(seen)] == undisturbed


def test_a_trial_whose_values_were_half_decided_is_decided_to_its_end(tmp_path: Path) -> None:
    first = go_through(Search(plan("tpe", trials=3)))
    path = tmp_path / "study.jsonl"
    search = Search(plan("tpe", trials=3), path)
    go_through(Search(plan("tpe", trials=2), path))
    search.ask()
    # Cut the record behind the first value of the last trial, and tear what follows.
    lines = path.read_text().splitlines(keepends=True)
    begun = max(place for place, line in enumerate(lines) if json.loads(line)["op_code"] == 4)
    values = [place for place in range(begun, len(lines)) if json.loads(lines[place])["op_code"] == 5]
    path.write_text("".join(lines[: values[0] + 1]) + lines[values[0] + 1][:20])
    mend(path)
    again = Search(plan("tpe", trials=3), path)
    assert again.begun() == [2]
    assert again.take_up(2) == first[2]


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.jsonl"
    go_through(Search(plan(trials=2), path))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], "spoilt\n", *lines[2:]]))
    with pytest.raises(DamagedArtifact, match="the record of the search cannot be read"):
        Search(plan(trials=2), path)


def test_worse_trials_are_stopped_and_are_not_the_best() -> None:
    search = Search(plan("asha", trials=9, maximise=True, halving=3))
    stops = []
    for level in (0.5, 0.1, 0.9, 0.2, 0.3, 0.95, 0.4, 0.1, 0.99):
        trial = search.ask()
        assert trial is not None
        stopped = search.should_stop(trial.number, 0, level)
        stops.append(stopped)
        search.tell(trial.number, Outcome("stopped" if stopped else "finished", level))
    # With fewer than three to compare only the best so far goes on; then the best third of all that came here.
    assert stops == [False, True, False, True, True, False, True, True, False]
    best = search.best()
    assert best is not None
    assert best.number == 8


def test_a_rung_is_judged_once() -> None:
    search = Search(plan("asha", trials=2, maximise=True, halving=3))
    trials = [search.ask(), search.ask()]
    assert trials[0] is not None
    assert trials[1] is not None
    assert not search.should_stop(trials[0].number, 0, 0.9)
    assert search.should_stop(trials[1].number, 0, 0.1)
    assert not search.should_stop(trials[0].number, 0, 0.0), "it was judged there before it was interrupted"


def test_several_processes_share_a_search_and_its_number_of_trials(tmp_path: Path) -> None:
    path = tmp_path / "study.jsonl"
    Search(plan(trials=15), path)
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                go_through(Search(plan(trials=15), path))
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
    tried = Search(plan(trials=15), path).tried()
    assert [trial.number for trial in tried] == list(range(15))
    assert [trial.edits for trial in tried] == [trial.edits for trial in go_through(Search(plan(trials=15)))]


def test_what_mattered_is_found_and_a_few_trials_say_nothing() -> None:
    space = {"a": "uniform(0, 1)", "b": "uniform(0, 1)"}
    search = Search(plan(trials=40, space=space))
    go_through(search, lambda edits: edits["a"] + 0.01 * edits["b"])
    shares = importance_of(search)["shares"]
    assert shares["a"] > 0.9
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-5)
    few = Search(plan(trials=3, space=space))
    go_through(few, lambda edits: edits["a"])
    assert importance_of(few) == {"shares": {}, "reason": "3 finished trials are too few, or all have the same value"}


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    search = Search(plan("hyperopt"))
    monkeypatch.setitem(sys.modules, "hyperopt", None)
    with pytest.raises(MissingExtra, match=r"pip install 'modelwright\[hyperopt\]'"):
        search.ask()
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtra, match=r"pip install 'modelwright\[tune\]'"):
        Search(plan())


@pytest.mark.skipif(importlib.util.find_spec("hyperopt") is None, reason="hyperopt is not installed")
@pytest.mark.filterwarnings("ignore")
def test_hyperopt_proposes_through_the_same_door() -> None:
    trials = 30
    first = go_through(Search(plan("hyperopt", trials)))
    assert go_through(Search(plan("hyperopt", trials))) == first
    for trial in first:
        part = trial.edits["model"]
        assert part == "c" or 1e-3 <= part.get("y", 1e-3) <= 1
        assert part == "c" or part.get("z", 1) in range(1, 10)
    half = trials // 2
    assert sum(value(trial.edits) for trial in first[half:]) < sum(value(trial.edits) for trial in first[:half])
