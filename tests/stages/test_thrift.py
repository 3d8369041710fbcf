"""Thrifty training through the whole stage: what is stored is plain, what is resumed is bit-equal, what clashes is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from modelwright.core.errors import DataError, Interrupted, RecipeError
from modelwright.core.journal import read_journal
from modelwright.core.run import Run

Tiny = Callable[..., Run]
RESIDUAL = {"model": {"kind": "residual", "widths": [4, 8]}}
RELEASED = {"train__gradient_release": True, "train__guard": {"patience": 1}}
LORA = {"train__low_rank": {"kind": "lora", "rank": 4, "dropout": 0.1}}
# What is tried, and on which model.
WAYS: dict[str, dict[str, Any]] = {
    "low_rank_lora": LORA,
    "low_rank_svd": {"train__low_rank": {"kind": "svd", "rank": 0.25}},
    "bfloat16_parameters": {"train__precision": "bfloat16_parameters"},
    "gradient_release": RELEASED,
    "checkpointing_blocks": {"sections": RESIDUAL, "train__checkpointing": "blocks"},
    "checkpointing_selective": {"sections": RESIDUAL, "train__checkpointing": "selective"},
    "normalisation": {"sections": {"model": {"kind": "mlp", "hidden": [16], "normalisation": "rms"}}},
    "everything": {
        **RELEASED,
        "sections": RESIDUAL,
        "train__low_rank": {"kind": "svd", "rank": 1},
        "train__checkpointing": "blocks",
        "train__precision": "bfloat16_parameters",
        "train__average": {"kind": "ema", "decay": 0.5},
    },
}


def model_of(made: Run) -> Any:
    artifact = made.artifact("model")
    assert artifact is not None
    return artifact


def claims(made: Run) -> dict[str, Any]:
    return {item.name: item.value for item in made.evidence()}


def stop_at(step: int) -> Callable[[Any], str]:
    return lambda seen: "interrupt" if seen.step == step else "go"


def sections_of(way: str) -> dict[str, Any]:
    """Return the edits of a way; a residual network has one linear layer that can be made thin."""
    return {"train__length": "10 steps", "train__save": {"every": "3 steps"}, **WAYS[way]}


@pytest.mark.parametrize("way", WAYS)
def test_resumed_is_bit_equal(tiny: Tiny, tmp_path: Any, way: str) -> None:
    straight = model_of(tiny("train", **sections_of(way))).digest
    shutil.rmtree(tmp_path / "run")
    for step in (4, 8):
        with pytest.raises(Interrupted):
            tiny("train", on_progress=stop_at(step), **sections_of(way))
    resumed = model_of(tiny("train", **sections_of(way)))
    assert resumed.digest == straight


@pytest.mark.parametrize("way", ["low_rank_lora", "low_rank_svd", "bfloat16_parameters", "everything"])
def test_what_is_stored_is_plain(tiny: Tiny, base: Run, way: str) -> None:
    """Names, shapes and types are those of ordinary training; the golden answers, checked on opening, are the trainer's."""
    from safetensors.torch import load_file

    from modelwright.engine.golden import check_golden
    from modelwright.engine.predictor import open_predictor

    edits = sections_of(way)
    made = tiny("train", **edits)
    folder = model_of(made).path
    predictor = open_predictor(folder)
    assert check_golden(folder, predictor) <= 1e-5
    stored = load_file(folder / "model.safetensors")
    network_names = {name: (tensor.shape, tensor.dtype) for name, tensor in stored.items()}
    assert not any(name.endswith((".up", ".down")) or ".base." in name for name in network_names)
    if "sections" not in edits:
        plain = load_file(model_of(base).path / "model.safetensors")
        assert network_names == {name: (tensor.shape, tensor.dtype) for name, tensor in plain.items()}
        assert claims(made)["parameters"] == claims(base)["parameters"]


@pytest.mark.parametrize(
    ("way", "least"),
    [("bfloat16_parameters", 0.9), ("gradient_release", 0.9), ("low_rank_lora", 0.85), ("low_rank_svd", 0.8)],
)
def test_digits_are_learnt(tiny: Tiny, way: str, least: float) -> None:
    """Ordinary training reaches 0.95 here; a last layer of rank two cannot."""
    edits = {**WAYS[way], "prepare__limit": 900, "train__length": "12 epochs", "model__hidden": [64]}
    edits["train__optimiser"] = {"kind": "adam", "lr": 0.01}
    assert claims(tiny("train", **edits))["validation_accuracy"] >= least


def test_gradient_release_changes_no_weights(tiny: Tiny, tmp_path: Any) -> None:
    from safetensors.torch import load_file

    same = {"train__guard": {"patience": 1}}
    plain = load_file(model_of(tiny("train", **same)).path / "model.safetensors")
    shutil.rmtree(tmp_path / "run")
    made = model_of(tiny("train", **RELEASED)).path
    released = load_file(made / "model.safetensors")
    assert all(plain[name].equal(released[name]) for name in plain)
    # Gradients that are not there must not pass for gradients that have vanished.
    assert json.loads((made / "training.json").read_text())["trace"] == []


@pytest.mark.parametrize("how", ["blocks", "selective"])
def test_checkpointing_changes_no_weights(tiny: Tiny, tmp_path: Any, how: str) -> None:
    plain = model_of(tiny("train", sections=RESIDUAL)).digest
    shutil.rmtree(tmp_path / "run")
    assert model_of(tiny("train", sections=RESIDUAL, train__checkpointing=how)).digest == plain


