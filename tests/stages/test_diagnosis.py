"""The stage that trains says what went wrong: planted faults in whole trainings, and advice that can be followed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelwright.core.errors import Interrupted
from modelwright.core.execute import run
from modelwright.core.recipe import load_recipe, recipe_from
from modelwright.core.run import Run
from modelwright.core.stage import Progress
from modelwright.methods.diagnosis.finding import Finding
from modelwright.stages.train.remedies import REMEDIES, next_steps

Tiny = Callable[..., Run]
WHOLE = {"prepare": {"split": {"test": 0.25, "validation": 0.2}}}
IRIS = {
    "task": "tabular",
    "data": {"kind": "sample", "name": "iris"},
    "prepare": {"split": {"test": 0.3, "validation": 0.3}},
}


def record_of(made: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made.artifact("model").path / "training.json").read_text())
    return found


def findings(made: Run) -> dict[str, dict[str, Any]]:
    return {finding["code"]: finding for finding in record_of(made)["diagnosis"]["findings"]}


def severe(made: Run) -> set[str]:
    return {code for code, finding in findings(made).items() if finding["severity"] == "severe"}


def test_a_healthy_training_has_no_severe_finding(tiny: Tiny) -> None:
    made = tiny("train", sections=WHOLE, train__length="8 epochs", train__batch=32, model__hidden=[64])
    assert severe(made) == set()
    record = record_of(made)
    assert record["dead_units"] == {"layers.0": [0, 64]}
    assert [point["step"] for point in record["trace"]] == [0, 68, 136, 204]
    assert list(record["trace"][0]["layers"]) == ["layers.0", "layers.3"]
    claims = {claim.name: claim for claim in made.evidence()}
    gap = claims["overfitting_gap"]
    assert gap.low < gap.value < gap.high
    fit = record["diagnosis"]["fit"]
    assert gap.value == pytest.approx(fit["validation"] - fit["training"])
    assert (gap.unit, gap.n, claims["dead_units"].value) == ("nats", 270, 0.0)
    assert set(gap.about) == {"model", "dataset"}


def test_a_rate_of_nothing_is_named_and_its_advice_helps(tiny: Tiny, base: Run, tmp_path: Path) -> None:
    said: list[str] = []

    def listen(progress: Progress) -> str:
        said.append(progress.message)
        return "go"

    edits = {"length": "5 epochs", "batch": 32, "threads": 1}
    model = {"kind": "mlp", "hidden": [64]}
    slow = {
        **base.state()["recipe"],
        **WHOLE,
        "model": model,
        "train": {**edits, "optimiser": {"kind": "adam", "lr": 1e-9}},
    }
    found = findings(run(recipe_from(slow, tmp_path), "train", folder=tmp_path / "slow", on_progress=listen))
    assert {"short_steps", "loss_not_falling", "no_better_than_guessing"} == set(found)
    assert any(message.startswith("severe: The steps are too short") for message in said)
    (advice, *_) = found["short_steps"]["next"]
    key, _, value = advice.partition("=")
    assert key == "train.optimiser.lr"
    healed = tiny(
        "train",
        sections={**WHOLE, "model": model, "train": edits},
        train__optimiser={"kind": "adam", "lr": float(value)},
    )
    assert severe(healed) == set()


def test_a_trial_of_a_few_steps_is_not_blamed_for_what_it_has_not_learnt(tiny: Tiny) -> None:
    said = {"train__batch": 32, "train__optimiser": {"kind": "adam", "lr": 1e-9}}
    # One after the other: both stand in the same folder.
    short, long = (
        set(findings(tiny("train", sections=WHOLE, train__length=length, **said)))
        for length in ("99 steps", "100 steps")
    )
    assert "loss_not_falling" not in short
    assert "short_steps" in short
    assert "loss_not_falling" in long


def test_a_tiny_training_part_is_learnt_by_heart(tiny: Tiny) -> None:
    few = {"prepare": {"split": {"test": 0.05, "validation": 0.96}}}
    made = tiny(
        "train", sections=few, train__length="150 epochs", train__batch=16, train__keep="last", model__hidden=[64]
    )
    finding = findings(made)["overfitting"]
    assert finding["numbers"]["share_training"] == 1.0
    assert finding["numbers"]["low"] > 0.05
    assert finding["next"]


def test_a_step_that_leaps_kills_units(tiny: Tiny) -> None:
    made = tiny(
        "train",
        sections=WHOLE,
        train__length="3 epochs",
        train__batch=32,
        model__hidden=[64],
        train__optimiser={"kind": "adam", "lr": 0.3},
    )
    assert {"leap", "dead_units"} <= severe(made)
    claims = {claim.name: claim for claim in made.evidence()}
    assert claims["dead_units"].value > 0.5


def test_a_model_fitted_at_once_has_a_gap_and_no_units(tiny: Tiny) -> None:
    # Labels that nothing can tell: a tree without limits learns them by heart.
    made = tiny(
        "train",
        sections={**IRIS, "model": {"kind": "tree", "depth": 60, "leaf_rows": 1}},
        prepare__split={"test": 0.3, "validation": 0.5},
    )
    claims = {claim.name: claim for claim in made.evidence()}
    assert claims["overfitting_gap"].n == 52
    assert claims["overfitting_gap"].value >= 0
    assert claims["dead_units"].status == "not_applicable"
    for finding in findings(made).values():
        assert not any(edit.startswith("train.") for edit in finding["next"])


@pytest.mark.parametrize(
    "sections",
    [
        {
            "model": {"kind": "mlp", "hidden": [64, 32, 16]},
            "train": {"mixing": ["mixup"], "clip_norm": 1.0, "keep": "last"},
        },
        {"model": {"kind": "cnn", "dropout": 0.4}, "train": {"optimiser": {"kind": "adamw", "weight_decay": 0.1}}},
        {**IRIS, "model": "boosting"},
        {**IRIS, "model": {"kind": "mlp", "hidden": [8]}, "train": {"optimiser": "muon", "schedule": "cosine"}},
        {"task": "text", "data": {"kind": "jsonl", "path": "x.jsonl"}, "model": "transformer"},
    ],
)
def test_every_remedy_is_an_edit_that_the_recipe_accepts(sections: dict[str, Any], tmp_path: Path) -> None:
    whole = {
        "version": 1, "name": "any", "seed": 1, "task": "image", "data": {"kind": "sample", "name": "digits"}, "train": {},
        **sections,
    }  # fmt: skip
    path = tmp_path / "any.yaml"
    path.write_text(json.dumps(whole))
    recipe = load_recipe(path)
    offered = set()
    for name in (*REMEDIES, "rate_fit"):
        for override in next_steps(Finding("any", "note", "", {"ratio": 1e-7}, (name,)), recipe):
            offered.add(name)
            edited = load_recipe(path, (override,))
            assert edited.digest != recipe.digest, override
    at_once = sections["model"] == "boosting"
    assert (offered == {"smaller", "wider"}) if at_once else len(offered) > 10
    if sections.get("task") in ("text", "tabular"):
        assert not {"augment", "mixup"} & offered


def test_interrupted_and_resumed_the_diagnosis_is_the_same(tmp_path: Path, base: Run) -> None:
    """The tiny recipe again, stopped in the middle: the watch goes on where it was."""

    def stop(progress: Progress) -> str:
        return "interrupt" if progress.stage == "train" and progress.step == 5 else "go"

    recipe = recipe_from(base.state()["recipe"], tmp_path)
    with pytest.raises(Interrupted):
        run(recipe, "train", folder=tmp_path / "run", on_progress=stop)
    resumed = run(recipe, "train", folder=tmp_path / "run")
    assert record_of(resumed) == record_of(base)
    assert len(record_of(base)["trace"]) > 2


def test_smote_grows_the_training_part_alone(tiny: Tiny) -> None:
    def losses(**edits: Any) -> list[float]:
        made = tiny("train", sections={**IRIS, "model": "linear"}, prepare__limit=0, **edits)
        return [point["loss"] for point in record_of(made)["loss"]]

    plain = losses()
    # Iris is balanced: there is nothing to make.
    assert losses(train__resample="smote") == plain


def test_resampling_changes_what_is_learnt_of_unequal_classes(tiny: Tiny, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    lines = ["x,y,label"]
    for row in range(300):
        rare = row % 10 == 0
        lines.append(f"{generator.normal() + 2 * rare:.4f},{generator.normal():.4f},{'rare' if rare else 'often'}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    table = {
        "task": "tabular",
        "data": {"kind": "csv", "path": str(tmp_path / "table.csv")},
        "model": {"kind": "linear"},
        "prepare": {"split": {"test": 0.2, "validation": 0.2}},
    }
    plain = record_of(tiny("train", sections=table))
    made = record_of(tiny("train", sections=table, train__resample="smote"))
    # Nearly twice the examples make nearly twice the steps; what is judged stays as it was.
    assert plain["loss"][-1]["step"] == 24
    assert made["loss"][-1]["step"] == 44
    assert made["diagnosis"]["fit"]["n"] == plain["diagnosis"]["fit"]["n"]
