"""The stage `tune` on real digits: what it tries, chooses, survives and gives to the stages after it."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwright.core.errors import DataError, Interrupted, MissingExtra
from modelwright.core.journal import read_journal
from modelwright.core.run import Run
from modelwright.core.stage import Answer, Progress
from modelwright.stages.tune import crowd, worker
from modelwright.stages.tune.search import Plan, Search
from modelwright.stages.tune.settings import Tune
from modelwright.stages.tune.space import read_space
from modelwright.stages.tune.trial import Watch

Tiny = Callable[..., Run]
RunIn = Callable[..., Run]
RATES = {"train.optimiser.lr": "log(1e-4, 1e-1)"}
MODELS = {"model": [{"kind": "mlp", "hidden": [[8], [16]]}, {"kind": "linear"}]}


# With this guard a rate of 1000 ends a training.
JUMPY = {"then": "stop", "patience": 1, "spike": 1.5, "window": 2}


def tune(space: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"space": space, "method": "random", "trials": 3, **keys}


def tuning(made: Run, name: str) -> Any:
    """Return a file of what the search gave."""
    artifact = made.artifact("tuning")
    assert artifact is not None
    text = (artifact.path / name).read_text()
    return [json.loads(line) for line in text.splitlines()] if name.endswith("l") else json.loads(text)


def claims(made: Run) -> dict[str, Any]:
    return {item.name: item for item in made.evidence()}


def events(made: Run, name: str) -> list[dict[str, Any]]:
    return [item.data for item in read_journal(made.folder / "journal.jsonl") if item.event == name]


def inner(made: Run) -> list[Path]:
    return sorted(path.parent for path in made.folder.glob("inner/*/run.json"))


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, run_in: RunIn) -> Run:
    """A finished search over models and rates, and all that comes after it; nobody may change it."""
    folder = tmp_path_factory.mktemp("searched") / "run"
    return run_in(folder, "evaluate", tune=tune({**RATES, **MODELS}, trials=5, keep_trials=2))


def test_the_best_on_the_validation_part_is_chosen_and_its_model_is_not_trained_again(searched: Run) -> None:
    trials = tuning(searched, "trials.jsonl")
    assert [trial["number"] for trial in trials] == list(range(5))
    best = max(trials, key=lambda trial: trial["value"])
    assert len({trial["value"] for trial in trials}) > 1, "the example no longer shows a difference"
    assert tuning(searched, "edits.json") == best["edits"]
    found = claims(searched)
    assert found["tuned[validation_accuracy]"].value == found["validation_accuracy"].value == best["value"]
    assert (found["trials"].value, found["trials_failed"].value, found["trials_stopped"].value) == (5, 0, 0)
    assert found["epochs_used"].value == 5 * 2
    taken = {item["stage"]: item["taken_from"] for item in events(searched, "stage finished") if "taken_from" in item}
    assert set(taken) == {"prepare", "train"}
    model = json.loads((searched.artifact("model").path / "config.json").read_text())["model"]
    assert model["kind"] == (best["edits"]["model"]["kind"])
    assert searched.state()["edited"]["train"]["optimiser"]["lr"] == best["edits"]["train.optimiser.lr"]
    assert searched.recipe().sections["train"].optimiser.lr != best["edits"]["train.optimiser.lr"], "as it was written"


def test_trials_see_no_test_part_and_share_one_dataset(searched: Run) -> None:
    folders = inner(searched)
    assert len(folders) == 2, "the runs of the two best trials stay"
    assert all(set(Run(folder).current()) == {"prepare", "train"} for folder in folders)
    datasets = {
        (folder / "artifacts").glob("dataset-*/train/target.npy").__next__().stat().st_ino for folder in folders
    }
    assert len(datasets) == 1
    assert len(events(searched, "trial ended")) == 5


def test_the_same_seed_searches_alike_and_keys_change_what_is_found(tiny: Tiny, searched: Run, tmp_path: Path) -> None:
    def digest(made: Run) -> str:
        artifact = made.artifact("tuning")
        assert artifact is not None
        return artifact.digest

    space = {**RATES, **MODELS}
    same = digest(tiny("tune", tune=tune(space, trials=5)))
    assert same == digest(searched), "what stays of the trials changes no result"
    longer = tiny("tune", tune=tune(space, trials=6, keep_trials=6))
    assert tuning(longer, "trials.jsonl")[:5] == tuning(searched, "trials.jsonl")
    assert len(inner(longer)) == 6
    tried = [trial["edits"] for trial in tuning(longer, "trials.jsonl")]
    assert not any(trial["edits"] in tried for trial in tuning(tiny("tune", tune=tune(space), seed=2), "trials.jsonl"))


def test_the_lowest_loss_is_another_goal(tiny: Tiny, searched: Run) -> None:
    made = tiny("tune", tune=tune(RATES, trials=3, goal={"measure": "loss"}))
    trials = tuning(made, "trials.jsonl")
    best = min(trials, key=lambda trial: trial["value"])
    assert claims(made)["tuned[validation_loss]"].value == best["value"]
    assert claims(made)["tuned[validation_loss]"].unit == "nats"
    assert tuning(made, "summary.json")["best"] == best["number"]


def test_a_trial_that_cannot_end_is_recorded_and_the_search_goes_on(tiny: Tiny) -> None:
    space = {
        "train.optimiser": [{"kind": "sgd", "lr": 1000.0}, {"kind": "adam"}],
        "prepare.split.validation": [0.2, 0.3],
    }
    made = tiny("tune", train__guard=JUMPY, tune=tune(space, method="grid", trials=9))
    trials = tuning(made, "trials.jsonl")
    states = {
        (trial["edits"]["train.optimiser"]["kind"], trial["edits"]["prepare.split.validation"]): trial
        for trial in trials
    }
    assert states["adam", 0.2]["state"] == "finished"
    # Another validation part is no ground to compare on, whatever the value.
    assert "other examples than that of the first one" in states["adam", 0.3]["reason"]
    assert "the loss jumped" in states["sgd", 0.2]["reason"]
    assert claims(made)["trials_failed"].value == 3
    assert tuning(made, "edits.json")["train.optimiser"]["kind"] == "adam"


def test_where_no_trial_ends_the_first_reason_is_told_and_nothing_is_kept(tiny: Tiny, tmp_path: Path) -> None:
    hopeless = tune({"train.optimiser.lr": "log(900, 1000)"}, trials=2)
    with pytest.raises(DataError, match=r"none of 2 trials was finished; the first said: .*the loss jumped"):
        tiny("tune", train__guard=JUMPY, train__optimiser={"kind": "sgd"}, tune=hopeless)
    assert not list((tmp_path / "run" / "work").glob("tune-*/study.jsonl"))


def test_a_bug_in_a_trial_is_no_outcome(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelwright.stages.train import run as train

    def broken(*parts: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(train, "_fit", broken)
    with pytest.raises(ZeroDivisionError):
        tiny("tune", tune=tune(RATES))


LONG = {"train__length": "9 epochs", "train__optimiser": {"kind": "adam", "lr": 0.01}}


def test_halving_stops_the_worse_and_counts_their_epochs(tiny: Tiny) -> None:
    space = {"train.optimiser.lr": "log(1e-5, 1e-1)"}

    def search(**halving: Any) -> Run:
        return tiny("tune", **LONG, tune=tune(space, method="asha", trials=6, halving=halving))

    made = search(first=1 / 9, factor=3)
    trials = tuning(made, "trials.jsonl")
    stopped = [trial for trial in trials if trial["state"] == "stopped"]
    assert len(stopped) == claims(made)["trials_stopped"].value > 0
    assert {trial["epochs"] for trial in stopped} <= {1.0, 3.0}
    finished = [trial for trial in trials if trial["state"] == "finished"]
    assert {trial["epochs"] for trial in finished} == {9.0}
    assert claims(made)["epochs_used"].value == sum(trial["epochs"] for trial in trials) < 6 * 9
    assert tuning(made, "edits.json") == max(finished, key=lambda trial: trial["value"])["edits"]
    later = search(first=4 / 9, factor=3)
    assert {trial["epochs"] for trial in tuning(later, "trials.jsonl") if trial["state"] == "stopped"} == {4.0}


@pytest.mark.parametrize(("factor", "stopped_at"), [(2, 2), (3, 3)])
def test_the_factor_of_halving_says_when_a_trial_is_judged_again(factor: int, stopped_at: int) -> None:
    settings = Tune(space=RATES, method="asha", halving={"first": 1 / 9, "factor": factor})  # type: ignore[arg-type]
    search = Search(Plan(read_space(RATES)[0], "asha", True, 1, 2, factor))
    watches = []
    for levels in ([0.9] * 9, [0.95] + [0.5] * 8):
        asked = search.ask()
        assert asked is not None
        watches.append(Watch(search, asked.number, settings, lambda progress: "go"))
        points = [{"step": step, "accuracy": level, "loss": 1.0} for step, level in enumerate(levels, 1)]
        watches[-1].look_back(points, 9)
    assert [(watch.stopped, watch.step) for watch in watches] == [(False, 9), (True, stopped_at)]


def kill_at(trial: int, step: int) -> Callable[[Progress], Answer]:
    """Return an answer that kills the process in a step of a trial."""

    def on_progress(progress: Progress) -> Answer:
        if progress.step == trial and "loss" in progress.values and progress.values["loss"] == progress.values["loss"]:
            on_progress.steps += 1  # type: ignore[attr-defined]
            if on_progress.steps == step:  # type: ignore[attr-defined]
                os.kill(os.getpid(), signal.SIGKILL)
        return "go"

    on_progress.steps = 0  # type: ignore[attr-defined]
    return on_progress


def in_child(act: Callable[[], Any]) -> int:
    """Do something in a child that shares what this process has imported; return how it ended."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_killed_search_goes_on_where_it_was(tiny: Tiny, run_in: RunIn, tmp_path: Path) -> None:
    section = tune({**RATES, **MODELS}, method="tpe", trials=4)
    keys = {"tune": section, "train__save": {"every": "2 steps"}}
    undisturbed = tiny("tune", **keys)
    folder = tmp_path / "killed"
    for trial, step in ((0, 5), (2, 3), (3, 9)):
        assert in_child(lambda at=(trial, step): run_in(folder, "tune", on_progress=kill_at(*at), **keys)) == -9
    made = run_in(folder, "tune", **keys)
    assert tuning(made, "trials.jsonl") == tuning(undisturbed, "trials.jsonl")
    # Three times a training was killed, and went on from its checkpoint.
    resumed = [event for path in inner(made) for event in events(Run(path), "training resumed")]
    assert len(resumed) == 3
    started = [
        event for path in inner(made) for event in events(Run(path), "stage finished") if event["stage"] == "train"
    ]
    assert len(started) == len(inner(made)), "what was finished before the kill was not trained again"