def test_low_rank_layers_are_noted(tiny: Tiny) -> None:
    made = tiny("train", **LORA)
    (note,) = [item.data for item in read_journal(made.folder / "journal.jsonl") if item.event == "low rank"]
    # 64 pixels to 16 to 10 classes, each with a product of rank 4.
    learning = 4 * (64 + 16) + 4 * (16 + 10)
    assert note == {
        "kind": "lora",
        "layers": 2,
        "learning": learning,
        "of": learning + 64 * 16 + 16 + 16 * 10 + 10,
        **{key: value for key, value in note.items() if key == "stage"},
    }


def test_the_allocator_is_noted_where_it_has_no_effect(tiny: Tiny, base: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    made = tiny("train", train__cuda_allocator="expandable_segments:True")
    (note,) = [item.data for item in read_journal(made.folder / "journal.jsonl") if item.event == "allocator"]
    assert note["became"].endswith("expandable_segments:True has no effect, there is no CUDA device")
    assert model_of(made).digest == model_of(base).digest


def test_the_allocator_hears_the_words(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    heard: list[str] = []

    def listen(words: str) -> None:
        if "nonsense" in words:
            raise RuntimeError("Unrecognized key")
        heard.append(words)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch._C, "_accelerator_setAllocatorSettings", listen)
    from modelwright.engine.allocator import set_cuda_allocator

    assert set_cuda_allocator("max_split_size_mb:64") == "CUDA's allocator was told max_split_size_mb:64"
    assert heard == ["max_split_size_mb:64"]
    with pytest.raises(RecipeError, match="does not accept 'nonsense:1': Unrecognized key"):
        set_cuda_allocator("nonsense:1")


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({**RELEASED, "train__micro_batch": 4}, "gradient_release: true with micro_batch"),
        ({**RELEASED, "train__clip_norm": 1.0}, "gradient_release: true with clip_norm"),
        ({**RELEASED, "train__clip_value": 1.0}, "gradient_release: true with clip_value"),
        ({**RELEASED, "train__l1": 0.1}, "gradient_release: true with l1"),
        ({"train__gradient_release": True}, "gradient_release: true with guard.patience above 1"),
        ({"train__checkpointing": "blocks"}, "the model 'mlp' has no blocks"),
        ({"train__low_rank": {"kind": "lora", "targets": "attention"}}, "no linear layer of the model is chosen"),
        ({"sections": RESIDUAL, "train__micro_batch": 4}, "the model needs the whole-batch"),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(tiny: Tiny, edits: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        tiny("train", **edits)


@pytest.mark.parametrize(
    ("model", "micro_batch"),
    [({"kind": "residual", "widths": [4], "normalisation": "group"}, 4), ({"kind": "residual", "widths": [4]}, 16)],
)
def test_micro_batches_that_are_harmless_are_accepted(tiny: Tiny, model: dict[str, Any], micro_batch: int) -> None:
    tiny("train", sections={"model": model}, train__length="2 steps", train__micro_batch=micro_batch)


@pytest.mark.parametrize("bad", ["loss", "gradient"])
def test_a_bad_step_ends_released_training(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    """A loss leads to the guard, which was told to stop; a gradient that alone is not finite stops on its own."""
    from modelwright.layouts.local import Local

    real = Local.backward
    count: list[int] = []

    def backward(layout: Any, turn: Any, parts: Any, objective: Any) -> Any:
        count.append(1)
        if len(count) == 3 and bad == "gradient":
            turn.parameters()[0].register_hook(lambda gradient: gradient * float("inf"))
        if len(count) == 3 and bad == "loss":
            return real(layout, turn, parts, lambda losses, part: objective(losses, part) * float("inf")) * float("inf")
        return real(layout, turn, parts, objective)

    monkeypatch.setattr(Local, "backward", backward)
    edits = {**RELEASED, "train__guard": {"patience": 1, "then": "stop"}, "train__length": "6 steps"}
    with pytest.raises(DataError) as caught:
        tiny("train", **edits)
    problem = caught.value.problems[0]
    assert len(count) == 3
    if bad == "loss":
        assert "could not be taken: the loss was inf" in problem.found
    else:
        assert "the gradient of 'layers.0.weight' was not finite" in problem.found
        assert problem.where == "train.gradient_release"


def test_eight_bit_moments_survive_a_kill(tiny: Tiny, tmp_path: Any) -> None:
    pytest.importorskip("torchao")
    edits = {"train__optimiser": "adamw8bit", "model__hidden": [64], "train__length": "10 steps"}
    edits["train__save"] = {"every": "3 steps"}
    straight = model_of(tiny("train", **edits)).digest
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(Interrupted):
        tiny("train", on_progress=stop_at(4), **edits)
    resumed = model_of(tiny("train", **edits))
    assert resumed.digest == straight
    assert json.loads((resumed.path / "training.json").read_text())["validation"]


def test_a_bad_step_leads_released_training_back(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights and the optimiser's state go back to the checkpoint, and the bad step is passed over."""
    from modelwright.layouts.local import Local

    real = Local.backward
    steps: list[float] = []

    def backward(layout: Any, turn: Any, parts: Any, objective: Any) -> Any:
        steps.append(float(turn.parameters()[0].detach().sum()))
        losses = real(layout, turn, parts, objective)
        return losses * float("inf") if len(steps) == 6 else losses

    monkeypatch.setattr(Local, "backward", backward)
    made = tiny("train", train__length="8 steps", train__save={"every": "4 steps"}, **RELEASED)
    assert claims(made)["rewinds"] == 1
    # The step that turned out bad had been taken; it was undone by going back to step 4, whose sum stands here twice.
    assert len(steps) == 9
    assert steps[6] == steps[4]
