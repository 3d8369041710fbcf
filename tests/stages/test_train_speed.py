"""Threads and precision that are left to us are measured once, stored with the reason, and taken again by resume."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from modelwright.core.errors import Interrupted
from modelwright.core.run import Run
from modelwright.stages.train import parts, speed

Tiny = Callable[..., Run]


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    monkeypatch.setattr(parts, "count_cores", lambda: 2)
    monkeypatch.setattr(speed, "LONG", 8)
    yield
    torch.set_num_threads(before)


def script(monkeypatch: pytest.MonkeyPatch, seconds: dict[tuple[int, str], float]) -> list[tuple[int, str]]:
    """Let measurements follow a script; return the list of those that were asked for."""
    asked: list[tuple[int, str]] = []

    def measure(network: Any, turn_for: Any, batches: Any, layout: Any, objective: Any) -> float:
        asked.append((torch.get_num_threads(), layout.precision))
        return seconds[asked[-1]]

    monkeypatch.setattr(speed, "seconds_per_step", measure)
    return asked


def test_the_fastest_pair_is_taken_and_kept_by_resume(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    times = {(2, "float32"): 1.0, (2, "bfloat16"): 0.9, (1, "float32"): 0.7, (1, "bfloat16"): 0.5}
    asked = script(monkeypatch, times)
    edits = {"train__threads": "auto", "train__precision": "auto", "train__length": "10 steps"}
    with pytest.raises(Interrupted):
        tiny("train", on_progress=lambda seen: "interrupt" if seen.step == 6 else "go", **edits)
    assert sorted(asked) == sorted(times)
    made = tiny("train", **edits)
    assert len(asked) == 4, "resume measures nothing"
    resolved = made.state()["resolved"]
    assert (resolved["train.threads"]["value"], resolved["train.precision"]["value"]) == (1, "bfloat16")
    assert "1 x bfloat16 500.00 ms" in resolved["train.precision"]["why"]
    assert torch.get_num_threads() == 1


def test_noise_does_not_move_the_choice(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, {(2, "float32"): 1.0, (1, "float32"): 0.97})
    made = tiny("train", train__threads="auto", train__length="10 steps")
    assert made.state()["resolved"]["train.threads"]["value"] == 2


def test_a_short_training_measures_nothing(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = script(monkeypatch, {})
    made = tiny("train", train__threads="auto", train__length="5 steps")
    assert asked == []
    assert made.state()["resolved"]["train.threads"]["why"] == "the cores this process may use"


def test_a_real_measurement_leaves_no_trace(tiny: Tiny) -> None:
    """The trial trains a copy: what follows is what would have been without it."""
    measured = tiny("train", train__precision="auto", train__length="10 steps")
    chosen = measured.state()["resolved"]["train.precision"]["value"]
    plain = tiny("train", name="plain", train__precision=chosen, train__length="10 steps")
    one, other = measured.artifact("model"), plain.artifact("model")
    assert one is not None
    assert other is not None
    name = "model.safetensors"
    assert (one.path / name).read_bytes() == (other.path / name).read_bytes()


def test_another_recipe_in_the_same_folder_chooses_anew(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, {(2, "float32"): 1.0, (1, "float32"): 0.5})
    tiny("train", train__threads="auto", train__length="10 steps")
    made = tiny("train", train__threads="auto", train__length="5 steps")
    assert made.state()["resolved"]["train.threads"]["value"] == 2


# Torch warns about its own use of torch.jit.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("really", [pytest.param(True, marks=pytest.mark.full), False])
def test_compiled_training(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, really: bool) -> None:
    compiled: list[Any] = []
    real = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda network: compiled.append(network) or (real(network) if really else network)
    )
    plain = tiny("train", name="plain", train__length="6 steps")
    assert compiled == []
    made = tiny("train", train__compile=True, train__length="6 steps")
    assert len(compiled) == 1
    losses = [next(item.value for item in run.evidence() if item.name == "validation_loss") for run in (made, plain)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


@pytest.mark.parametrize(
    ("compiled", "steps", "worth"),
    # 300 s of steps: compiling takes no time in this script, so that a faster step pays; the last is over too soon.
    [(0.4, 300, True), (0.99, 300, False), (2.0, 300, False), (0.1, 100, None)],
)
def test_compiling_is_tried_where_it_may_pay_and_resume_keeps_the_answer(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, compiled: float, steps: int, worth: bool | None
) -> None:
    asked: list[bool] = []

    def measure(self: Any, tried: Any, threads: int) -> float:
        asked.append(tried.compile)
        return compiled if tried.compile else 1.0

    monkeypatch.setattr(speed.Trial, "seconds_per_step", measure)
    monkeypatch.setattr(torch, "compile", lambda network: network)
    edits = {"train__compile": "auto", "train__length": f"{steps} steps"}
    with pytest.raises(Interrupted):
        tiny("train", on_progress=lambda seen: "interrupt" if seen.step == 6 else "go", **edits)
    made = tiny("train", **edits)
    assert asked == ([False] if worth is None else [False, True]), "resume measures nothing"
    chosen = made.state()["resolved"]["train.compile"]
    assert chosen["value"] is bool(worth)
    assert ("are over before compiling pays" in chosen["why"]) == (worth is None)


def test_what_cannot_be_compiled_is_trained_without(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelwright.stages.train import compiling

    def refuse(network: Any) -> Any:
        raise RuntimeError("no compiler here\nand more")

    monkeypatch.setattr(compiling, "WORTH_SECONDS", 0.0)
    monkeypatch.setattr(torch, "compile", refuse)
    made = tiny("train", train__compile="auto")
    chosen = made.state()["resolved"]["train.compile"]
    assert (chosen["value"], chosen["why"]) == (False, "the network cannot be compiled here: no compiler here")
