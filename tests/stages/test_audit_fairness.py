"""The stage `audit`: fairness, on a table whose groups are known."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelwright.core.errors import DataError, Interrupted, RecipeError
from modelwright.core.evidence import Evidence
from modelwright.core.execute import go_on, run
from modelwright.core.recipe import recipe_from
from modelwright.core.run import Run
from modelwright.core.stage import Answer, OnProgress, Progress
from modelwright.methods.fairness.outcomes import DISPARITIES, RATES

ROWS = 1500
RECIPE: dict[str, Any] = {
    "version": 1,
    "name": "table",
    "seed": 1,
    "task": {"kind": "tabular", "ignore": ["sex", "age", "origin"]},
    "data": {"kind": "csv", "path": "table.csv"},
    "model": {"kind": "mlp", "hidden": [8]},
    "prepare": {"split": {"test": 0.4, "validation": 0.3}, "overlap": "keep"},
    "train": {"length": "8 epochs", "batch": 32, "threads": 1, "optimiser": {"kind": "adam", "lr": 0.02}},
    "evaluate": {"resamples": 100, "floor": "none"},
    "audit": {"privacy": {"membership": False}, "fairness": {"columns": ["sex"], "resamples": 200}},
}
Audit = Callable[..., Run]


def write_table(path: Path, *, flipped: bool = False, few: int = 0) -> None:
    """Write people of whom men are called good more often; `flipped`: the labels of all women are turned round.

    `few` of them are of a third sex, all of them called bad.
    """
    generator = np.random.default_rng(7)
    lines = ["merit,luck,age,sex,origin,label"]
    for row in range(ROWS):
        woman = row % 3 == 0
        merit, luck = generator.normal(size=2)
        good = merit + 0.5 * generator.normal() > (0.8 if woman else -0.4)
        good = good != (flipped and woman)
        sex = "other" if row < few else "woman" if woman else "man"
        label = "good" if good and row >= few else "bad"
        age, origin = 18 + row * 7 % 60, "here" if row % 2 else "there"
        # What a model may learn tells the sexes apart, as it does in life.
        lines.append(f"{merit:.4f},{luck - 4 * woman:.4f},{age},{sex},{origin},{label}")
    path.write_text("\n".join(lines) + "\n")


def audit_in(folder: Path, until: str | None = "audit", on_progress: OnProgress = go_on, **edits: Any) -> Run:
    """Run the recipe beside the table in a folder, with keys of audit.fairness or dotted ones ('train__batch') changed."""
    if not (folder / "table.csv").exists():
        write_table(folder / "table.csv")
    dotted = {key.replace("__", ".") if "__" in key else f"audit.fairness.{key}": value for key, value in edits.items()}
    if until is None:
        dotted.update({f"release.{name}": "Ada L" for name in ("owner", "purpose", "approver")})
    recipe = recipe_from(copy.deepcopy(RECIPE), folder)
    return run(recipe.edited(dotted) if dotted else recipe, until, on_progress, folder=folder / "run")


def found_in(made: Run) -> tuple[dict[str, Evidence], dict[str, Any]]:
    """Return the claims by name, and what the report is made from."""
    summary: dict[str, Any] = json.loads((made.artifact("audit").path / "summary.json").read_text())["fairness"]
    return {item.name: item for item in made.evidence()}, summary


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose run is shared: what one test trains, the next takes as made."""
    return tmp_path_factory.mktemp("fair")


@pytest.fixture
def audited(shared: Path) -> Run:
    """The table, audited by sex."""
    return audit_in(shared)


def test_every_rate_of_every_group_is_claimed_with_an_interval(audited: Run) -> None:
    claims, summary = found_in(audited)
    for group in ("sex=man", "sex=woman"):
        for rate in RATES:
            item = claims[f"fairness[{group}][{rate}]"]
            assert item.low <= item.value <= item.high
            assert item.about["model"] == audited.artifact("model").digest
    for gap in DISPARITIES:
        item = claims[f"fairness[sex][{gap}]"]
        assert (item.status, item.confidence) == ("measured", 0.95)
        assert item.low <= item.value <= item.high
    (compared,) = summary["comparisons"]
    assert [group["name"] for group in compared["groups"]] == ["sex=man", "sex=woman"]
    assert sum(group["rows"] for group in compared["groups"]) == claims["rows[test]"].value


