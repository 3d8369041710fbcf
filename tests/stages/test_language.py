"""Language modelling from raw text to a release: every key counts, claims are what they say, resume is exact."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edited_recipe import digest, run_edited

from modelwright.core.errors import Interrupted, RecipeError
from modelwright.core.execute import go_on
from modelwright.core.recipe import recipe_from
from modelwright.core.run import Run
from modelwright.engine.dataset import read_part
from modelwright.engine.resident import hold
from modelwright.stages.release.predict import predict
from modelwright.stages.release.verify import verify

POEM = [
    "the sun went down",
    "and the moon came up",
    "over the hill",
    "the star is far",
    "the sea is near",
    "we go home",
]


def write_texts(folder: Path, count: int = 60) -> None:
    """Write short documents, one a file."""
    (folder / "texts").mkdir()
    dice = np.random.default_rng(3)
    for number in range(count):
        lines = dice.choice(POEM, size=int(dice.integers(1, 5)))
        (folder / "texts" / f"{number:03d}.txt").write_text("\n".join([*lines, str(number)]), encoding="utf-8")


RECIPE: dict[str, Any] = {
    "version": 1,
    "name": "verses",
    "seed": 1,
    "task": {"kind": "language", "tokens": "characters", "length": 32},
    "data": {"kind": "text", "path": "texts", "label": "none"},
    "model": {"kind": "decoder", "layers": 1, "width": 16, "heads": 2, "hidden": 24},
    "prepare": {"split": {"test": 0.2, "validation": 0.2}},
    "train": {"length": "12 steps", "batch": 16, "threads": 1, "optimiser": {"kind": "adamw", "lr": 0.02}},
    "evaluate": {"resamples": 100, "samples": {"count": 2, "tokens": 12}},
    "release": {"gates": ["perplexity.value <= 40"], "owner": "Ada", "purpose": "Tests.", "approver": "Grace"},
}
Made = Callable[..., Run]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("language")
    write_texts(folder)
    return folder


def run_in(place: Path, folder: str, until: str | None = None, on_progress: Any = go_on, **edits: Any) -> Run:
    return run_edited(RECIPE, place, place / "runs" / folder, until, on_progress, **edits)


@pytest.fixture(scope="module")
def whole(place: Path) -> Run:
    """The recipe, run once to its end; nobody may change it."""
    return run_in(place, "whole")


def test_claims_agree_with_each_other(whole: Run) -> None:
    claims = {item.name: item for item in whole.evidence()}
    dataset, predictions = whole.artifact("dataset"), whole.artifact("predictions")
    assert dataset is not None
    assert predictions is not None
    test = read_part(dataset.path, "test")
    losses = np.load(predictions.path / "losses.npy")
    sizes = test.columns["tokens"].stop - test.columns["tokens"].start - 1
    loss = claims["loss"].value
    assert loss == pytest.approx((losses * sizes).sum() / sizes.sum())
    assert claims["perplexity"].value == pytest.approx(math.exp(loss))
    characters = test.columns["characters"].sum()
    assert claims["bits_per_character"].value == pytest.approx(loss * sizes.sum() / characters / math.log(2))
    assert claims["bits_per_byte"].value == pytest.approx(claims["bits_per_character"].value)
    for name in ("loss", "perplexity", "bits_per_character", "bits_per_byte"):
        assert claims[name].low < claims[name].value < claims[name].high, name
        assert claims[name].about["model"] == digest(whole, "model")
    gain = claims["floor[bits_per_character]"].value - claims["bits_per_character"].value
    assert claims["gain_over_floor"].value == pytest.approx(gain)
    assert claims["validation_loss"].value < math.log(30)
    assert "validation_accuracy" not in claims


def test_the_release_verifies_and_answers(whole: Run) -> None:
    release = whole.artifact("release")
    assert release is not None
    assert verify(release.path)["golden_difference"] <= 1e-5
    (told,) = predict(release.path, ["the sun"])
    assert told["input"] == "the sun"
    assert isinstance(told["text"], str)
    assert 0 < told["probability"] <= 1
    assert len(told["runners_up"]) == 3


def test_samples_and_hard_texts_are_kept_for_people(whole: Run) -> None:
    evaluation = whole.artifact("evaluation")
    assert evaluation is not None
    summary = json.loads((evaluation.path / "summary.json").read_text())
    assert len(summary["samples"]) == 2
    assert summary["samples"][0]["prompt"] == ""
    assert summary["samples"][1]["prompt"]
    hardest = [item["loss"] for item in summary["hardest"]]
    assert hardest == sorted(hardest, reverse=True)
    assert summary["floors"][0]["name"] == "5-gram Kneser-Ney"


CHANGES: list[tuple[str, Any, str]] = [
    ("task.tokens", "bpe", "dataset"),
    ("task.vocabulary", 20, "dataset"),
    ("task.least", 40, "dataset"),
    ("task.length", 16, "dataset"),
    ("task.stride", 8, "dataset"),
    ("task.longest", 20, "dataset"),
    ("task.template", "{{ messages[0].content }}", "dataset"),
    ("prepare.split.by", "position", "dataset"),
    ("prepare.limit", 40, "dataset"),
    ("train.micro_batch", 5, "model"),
    ("train.precision", "bfloat16", "model"),
    ("train.low_rank", {"kind": "lora", "rank": 2}, "model"),
    ("train.average", {"kind": "ema", "decay": 0.5}, "model"),
    ("train.subset.share", 0.5, "model"),
    ("evaluate.samples.count", 1, "evaluation"),
    ("evaluate.samples.tokens", 5, "evaluation"),
    ("evaluate.samples.temperature", 0.0, "evaluation"),
    ("evaluate.samples.nucleus", 0.1, "evaluation"),
    ("evaluate.worst", 1, "evaluation"),
    ("evaluate.floor", "none", "evaluation"),
]


@pytest.mark.parametrize(("key", "value", "kind"), CHANGES, ids=lambda item: json.dumps(item).strip('"'))
def test_a_changed_key_changes_what_is_made(place: Path, whole: Run, key: str, value: Any, kind: str) -> None:
    until = {"dataset": "prepare", "model": "train", "evaluation": "evaluate"}[kind]
    made = run_in(place, "changed", until, **{key.replace(".", "__"): value})
    assert digest(made, kind) != digest(whole, kind)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": "lstm"}, "'lstm' is for text"),
    ({"train.objective": "focal"}, "'focal' is for image"),
    ({"train.sampler": "balanced"}, "'balanced' is for image"),
    ({"train.mixing": ["label_smoothing"]}, "'label_smoothing' is for image"),
    ({"train.early_stopping.measure": "accuracy"}, "no classes"),
    ({"train.privacy": "dp_sgd", "train.guard": {"then": "stop", "spike": 0.0}}, "'dp_sgd' is for image"),
    ({"evaluate.folds": 3}, "folds"),
    ({"audit": {}}, "'audit' is for image"),
    ({"task.stride": 33}, "stride"),
]


@pytest.mark.parametrize(("edits", "said"), REFUSED, ids=lambda item: json.dumps(item)[:40])
def test_parts_that_need_classes_are_refused_by_name(place: Path, edits: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        recipe_from(RECIPE, place).edited(edits)


def test_samples_are_for_language_alone(tmp_path: Path) -> None:
    plain = {"version": 1, "task": "image", "data": {"kind": "sample", "name": "digits"}, "model": "linear"}
    recipe_from(plain, tmp_path)
    with pytest.raises(RecipeError, match="evaluate.samples"):
        recipe_from({**plain, "evaluate": {"samples": {"count": 1}}}, tmp_path)


def test_texts_are_cut_by_position(place: Path) -> None:
    made = run_in(place, "position", "prepare", prepare__split={"by": "position", "test": 0.25, "validation": 0.2})
    dataset = made.artifact("dataset")
    assert dataset is not None
    characters = {
        part: read_part(dataset.path, part).columns["characters"].sum() for part in ("train", "validation", "test")
    }
    total = sum(len(path.read_text()) for path in (place / "texts").glob("*.txt"))
    assert sum(characters.values()) == total
    assert characters["test"] / total == pytest.approx(0.25, abs=0.02)
    assert characters["validation"] / total == pytest.approx(0.15, abs=0.02)


@pytest.mark.parametrize(
    "edits", [{}, {"task__stride": 8, "train__micro_batch": 7, "model__dropout": 0.2}], ids=["plain", "all"]
)
def test_interrupted_and_resumed_ends_in_the_same_bytes(place: Path, edits: dict[str, Any]) -> None:
    stopped = False

    def stop_once(progress: Any) -> str:
        nonlocal stopped
        if progress.stage == "train" and progress.step == 7 and not stopped:
            stopped = True
            return "interrupt"
        return "go"

    name = f"resumed-{len(edits)}"
    with pytest.raises(Interrupted):
        run_in(place, name, "train", stop_once, train__save={"every": "3 steps"}, **edits)
    resumed = run_in(place, name, "train", train__save={"every": "3 steps"}, train__workers=2, **edits)
    undisturbed = run_in(place, f"{name}-twin", "train", name="twin", train__save={"every": "3 steps"}, **edits)
    assert digest(resumed, "model") == digest(undisturbed, "model")


def test_tokens_stay_on_disk_while_training(place: Path) -> None:
    dataset = run_in(place, "mapped", "prepare").artifact("dataset")
    assert dataset is not None
    held = hold(read_part(dataset.path, "train"))
    assert isinstance(held.columns["tokens"].values, np.memmap)
    assert not isinstance(held.columns["document"], np.memmap)