def test_an_interrupted_search_says_how_to_go_on(run_in: RunIn, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    section = tune(RATES)
    answers = iter(["go"] * 12 + ["interrupt"] * 1000)
    with pytest.raises(Interrupted, match="stopped in trial 1 of 3, saved") as caught:
        run_in(folder, "tune", tune=section, on_progress=lambda progress: next(answers))
    assert caught.value.problems[0].next_step == f"modelwright resume {folder}"
    made = run_in(folder, "tune", tune=section)
    assert claims(made)["trials"].value == 3


class Forked:
    """A worker as a child of this process, which has imported everything already."""

    def __init__(self, job: Path) -> None:
        self.code: int | None = None
        self.number = os.fork()
        if self.number == 0:
            code = 1
            try:
                code = worker.main(job)
            finally:
                os._exit(code)

    def poll(self) -> int | None:
        if self.code is None:
            done, status = os.waitpid(self.number, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if done else None
        return self.code

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.number, signal.SIGKILL)

    def wait(self) -> int:
        while self.poll() is None:
            pass
        return self.code or 0


def test_several_processes_share_a_search(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelwright.stages.train import by_steps  # noqa: F401

    started: list[Path] = []

    def start(job: Path) -> Forked:
        started.append(job)
        return Forked(job)

    monkeypatch.setattr(crowd, "start", start)
    alone = tiny("tune", tune=tune(RATES, trials=4))
    made = tiny("tune", tune=tune(RATES, trials=4, processes=2))
    assert [path.name for path in started] == ["worker-0.json", "worker-1.json"]
    # At random, so what is tried does not depend on who tries it; and these were trained already.
    assert tuning(made, "trials.jsonl") == tuning(alone, "trials.jsonl")
    assert sorted(event["number"] for event in events(made, "trial ended")[-4:]) == [0, 1, 2, 3]


def test_what_a_worker_cannot_go_on_after_ends_the_search(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(sitting: Any, asked: Any) -> None:
        raise MissingExtra("a package is missing", next_step="install it")

    monkeypatch.setattr(worker.Sitting, "run", fail)
    monkeypatch.setattr(crowd, "start", Forked)
    with pytest.raises(MissingExtra, match="a package is missing; next: install it"):
        tiny("tune", tune=tune(RATES, processes=2))


def test_interrupted_workers_save_and_go_on(run_in: RunIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "start", Forked)
    keys = {"train__length": "400 steps", "train__save": {"every": "400 steps"}, "tune": tune(RATES, processes=2)}
    folder = tmp_path / "run"
    answers = iter(["go"] * 8 + ["interrupt"] * 1000)
    with pytest.raises(Interrupted, match=r"stopped after \d of 3 trials"):
        run_in(folder, "tune", on_progress=lambda progress: next(answers), **keys)
    made = run_in(folder, "tune", **keys)
    assert claims(made)["trials"].value == 3
    assert claims(made)["trials_failed"].value == 0


def test_a_worker_that_is_killed_is_an_interruption(
    run_in: RunIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Forked] = []

    def start(job: Path) -> Forked:
        started.append(Forked(job))
        return started[-1]

    def kill_the_second(progress: Progress) -> Answer:
        if len(started) == 2:
            started[1].kill()
        return "go"

    monkeypatch.setattr(crowd, "start", start)
    folder, keys = tmp_path / "run", {"tune": tune(RATES, processes=2)}
    with pytest.raises(Interrupted, match=r"a process of the search was killed \(signal 9\)") as caught:
        run_in(folder, "tune", on_progress=kill_the_second, **keys)
    assert caught.value.problems[0].next_step == f"modelwright resume {folder}"
    made = run_in(folder, "tune", **keys)
    assert [trial["state"] for trial in tuning(made, "trials.jsonl")] == ["finished"] * 3


@pytest.mark.full
def test_workers_of_their_own_share_a_search(tiny: Tiny) -> None:
    made = tiny("tune", tune=tune(RATES, trials=4, processes=2))
    assert claims(made)["trials"].value == 4
    assert {trial["state"] for trial in tuning(made, "trials.jsonl")} == {"finished"}


def test_ray_that_is_missing_is_named_with_its_extra(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'modelwright\[ray\]'"):
        tiny("tune", tune=tune(RATES, on="ray"))


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
def test_the_same_trials_run_on_ray(tiny: Tiny) -> None:
    local = tiny("tune", tune=tune(RATES, trials=3, keep_trials=1))
    made = tiny("tune", tune=tune(RATES, trials=3, on="ray", processes=2), name="other")
    edits = [trial["edits"] for trial in tuning(made, "trials.jsonl")]
    assert edits == [trial["edits"] for trial in tuning(local, "trials.jsonl")]
    assert claims(made)["trials"].value == 3


def test_the_address_of_a_cluster_is_where_trials_go(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray itself is replaced: it is asked for the address, and the trials that it is given run in turn, here."""
    from types import ModuleType, SimpleNamespace

    asked: list[str] = []
    ray, library = ModuleType("ray"), ModuleType("ray.tune")
    told: list[dict[str, Any]] = []

    class Tuner:
        def __init__(self, trainable: Any, param_space: dict[str, Any], tune_config: Any, run_config: Any) -> None:
            self.trainable, self.space = trainable, param_space

        def fit(self) -> Any:
            for begun in self.space["begun"]:
                self.trainable({"begun": begun})
            return SimpleNamespace(errors=[])

    library.__dict__.update(
        Tuner=Tuner,
        grid_search=list,
        report=told.append,
        TuneConfig=lambda **keys: keys,
        RunConfig=lambda **keys: keys,
    )
    ray.__dict__.update(
        tune=library,
        is_initialized=lambda: False,
        init=lambda address, **keys: asked.append(address),
        shutdown=lambda: None,
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.tune", library)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    made = tiny("tune", tune=tune(RATES, on="ray"))
    assert (asked, len(told), claims(made)["trials"].value) == (["local"], 3, 3)
    tiny("tune", tune=tune(RATES, on="ray", trials=2, ray_address="ray://there:10001"))
    assert asked[1] == "ray://there:10001"
