"""Training that cannot go on says so, at which step, and claims nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from modelwright.core.errors import DataError, RecipeError
from modelwright.core.run import Run

Tiny = Callable[..., Run]


def spoil(monkeypatch: pytest.MonkeyPatch, bad: Callable[[int], bool]) -> list[int]:
    """Let the losses of some steps be NaN; return the list of steps that were tried."""
    import torch

    from modelwright.layouts.local import Local

    real, tried = Local.backward, []

    def backward(self: Any, turn: Any, parts: Any, objective: Any) -> Any:
        losses = real(self, turn, parts, objective)
        tried.append(len(tried))
        if not bad(tried[-1]):
            return losses
        for parameter in turn.parameters():
            parameter.grad.fill_(torch.nan)
        return torch.full_like(losses, torch.nan)

    monkeypatch.setattr(Local, "backward", backward)
    return tried


def test_a_bad_step_is_skipped_and_counted(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, lambda step: step in (2, 3, 6))
    made = tiny("train", train__length="10 steps", train__l1=0.001, train__clip_norm=1.0)
    claims = {item.name: item.value for item in made.evidence()}
    assert claims["skipped_steps"] == 3
    assert claims["steps"] == 10
    record = json.loads((made.artifact("model").path / "training.json").read_text())
    assert all(point["loss"] == point["loss"] for point in record["loss"])


def test_three_in_a_row_stop_the_run(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = spoil(monkeypatch, lambda step: step >= 4)
    edits = {"train__length": "50 steps", "train__save": {"every": "1 steps"}, "train__guard": {"then": "stop"}}
    with pytest.raises(DataError, match="3 steps in a row could not be taken: the loss was nan") as caught:
        tiny("train", **edits)
    assert caught.value.exit_code == 3
    assert caught.value.problems[0].where == "train, step 7"
    assert tried[-1] == 6
    # Run again, it goes back to the checkpoint of that very step, and is not carried on as if nothing had happened.
    with pytest.raises(DataError, match="3 steps in a row could not be taken"):
        tiny("train", **edits)
    assert tried[-1] == 6


@pytest.mark.parametrize("keep", ["best", "last"])
def test_weights_broken_by_the_last_step_are_not_stored(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, keep: str) -> None:
    """A step may be finite and break the weights all the same; after the last step no later loss would show it."""

    from modelwright.layouts.local import Local

    real = Local.backward

    def backward(self: Any, turn: Any, parts: Any, objective: Any) -> Any:
        losses = real(self, turn, parts, objective)
        for parameter in turn.parameters():
            parameter.grad.fill_(-1e17)
        return losses

    monkeypatch.setattr(Local, "backward", backward)
    with pytest.raises(DataError, match="the weights that would be kept have a validation loss of nan") as caught:
        tiny("train", train__length="1 steps", train__optimiser={"kind": "sgd", "lr": 1000.0}, train__keep=keep)
    assert caught.value.exit_code == 3
    assert caught.value.problems[0].where == "train, step 1"


def test_mixing_pictures_where_there_are_none(tiny: Tiny) -> None:
    table = {"task": "tabular", "data": {"kind": "sample", "name": "iris"}, "model": {"kind": "linear"}, "prepare": {}}
    for mixing in ("mixup", "cutmix"):
        with pytest.raises(RecipeError, match=f"'{mixing}' is for image"):
            tiny("train", sections=table, train__mixing=[mixing])
    assert tiny("train", sections=table, train__mixing=["label_smoothing"]).artifact("model")


def test_l1_pulls_weights_to_zero(tiny: Tiny) -> None:
    from safetensors.numpy import load_file

    def matrices(weight: float) -> float:
        made = tiny("train", train__length="10 epochs", train__optimiser={"kind": "sgd", "lr": 0.05}, train__l1=weight)
        weights = load_file(made.artifact("model").path / "model.safetensors")
        return float(sum(abs(tensor).sum() for tensor in weights.values() if tensor.ndim > 1))

    assert matrices(0.02) < 0.6 * matrices(0.0)


def test_a_last_batch_of_one_example(tiny: Tiny) -> None:
    """Batch normalisation has nothing to normalise where one example has one pixel left."""
    model = {"kind": "cnn", "channels": [4, 4], "normalisation": "batch", "dense": 8}
    batch = int({item.name: item.value for item in tiny("prepare").evidence()}["rows[train]"]) - 1
    with pytest.raises(RecipeError, match="batch normalisation") as caught:
        tiny("train", sections={"model": model}, train__batch=batch)
    assert caught.value.exit_code == 2
    assert tiny("train", sections={"model": {**model, "normalisation": "none"}}, train__batch=batch).artifact("model")