def test_the_numbers_are_those_of_the_kept_answers(audited: Run, shared: Path) -> None:
    """Counted anew from the answers and from the column as it stands in the file."""
    claims, _ = found_in(audited)
    predictions = audited.artifact("predictions").path
    answers, targets = (np.load(predictions / f"{name}.npy") for name in ("answers", "targets"))
    groups = np.load(audited.artifact("groups").path / "test-0.npy")
    chosen = answers.argmax(axis=1)
    assert json.loads((audited.artifact("groups").path / "groups.json").read_text()) == {"sex": ["man", "woman"]}
    for code, group in enumerate(("man", "woman")):
        inside = groups == code
        assert claims[f"fairness[sex={group}][selection_rate]"].value == (chosen[inside] == 1).mean()
        assert claims[f"fairness[sex={group}][tpr]"].value == (chosen[inside & (targets == 1)] == 1).mean()
        assert claims[f"fairness[sex={group}][ppv]"].value == (targets[inside & (chosen == 1)] == 1).mean()
    women = sum(",woman," in line for line in (shared / "table.csv").read_text().splitlines())
    kept = sum(
        int((np.load(audited.artifact("groups").path / f"{part}-0.npy") == 1).sum())
        for part in ("train", "validation", "test")
    )
    assert kept == women


def test_what_is_declared_need_not_be_a_feature_and_trains_no_model_anew(audited: Run, shared: Path) -> None:
    columns = json.loads((audited.artifact("dataset").path / "preprocessing.json").read_text())["columns"]
    assert [column["name"] for column in columns] == ["merit", "luck"]
    before = {kind: audited.artifact(kind).digest for kind in ("model", "groups")}
    more = audit_in(shared, columns=["sex", "origin"])
    assert more.artifact("model").digest == before["model"]
    assert more.artifact("groups").digest != before["groups"]


def test_intersections_and_bins(shared: Path) -> None:
    edits = {"columns": ["sex", "age"], "bins": {"age": [30, 50]}, "least": 10}
    claims, summary = found_in(audit_in(shared, **edits))
    assert [one["name"] for one in summary["comparisons"]] == ["sex", "age", "sex*age"]
    assert "fairness[sex=woman,age=30 to 50][tpr]" in claims
    assert claims["fairness[age=< 30][accuracy]"].n + claims["fairness[age=30 to 50][accuracy]"].n + claims[
        "fairness[age=>= 50][accuracy]"
    ].n == int(claims["rows[test]"].value)
    _, fewer = found_in(audit_in(shared, **edits, intersections=False))
    assert [one["name"] for one in fewer["comparisons"]] == ["sex", "age"]
    with pytest.raises(DataError, match=r"the column 'age' holds more than 20 distinct numbers"):
        audit_in(shared, columns=["age"])
    with pytest.raises(DataError, match=r"the column 'sex' holds words, such as 'man'"):
        audit_in(shared, bins={"sex": [1]})


def test_without_columns_nothing_is_said(shared: Path) -> None:
    claims, summary = found_in(audit_in(shared, columns=[]))
    assert summary == {}
    assert not any(name.startswith("fairness") for name in claims)


def test_the_keys_of_fairness(audited: Run, shared: Path) -> None:
    """Each of the smaller keys changes what is claimed, in the way that its description says."""
    claims, summary = found_in(audited)
    width = lambda item: item.high - item.low
    name = "fairness[sex][demographic_parity_difference]"
    assert width(found_in(audit_in(shared, confidence=0.5))[0][name]) < width(claims[name])
    assert "300 resamples" in found_in(audit_in(shared, resamples=300))[0]["fairness[sex=man][tpr]"].method
    large = found_in(audit_in(shared, least=1000))[0]
    assert large[name].status == large["fairness[sex=woman][tpr]"].status == "not_applicable"
    assert "rows, fewer than 1000: too few to judge" in large["fairness[sex=woman][tpr]"].reason
    # The first class in the order of the alphabet is 'bad': the second is taken where nothing is said.
    assert summary["positive"] == ["good"]
    turned = found_in(audit_in(shared, positive=["bad"]))
    assert turned[1]["positive"] == ["bad"]
    assert turned[0]["fairness[sex=man][selection_rate]"].value == pytest.approx(
        1 - claims["fairness[sex=man][selection_rate]"].value
    )


