"""The stage `compress` on real digits and on a made table: what it measures, refuses and gives to the stages after it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelwright.core.errors import DataError, GateFailed, Interrupted, RecipeError
from modelwright.core.journal import read_journal
from modelwright.core.run import Run
from modelwright.stages.compress import run as stage

Tiny = Callable[..., Run]
RunIn = Callable[..., Run]
# Nothing here is about time.
QUICK = {"rounds": 3, "resamples": 100, "least_agreement": 0.0}
STEPS = [{"kind": "prune", "amount": 0.6}, {"kind": "quantise", "how": "weight_only"}]
WIDE = {"kind": "mlp", "hidden": [64, 64]}


def compress(*steps: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {**QUICK, "steps": list(steps), **keys}


def table(made: Run) -> list[dict[str, Any]]:
    artifact = made.artifact("compression")
    assert artifact is not None
    found: list[dict[str, Any]] = json.loads((artifact.path / "compression.json").read_text())["steps"]
    return found


def claims(made: Run) -> dict[str, Any]:
    return {item.name: item for item in made.evidence()}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, run_in: RunIn) -> Run:
    """A pruned and quantised model, and all that comes after it; nobody may change it."""
    folder = tmp_path_factory.mktemp("small") / "run"
    gates = ["accuracy_change.value >= -0.5", "size_ratio.value >= 3", "worst_class_change.value >= -1"]
    return run_in(folder, model=WIDE, compress=compress(*STEPS), release__gates=gates)


def test_everything_is_measured_after_each_step_against_the_model_before(small: Run) -> None:
    rows = table(small)
    assert [row["name"] for row in rows] == ["0:before", "1:prune", "2:quantise"]
    validation = claims(small)["rows[validation]"].value
    for row in rows:
        assert {"accuracy", "f1_macro", "roc_auc", "log_loss", "brier", "calibration_error", "recall[3]"} <= set(
            row["metrics"]
        )
        assert row["metrics"]["accuracy"]["low"] <= row["metrics"]["accuracy"]["value"]
        assert set(row["latency"]) == {"1", "32"}
        assert row["cost"]["cpu_seconds"] > 0
        assert sum(item["n"] for item in row["classes"].values()) == validation
        accuracy = sum(item["n"] * item["accuracy"] for item in row["classes"].values()) / validation
        assert accuracy == pytest.approx(row["metrics"]["accuracy"]["value"])
    assert rows[0]["bytes"] > rows[1]["bytes"] > rows[2]["bytes"]
    against = rows[2]["to_before"]
    assert against["size_ratio"] == rows[1]["bytes"] / rows[2]["bytes"]
    lost = rows[2]["metrics"]["accuracy"]["value"] - rows[1]["metrics"]["accuracy"]["value"]
    assert against["accuracy_change"]["value"] == pytest.approx(lost)
    for name, item in against["classes"].items():
        assert item["accuracy"] == rows[2]["classes"][name]["accuracy"] - rows[1]["classes"][name]["accuracy"]
    assert rows[2]["to_first"]["size_ratio"] == rows[0]["bytes"] / rows[2]["bytes"]


def test_every_number_is_evidence_bound_to_its_model(small: Run) -> None:
    found, rows = claims(small), table(small)
    for row in rows:
        claim = found[f"compress[{row['name']}][accuracy]"]
        assert claim.value == row["metrics"]["accuracy"]["value"]
        assert claim.about["model"] == row["model"]
        assert f"compress[{row['name']}][calibration_error]" in found
        assert f"compress[{row['name']}][latency_p99][32]" in found
    assert "compress[2:quantise][accuracy_change][class=3]" in found
    model = small.artifact("model")
    assert model is not None
    assert model.digest == rows[-1]["model"]
    for name in ("size", "size_ratio", "accuracy_change", "latency_ratio[1]", "agreement", "worst_class_change"):
        assert found[name].about["model"] == model.digest, name
    assert found["size_ratio"].value == rows[2]["to_first"]["size_ratio"]
    assert found["worst_class_change"].value == min(
        item["accuracy"] for item in rows[2]["to_first"]["classes"].values()
    )


def test_what_comes_after_gets_the_compressed_model(small: Run) -> None:
    model, evaluation = small.artifact("model"), small.artifact("evaluation")
    assert model is not None
    assert evaluation is not None
    assert claims(small)["accuracy"].about["model"] == model.digest
    config = json.loads((model.path / "config.json").read_text())
    assert [change["kind"] for change in config["changes"]] == ["int8"]
    release = small.artifact("release")
    assert release is not None
    assert (release.path / "model.safetensors").read_bytes() == (model.path / "model.safetensors").read_bytes()
    assert (release.path / "golden").is_dir()


@pytest.mark.parametrize(
    "gate", ["accuracy_change.lower_bound >= 0.5", "size_ratio.value >= 50", "worst_class_change.value >= 0.9"]
)
def test_a_gate_bounds_the_loss(small: Run, run_in: RunIn, tmp_path: Path, gate: str) -> None:
    shutil.copytree(small.folder, tmp_path / "run")
    with pytest.raises(GateFailed, match="accuracy_change|size_ratio|worst_class_change"):
        run_in(tmp_path / "run", model=WIDE, compress=compress(*STEPS), release__gates=[gate])


def test_without_steps_the_model_stays_as_it_is(tiny: Tiny, base: Run) -> None:
    made = tiny("evaluate", compress={})
    one, other = made.artifact("model"), base.artifact("model")
    assert one is not None
    assert other is not None
    assert one.digest == other.digest
    assert table(made) == []


def test_a_quantised_model_that_decides_otherwise_is_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelwright.stages.compress.table.agreement", lambda one, other: 0.99)
    keys = compress({"kind": "quantise"}, least_agreement=0.995)
    with pytest.raises(GateFailed, match=r"decides as the model before on 99\.00% of \d+ validation examples"):
        tiny("compress", compress=keys)
    assert tiny("compress", compress={**keys, "least_agreement": 0.98}).artifact("model") is not None
    # Pruning may change decisions: that is what the gate is for.
    assert tiny("compress", compress={**keys, "steps": [{"kind": "prune"}]}).artifact("model") is not None


def test_keys_of_the_measurement(tiny: Tiny) -> None:
    step = {"kind": "prune"}
    one = table(tiny("compress", compress=compress(step)))[1]
    other = table(tiny("compress", compress=compress(step, rounds=5, resamples=150, confidence=0.5)))[1]
    assert (one["latency"]["1"]["n"], other["latency"]["1"]["n"]) == (3, 5)
    assert other["metrics"]["accuracy"]["method"].endswith("150 resamples")
    assert other["to_first"]["accuracy_change"]["resamples"] == 150
    assert other["metrics"]["log_loss"]["confidence"] == 0.5
    width = [row["metrics"]["log_loss"]["high"] - row["metrics"]["log_loss"]["low"] for row in (one, other)]
    assert width[1] < width[0]


def people(folder: Path) -> dict[str, Any]:
    """Write a table in which the answer is in `skill`, and `sex` is kept from the features; return the sections that read it."""
    dice = np.random.default_rng(4)
    lines = ["skill,sex,band,pay,hired"]
    for row in range(400):
        skill, sex = dice.normal(), "fm"[row % 2]
        hired = skill + (0.5 if sex == "m" else 0.0) + dice.normal() / 4 > 0
        lines.append(f"{skill:.4f},{sex},{'abc'[row % 3]},{dice.normal():.6f},{'yes' if hired else 'no'}")
    (folder / "people.csv").write_text("\n".join(lines) + "\n")
    return {
        "task": {"kind": "tabular", "ignore": ["sex"]},
        "data": {"kind": "csv", "path": str(folder / "people.csv"), "label": "hired"},
        "model": {"kind": "mlp", "hidden": [32, 32]},
        "prepare": {"split": {"test": 0.2, "validation": 0.4}},
    }


def test_groups_are_compared_before_and_after(tiny: Tiny, tmp_path: Path) -> None:
    sections = people(tmp_path)
    step = {"kind": "prune", "amount": 0.9}
    made = tiny("compress", sections=sections, compress=compress(step, groups=["sex", "band"]))
    before, after = table(made)
    assert set(after["groups"]) == {"sex=f", "sex=m", "band=a", "band=b", "band=c"}
    for name, numbers in after["groups"].items():
        assert {"n", "accuracy", "calibration_error", "selection_rate", "tpr", "fpr", "ppv"} == set(numbers)
        change = after["to_before"]["groups"][name]["accuracy"]
        assert change == numbers["accuracy"] - before["groups"][name]["accuracy"]
    rates = [after["groups"][f"sex={sex}"]["selection_rate"] for sex in "fm"]
    assert after["gaps"]["sex"]["demographic_parity_difference"] == pytest.approx(abs(rates[0] - rates[1]))
    found = claims(made)
    change = after["to_first"]["gaps"]["sex"]["equalised_odds_difference"]
    assert found["gap_change[sex][equalised_odds_difference]"].value == change != 0
    assert found["worst_group_change"].value == min(x["accuracy"] for x in after["to_first"]["groups"].values())
    assert "compress[1:prune][selection_rate_change][sex=m]" in found
    # Declaring groups trains no model anew; and the other class is another comparison.
    turned = tiny("compress", sections=sections, compress=compress(step, groups=["sex"], positive=["no"]))
    taken = [event.data for event in read_journal(turned.folder / "journal.jsonl") if event.event == "stage finished"]
    assert [item["stage"] for item in taken if item["stage"] == "train"] == ["train"]
    assert set(table(turned)[1]["gaps"]) == {"sex"}
    other = table(turned)[1]["groups"]["sex=m"]["selection_rate"]
    assert other == pytest.approx(1 - after["groups"]["sex=m"]["selection_rate"])


def test_groups_that_the_audit_declares_are_compared_too(tiny: Tiny, tmp_path: Path) -> None:
    audit = {"fairness": {"columns": ["sex", "pay"], "bins": {"pay": [0.0]}}}
    made = tiny("compress", sections=people(tmp_path), audit=audit, compress=compress({"kind": "prune"}))
    assert set(table(made)[1]["gaps"]) == {"sex"}, "a column of numbers has no groups of its own"


def test_of_more_than_two_classes_none_is_better_unless_it_is_said(tiny: Tiny, tmp_path: Path) -> None:
    sections = people(tmp_path)
    sections["data"]["label"] = "band"
    step = {"kind": "prune"}
    rows = table(tiny("compress", sections=sections, compress=compress(step, groups=["sex"])))
    assert set(rows[1]["gaps"]["sex"]) == {"accuracy_difference"}
    assert "selection_rate" not in rows[1]["groups"]["sex=f"]
    rows = table(tiny("compress", sections=sections, compress=compress(step, groups=["sex"], positive=["a", "b"])))
    assert "demographic_parity_ratio" in rows[1]["gaps"]["sex"]


@pytest.mark.parametrize(
    ("keys", "family", "found"),
    [
        ({"groups": ["age"]}, DataError, "there is no column 'age' to tell groups by"),
        ({"groups": ["pay"]}, RecipeError, "'pay' holds more than 20 distinct numbers"),
        ({"positive": ["maybe"]}, RecipeError, "'maybe' is not a class"),
        ({"positive": ["yes", "no"]}, RecipeError, "all classes count as good"),
    ],
)
def test_groups_that_cannot_be_compared_are_refused(
    tiny: Tiny, tmp_path: Path, keys: dict[str, Any], family: type[Exception], found: str
) -> None:
    with pytest.raises(family, match=found):
        tiny("compress", sections=people(tmp_path), compress=compress({"kind": "prune"}, **keys))


def test_it_stops_when_asked_and_nothing_is_left_behind(run_in: RunIn, tmp_path: Path) -> None:
    keys = compress({"kind": "prune", "fine_tune": "40 steps"})
    with pytest.raises(Interrupted, match="stopped as asked"):
        run_in(
            tmp_path / "run",
            "compress",
            compress=keys,
            on_progress=lambda progress: "interrupt" if progress.stage == "compress" and progress.step > 5 else "go",
        )
    assert Run(tmp_path / "run").artifact("compression") is None
    made = run_in(tmp_path / "run", "compress", compress=keys)
    assert table(made)[1]["facts"]["fine_tuning_steps"] == 40


def test_the_test_part_stays_closed(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = stage.read_part

    def read(folder: Path, part: str) -> Any:
        opened.append(part)
        return real(folder, part)

    monkeypatch.setattr(stage, "read_part", read)
    tiny("compress", compress=compress({"kind": "prune"}))
    assert opened == ["train", "validation"]
