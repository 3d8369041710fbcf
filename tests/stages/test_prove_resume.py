"""The proof that training can be resumed: it holds where it should, and cannot be had where it should not."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwright.app import api
from modelwright.app.cli import main
from modelwright.core.errors import BudgetError, DataError, GateFailed, Interrupted
from modelwright.core.evidence import Evidence
from modelwright.core.recipe import recipe_from
from modelwright.core.run import Run
from modelwright.stages.prove_resume import again, private
from modelwright.stages.prove_resume import run as proof

Tiny = Callable[..., Run]
# Who answers for a release of the tests.
ANSWERS = {"owner": "Ada", "purpose": "Tests.", "approver": "Grace"}
TRAIN = {"length": "400 steps", "batch": 16, "threads": 1, "save": {"every": "20 steps"}}


class Forked:
    """A child that shares what this process has imported; it stands in for a process of its own, which takes seconds."""

    def __init__(self, act: Callable[[], int], output: Path) -> None:
        self.code: int | None = None
        self.number = os.fork()
        if self.number:
            return
        code = 1
        try:
            handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(handle, stream)
            code = act()
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
        while (code := self.poll()) is None:
            time.sleep(0.001)
        return code


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Forked]]:
    """Let the proof fork; `before` happens in the child. Return all children, for a look at what became of them."""
    # What takes seconds to import must not count as training, of which the moments of the kills are a share.
    from modelwright.stages.train import by_steps  # noqa: F401

    def use(before: Callable[[Path], int | None] = lambda folder: None) -> list[Forked]:
        made: list[Forked] = []

        def act(folder: Path) -> int:
            return before(folder) or main(["resume", str(folder)])

        def start(folder: Path, output: Path, processes: int) -> Forked:
            made.append(Forked(lambda: act(folder), output))
            return made[-1]

        monkeypatch.setattr(again, "start", start)
        return made

    return use


def claims(made: Run) -> dict[str, Evidence]:
    return {item.name: item for item in made.evidence()}


def events(made: Run, event: str) -> list[dict[str, Any]]:
    lines = (made.folder / "journal.jsonl").read_text().splitlines()
    return [record["data"] for line in lines if (record := json.loads(line))["event"] == event]


def test_a_killed_training_is_equal_and_a_gate_can_ask_for_it(tiny: Tiny, forks: Any) -> None:
    children = forks()
    gates = ["resume_bit_equal.value >= 1", "resume_bit_equal.n >= 4", "resume_kills.value == 4"]
    made = tiny(sections={"train": TRAIN, "prove_resume": {"kills": 4}, "release": {"gates": gates, **ANSWERS}})
    found = claims(made)
    assert made.artifact("release") is not None
    assert (found["resume_bit_equal"].value, found["resume_bit_equal"].status) == (1.0, "measured")
    assert found["resume_bit_equal"].n == found["resume_kills"].value == 4
    assert found["resume_bit_equal"].about["model"] == made.artifact("model").digest
    assert [child.code for child in children].count(-9) >= 4
    assert children[-1].code == 0
    assert events(made, "resume proved") == [{"kills": 4, "difference": ""}]
    assert not list(made.folder.glob("work/*"))
    assert not list(made.folder.rglob("output.txt"))


def test_workers_are_changed_in_turn(tiny: Tiny, forks: Any, tmp_path: Path) -> None:
    def note(folder: Path) -> None:
        with (tmp_path / "seen").open("a") as stream:
            stream.write(f"{Run(folder).state()['recipe']['train']['workers']}\n")

    forks(note)
    made = tiny("prove_resume", sections={"train": TRAIN, "prove_resume": {"kills": 3, "workers": [4, 0]}})
    assert claims(made)["resume_bit_equal"].value == 1.0
    assert "at 4, 0 loader workers" in claims(made)["resume_bit_equal"].method
    # Should the training once be over before its last kill, one number stands there twice.
    seen = (tmp_path / "seen").read_text().split()
    assert [number for place, number in enumerate(seen) if seen[place - 1 : place] != [number]] == ["4", "0", "4", "0"]


def test_another_seed_kills_at_other_moments(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def disturb(self: again.Again, delays: list[float]) -> again.Ended:
        seen.append(delays)
        return again.Ended(9, "enough")

    monkeypatch.setattr(again.Again, "disturb", disturb)
    monkeypatch.setattr(proof, "_expected_seconds", lambda *_: (100.0, 10.0))
    for seed in (0, 1, 0):
        tiny("prove_resume", sections={"prove_resume": {"kills": 5, "seed": seed}})
    tiny("prove_resume", sections={"prove_resume": {"kills": 6}})
    assert [len(delays) for delays in seen] == [5, 5, 6], "made already is made already"
    assert seen[0] != seen[1]
    assert all(0 <= delay <= 110 for delays in seen for delay in delays)


def test_what_is_not_restored_is_found_out(tiny: Tiny, forks: Any) -> None:
    """A resume that forgets what the optimiser remembers: the training goes on as if nothing were wrong."""

    def forget(folder: Path) -> None:
        from modelwright.engine import state

        real = state.tensors_to_turns

        def without_memory(turns: Any, tensors: Any, numbers: Any) -> None:
            real(turns, {name: tensor for name, tensor in tensors.items() if "/optimiser/" not in name}, numbers)

        state.tensors_to_turns = without_memory

    forks(forget)
    # The first kill comes after a checkpoint.
    sections = {"train": TRAIN, "prove_resume": {"kills": 4, "workers": [0]}}
    made = tiny("prove_resume", sections=sections)
    found = claims(made)["resume_bit_equal"]
    assert (found.value, found.status) == (0.0, "failed")
    assert found.reason.startswith("these differ: ")
    assert "model.safetensors" in found.reason
    assert "final_state" in found.reason
    assert events(made, "resume disproved")
    with pytest.raises(GateFailed, match="'resume_bit_equal' is failed: these differ"):
        tiny(sections={**sections, "release": {"gates": ["resume_bit_equal.value >= 1"], **ANSWERS}})
    recipe = recipe_from({**made.recipe().resolved(), "release": ANSWERS}, made.folder.parent)
    for until in ("prove_resume", None):
        with pytest.raises(GateFailed, match="is not the undisturbed one: these differ") as caught:
            api._run_in(made.folder, recipe, until, lambda progress: "go", False, False)
        assert caught.value.exit_code == 7


def test_a_resume_that_fails_is_no_proof(tiny: Tiny, forks: Any) -> None:
    def refuse(folder: Path) -> int | None:
        resumed = any("checkpoints" in str(path) for path in folder.glob("work/train-*/checkpoints/step-*"))
        return os.write(1, b"first\nit is all broken\n") * 0 + 5 if resumed else None

    forks(refuse)
    found = claims(tiny("prove_resume", sections={"train": TRAIN, "prove_resume": {"kills": 4}}))["resume_bit_equal"]
    assert (found.value, found.status) == (0.0, "failed")
    assert found.reason == "after a kill it could not be resumed: exit code 5, it is all broken"


def test_a_full_disk_is_no_difference(tiny: Tiny, forks: Any) -> None:
    forks(lambda folder: 4)
    with pytest.raises(BudgetError, match="training it again failed"):
        tiny("prove_resume", sections={"prove_resume": {}})


def test_a_training_that_is_never_met_proves_nothing(tiny: Tiny, forks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    forks()
    monkeypatch.setattr(proof, "_expected_seconds", lambda *_: (1e6, 0.0))
    made = tiny("prove_resume", sections={"train": {**TRAIN, "length": "2 steps"}, "prove_resume": {"kills": 2}})
    found = claims(made)
    assert found["resume_bit_equal"].status == "failed"
    assert found["resume_bit_equal"].reason == "no kill met the training, it was always over before"
    assert found["resume_kills"].value == 0


def test_models_that_are_fitted_at_once_have_nothing_to_resume(tiny: Tiny) -> None:
    table = {
        "task": "tabular",
        "data": {"kind": "sample", "name": "iris"},
        "model": {"kind": "tree"},
        "prepare": {},
        "prove_resume": {},
    }
    found = claims(tiny("prove_resume", sections=table))
    for name in ("resume_bit_equal", "resume_kills"):
        assert found[name].status == "not_applicable"
        assert "fitted at once" in found[name].reason


def test_data_that_change_meanwhile(tiny: Tiny, forks: Any, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = [f"{row}.5,{'ab'[row % 2]}" for row in range(60)]
    path.write_text("\n".join(["number,label", *rows]) + "\n")
    content = path.read_text() + "99.5,a\n"
    forks(lambda folder: path.write_text(content) * 0)
    table = {
        "task": "tabular",
        "data": {"kind": "csv", "path": str(path)},
        "model": {"kind": "linear"},
        "prepare": {"split": {"test": 0.25, "validation": 0.25}},
        "prove_resume": {"kills": 1},
    }
    with pytest.raises(DataError, match="the data gave another dataset than before"):
        tiny("prove_resume", sections=table)


def test_whoever_asks_to_stop_is_heard_and_no_child_is_left(tiny: Tiny, forks: Any) -> None:
    children = forks(lambda folder: time.sleep(60))
    with pytest.raises(Interrupted):
        tiny(
            "prove_resume",
            sections={"prove_resume": {}},
            on_progress=lambda progress: "interrupt" if progress.stage == "prove_resume" else "go",
        )
    assert [child.code for child in children] == [-9]


def test_the_process_that_is_started_is_the_command_line(tmp_path: Path) -> None:
    process = again.start(tmp_path / "nowhere", tmp_path / "output.txt")
    assert process.wait() == 3
    assert "there is no run here" in (tmp_path / "output.txt").read_text()


PRIVATE = {**TRAIN, "privacy": {"kind": "dp_sgd", "noise": 3.0, "epsilon": 90.0, "delta": 1e-3}}
PRIVATE["guard"] = {"then": "stop", "spike": 0.0}


def test_a_private_training_is_equal_in_what_is_counted(tiny: Tiny, forks: Any) -> None:
    """Its noise is never the same, so no bytes can be compared, and the claim has another name."""
    forks()
    sections = {"train": PRIVATE, "prove_resume": {"kills": 2}}
    made = tiny("prove_resume", sections=sections)
    found = claims(made)
    assert (found["resume_accountant_equal"].value, found["resume_accountant_equal"].status) == (1.0, "measured")
    assert found["resume_accountant_equal"].n == 2
    assert found["resume_bit_equal"].status == "not_applicable"


def test_steps_that_the_accountant_lost_are_found_out() -> None:
    record = dict.fromkeys((*private.COUNTED, *private.SPENT), 1) | {"begun": 1, "order_as_drawn": True}
    compare = lambda **changed: private.private_difference(record, {**record, **changed}, may_end_early=False)
    assert compare() == ""
    assert compare(steps=2, begun=2) == "these differ: steps"
    assert compare(noise=2) == "these differ: noise"
    assert "order in which the sampler draws" in compare(order_as_drawn=False)
    assert "only 0 begun ones" in compare(begun=0)
    assert private.private_difference(record, {**record, "steps": 2, "begun": 2}, may_end_early=True) == ""


@pytest.mark.full
def test_with_processes_of_their_own(tiny: Tiny) -> None:
    made = tiny("prove_resume", sections={"train": {**TRAIN, "length": "3000 steps"}, "prove_resume": {"kills": 3}})
    assert (claims(made)["resume_bit_equal"].value, claims(made)["resume_kills"].value) == (1.0, 3)
