"""Nobody signs for a model without names: owner, purpose and approver, and who overrides a gate, and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwright.core.errors import GateFailed, RecipeError
from modelwright.core.journal import read_journal
from modelwright.core.recipe import load_recipe
from modelwright.core.run import Run

Tiny = Callable[..., Run]
GATE = "accuracy.value >= 2"


def release(made: Run) -> Path:
    artifact = made.artifact("release")
    assert artifact is not None
    return artifact.path


@pytest.mark.parametrize("field", ["owner", "purpose", "approver"])
@pytest.mark.parametrize("said", ["", "  ", "TODO", "-", "待定"])
def test_a_release_without_a_name_is_refused_before_anything_runs(
    tiny: Tiny, tmp_path: Path, field: str, said: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        tiny(**{f"release__{field}": said})
    (problem,) = caught.value.problems
    assert problem.where.endswith(f"release.{field}")
    assert problem.found
    assert problem.expected
    assert f"release.{field}" in problem.next_step
    assert not (tmp_path / "run").exists()


def test_all_that_is_missing_is_said_at_once_with_its_line_and_only_the_release_needs_it(tmp_path: Path) -> None:
    from modelwright.app import api

    path = tmp_path / "tiny.yaml"
    path.write_text(
        "version: 1\nname: tiny\ntask: image\ndata: {kind: sample, name: digits}\nmodel: linear\n"
        'prepare: {limit: 64}\ntrain: {length: 1 steps}\nrelease:\n  owner: ""\n  purpose: what for\n'
    )
    with pytest.raises(RecipeError) as caught:
        api.run(path, runs=tmp_path / "runs")
    places = [problem.where for problem in caught.value.problems]
    assert places == [f"{path}:9: release.owner", f"{path}:8: release.approver"]
    assert api.train(path, runs=tmp_path / "runs").artifact("model") is not None


def test_the_recipe_that_init_writes_says_what_to_fill_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from modelwright.app.cli import main

    path = tmp_path / "recipe.yaml"
    assert main(["init", "--sample", "iris", "--out", str(path)]) == 0
    text = path.read_text()
    assert text.count("FILL IN") == 3
    capsys.readouterr()
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out.count("still to be filled in") == 3
    assert main(["run", str(path), "--runs", str(tmp_path / "runs")]) == 2
    filled = (
        text.replace('owner: ""', "owner: Ada")
        .replace('purpose: ""', "purpose: tells flowers")
        .replace('approver: ""', "approver: G")
    )
    assert "G" in filled
    path.write_text(filled.replace("approver: G", "approver: Grace"))
    load_recipe(path)
    capsys.readouterr()
    assert main(["check", str(path)]) == 0
    assert "still to be filled in" not in capsys.readouterr().out


def test_a_smoke_test_needs_nobody(tmp_path: Path) -> None:
    from modelwright.app.cli import main

    path = tmp_path / "recipe.yaml"
    assert main(["init", "--sample", "iris", "--out", str(path)]) == 0
    assert main(["run", str(path), "--smoke", "--runs", str(tmp_path / "runs")]) == 0
    card = (tmp_path / "runs" / "iris-smoke" / "release" / "README.md").read_text()
    assert "Owner: a smoke test" in card


def test_an_override_needs_a_name_and_a_reason_and_is_logged(tiny: Tiny) -> None:
    gates = ["accuracy.value >= 0", GATE, "epsilon.value <= 1"]
    override = {"gate": GATE, "by": "Ada L", "reason": "the field trial is over on Friday"}
    with pytest.raises(GateFailed) as caught:
        tiny(release__gates=gates, release__overrides=[override])
    (problem,) = caught.value.problems
    assert "epsilon" in problem.found
    assert "release.overrides" in problem.next_step
    second = {"gate": "epsilon.value  <=  1", "by": "Grace H", "reason": "no personal data"}
    made = tiny(release__gates=gates, release__overrides=[override, second])
    verdicts = json.loads((release(made) / "gates.json").read_text())["verdicts"]
    assert [verdict["passed"] for verdict in verdicts] == [True, False, False]
    assert [verdict.get("override", {}).get("by") for verdict in verdicts] == [None, "Ada L", "Grace H"]
    logged = [item.data for item in read_journal(release(made) / "journal.jsonl") if item.event == "gate overridden"]
    assert logged[-2:] == [
        {"gate": GATE, "found": logged[-2]["found"], "by": "Ada L", "reason": override["reason"]},
        {
            "gate": "epsilon.value <= 1",
            "found": "there is no evidence called 'epsilon' about this model",
            "by": "Grace H",
            "reason": "no personal data",
        },
    ]
    card = (release(made) / "README.md").read_text()
    assert "Overridden by Ada L**: the field trial is over on Friday" in card
    counted = next(item for item in made.evidence() if item.name == "overridden_gates")
    assert (counted.value, counted.n) == (2, 3)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ({"gate": GATE, "by": "", "reason": "because"}, "release.overrides.0.by"),
        ({"gate": GATE, "by": " - ", "reason": "because"}, "release.overrides.0.by"),
        ({"gate": GATE, "by": "Ada", "reason": " "}, "release.overrides.0.reason"),
        ({"gate": GATE, "by": "Ada"}, "release.overrides.0.reason"),
        ({"gate": "size.value <= 1 MiB", "by": "Ada", "reason": "because"}, "an override of 'size.value <= 1 MiB'"),
    ],
)
def test_an_override_by_nobody_or_of_nothing_is_no_recipe(tiny: Tiny, override: dict[str, Any], expected: str) -> None:
    with pytest.raises(RecipeError, match=expected):
        tiny(release__gates=[GATE], release__overrides=[override])


def test_an_override_of_a_gate_that_holds_does_nothing(tiny: Tiny) -> None:
    override = {"gate": "accuracy.value >= 0", "by": "Ada", "reason": "just in case"}
    made = tiny(release__gates=["accuracy.value >= 0"], release__overrides=[override])
    (verdict,) = json.loads((release(made) / "gates.json").read_text())["verdicts"]
    assert "override" not in verdict
    assert next(item for item in made.evidence() if item.name == "overridden_gates").value == 0


def test_the_papers_say_what_the_model_learnt_from_and_what_it_cost(base: Run) -> None:
    card, sheet = ((release(base) / name).read_text() for name in ("README.md", "DATASHEET.md"))
    assert "Owner: Ada" in card
    assert "Released by: Grace" in card
    assert "- energy: " in card
    assert "emissions:" in card.split("---")[1]
    stated = json.loads((release(base) / "datasheet.json").read_text())
    assert all(f"| {part} | {rows} |" in sheet for part, rows in stated["rows"].items())
    assert base.artifact("dataset").digest in sheet