@pytest.mark.parametrize(
    ("positive", "words"), [(["best"], "'best' is not a class"), (["good", "bad"], "there are 2 classes, and 2 count")]
)
def test_classes_that_cannot_be_the_good_ones(shared: Path, positive: list[str], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        audit_in(shared, positive=positive)


def test_mitigations_stand_beside_the_model_as_it_is(shared: Path) -> None:
    tried = ["thresholds", "reweighing", "group_robust"]
    claims, summary = found_in(audit_in(shared, mitigations=tried, constraint="demographic_parity"))
    table = {row["name"]: row for row in summary["mitigations"]}
    assert list(table) == ["as it is", *tried]
    gap = "demographic_parity_difference"
    before = table["as it is"]["gaps"][gap]["value"]
    assert before == claims[f"fairness[sex][{gap}]"].value
    for name in tried:
        assert table[name]["gaps"][gap]["value"] == claims[f"mitigated[{name}][sex][{gap}]"].value
    # The validation part chose them, and the gap there is within what was allowed.
    assert table["thresholds"]["validation_gap"] <= 0.02
    assert table["thresholds"]["gaps"][gap]["value"] < before / 2
    assert table["reweighing"]["gaps"][gap]["value"] < before


def test_constraint_and_tolerance_move_the_thresholds(shared: Path) -> None:
    def thresholds(**edits: Any) -> dict[str, Any]:
        found: dict[str, Any] = found_in(audit_in(shared, mitigations=["thresholds"], **edits))[1]["mitigations"][1]
        return found

    parity = thresholds(constraint="demographic_parity")
    odds = thresholds(constraint="equalised_odds")
    assert parity["thresholds"] != odds["thresholds"]
    assert parity["validation_gap"] <= 0.02
    loose = thresholds(constraint="demographic_parity", tolerance=1.0)
    assert loose["validation_gap"] > 0.2
    assert loose["validation_accuracy"] > parity["validation_accuracy"]


def test_thresholds_need_two_groups_that_are_large_enough(shared: Path) -> None:
    claims, summary = found_in(audit_in(shared, mitigations=["thresholds"], least=200))
    assert summary["mitigations"][1] == {
        "name": "thresholds",
        "reason": "fewer than two groups of the validation part have 200 rows",
    }
    assert claims["mitigated[thresholds][sex][equalised_odds_difference]"].status == "not_applicable"


REFUSED: dict[str, Any] = {
    "fitted at once": {"model": {"kind": "boosting"}},
    "micro_batch": {"train.micro_batch": 8},
    "dp_sgd": {"train.privacy": {"kind": "dp_sgd"}, "train.guard": {"then": "stop", "spike": 0.0}},
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_mitigation_that_cannot_be_trained_is_refused_before_data_is_touched(what: str, tmp_path: Path) -> None:
    recipe = recipe_from(copy.deepcopy(RECIPE), tmp_path)
    with pytest.raises(RecipeError, match=what) as caught:
        recipe.edited({**REFUSED[what], "audit.fairness.mitigations": ["group_robust"]})
    assert "'group_robust'" in caught.value.problems[0].found
    assert "thresholds" in caught.value.problems[0].expected
    recipe.edited({**REFUSED[what], "audit.fairness.mitigations": ["thresholds"]})


def test_the_floor_of_a_recipe_that_weighs_groups_weighs_none(tmp_path: Path) -> None:
    """The simple model beside it is fitted at once and knows no objective; it is there to be compared all the same."""
    made = audit_in(
        tmp_path,
        "evaluate",
        mitigations=["reweighing"],
        train__objective={"kind": "reweighing", "column": "sex"},
        evaluate__floor="auto",
        train__length="1 epochs",
    )
    assert "gain_over_floor" in {item.name for item in made.evidence()}


def test_a_stopped_training_that_follows_groups_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    """The weights of the groups are in the checkpoint."""
    objective = {"kind": "group_robust", "column": "sex", "step": 0.5}
    edits = {"train__objective": objective, "train__save": {"every": "3 steps"}}
    whole = audit_in(tmp_path, "train", **edits).artifact("model").digest
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "table.csv").write_bytes((tmp_path / "table.csv").read_bytes())

    def stop(progress: Progress) -> Answer:
        return "interrupt" if (progress.stage, progress.step) == ("train", 20) else "go"

    with pytest.raises(Interrupted):
        audit_in(tmp_path / "again", "train", stop, **edits)
    assert audit_in(tmp_path / "again", "train", **edits).artifact("model").digest == whole
    plain = audit_in(tmp_path, "train", train__save={"every": "3 steps"}).artifact("model").digest
    assert plain != whole
