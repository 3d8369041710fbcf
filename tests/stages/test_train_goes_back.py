"""After bad steps in a row training goes back to the last checkpoint and past them; a kill in between changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from modelwright.core.errors import DataError, Interrupted
from modelwright.core.journal import read_journal
from modelwright.core.run import Run

Tiny = Callable[..., Run]
GOES_BACK = {"train__length": "30 steps", "train__save": {"every": "4 steps"}, "train__validate_every": "5 steps"}


class Spoiler:
    """State: which examples are bad. A batch that holds one of them has an infinite loss and gradient."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, steps: set[int]) -> None:
        import torch

        from modelwright.engine.samplers import Shuffled
        from modelwright.layouts.local import Local

        self.steps, self.taken = steps, []
        self.step = -1
        real, real_batches = Local.backward, Shuffled.batches
        spoiler = self

        def batches(sampler: Any, start: int, stop: int) -> Any:
            for step, indices in real_batches(sampler, start, stop):
                spoiler.step = step
                yield step, indices

        def backward(layout: Any, turn: Any, parts: Any, objective: Any) -> Any:
            losses = real(layout, turn, parts, objective)
            spoiler.taken.append(spoiler.step)
            if spoiler.step not in spoiler.steps:
                return losses
            for parameter in turn.parameters():
                parameter.grad.fill_(torch.inf)
            return losses

        monkeypatch.setattr(Shuffled, "batches", batches)
        monkeypatch.setattr(Local, "backward", backward)


def record(made: Run) -> dict[str, Any]:
    artifact = made.artifact("model")
    assert artifact is not None
    found: dict[str, Any] = json.loads((artifact.path / "training.json").read_text())
    return found


def test_training_goes_back_and_past_the_bad_steps(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    spoiler = Spoiler(monkeypatch, {9, 10, 11})
    made = tiny("train", train__workers=0, **GOES_BACK)
    assert spoiler.taken == [*range(12), 8, *range(12, 30)]
    claims = {item.name: item.value for item in made.evidence()}
    assert (claims["rewinds"], claims["skipped_steps"], claims["steps"]) == (1, 3, 30)
    assert record(made)["passed_over"] == [9, 10, 11]
    notes = list(read_journal(made.folder / "journal.jsonl"))
    skipped = [item.data for item in notes if item.event == "step skipped"]
    assert [item["step"] for item in skipped] == [9, 10, 11]
    assert all(item["reason"] == "the gradient was not finite" and item["examples"] for item in skipped)
    (back,) = [item.data for item in notes if item.event == "training went back"]
    assert (back["to"], back["passing_over"]) == (8, [9, 10, 11])


def test_going_back_ends_where_skipping_ends(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three bad steps, skipped one by one, leave the same weights as going back past them."""
    Spoiler(monkeypatch, {9, 10, 11})
    back = record(tiny("train", train__workers=0, **GOES_BACK))
    patient = record(tiny("train", train__workers=0, train__guard={"patience": 4}, **GOES_BACK))
    assert back["validation"] == patient["validation"]
    assert back["loss"] == patient["loss"]


def test_stopped_between_going_back_and_the_end(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    Spoiler(monkeypatch, {9, 10, 11})
    whole = record(tiny("train", train__workers=0, **GOES_BACK))
    stopped = {"name": "stopped", "train__workers": 0, **GOES_BACK}
    with pytest.raises(Interrupted):
        tiny("train", on_progress=lambda seen: "interrupt" if seen.step == 14 else "go", **stopped)
    again = record(tiny("train", **stopped))
    assert again == whole


def test_it_goes_back_so_often_and_no_more(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    Spoiler(monkeypatch, set(range(9, 30)))
    with pytest.raises(DataError, match="could not be taken: the gradient was not finite, after going back 2 times"):
        tiny("train", train__workers=0, train__guard={"rewinds": 2}, **GOES_BACK)


def test_guard_keys(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch whose losses are a hundred times what is usual is a spike, if the recipe says so and the window is full."""
    from modelwright.tasks import classification

    real, steps = classification.losses, iter(range(10_000))
    import torch

    def losses(model: Any, batch: Any) -> Any:
        scale = 100.0 if torch.is_grad_enabled() and next(steps) == 20 else 1.0
        return real(model, batch) * scale

    monkeypatch.setattr(classification, "losses", losses)

    def skipped(**guard: Any) -> float:
        nonlocal steps
        steps = iter(range(10_000))
        made = tiny("train", train__length="30 steps", train__guard={"window": 10, **guard})
        return {item.name: float(item.value or 0) for item in made.evidence()}["skipped_steps"]

    assert skipped() == 1
    assert skipped(spike=0.0) == 0
    assert skipped(spike=1000.0) == 0
    assert skipped(window=25) == 0
