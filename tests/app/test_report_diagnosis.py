"""The section on the diagnosis: every sentence in both languages, numbers as they were measured, a picture of few cells."""

from __future__ import annotations

import ast
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from report_runs import HOSTILE, RunMaker, prepared
from test_report import check_sound, page_of

from modelwright.app.report.bilingual import CHINESE
from modelwright.app.report.diagnosis import LAYERS, LOOKS, view_diagnosis
from modelwright.core.evidence import Evidence


def interval(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01, "confidence": 0.95, "resamples": 1000}


def finding(**changes: Any) -> dict[str, Any]:
    words = (
        "{share} of the ReLU units answer zero to every example looked at and learn nothing any more; the worst layer is "
        "{layer} with {share_layer}."
    )
    numbers = {"share": 0.3333, "layer": HOSTILE, "share_layer": 0.5}
    return {
        "code": "dead_units",
        "severity": "severe",
        "words": words,
        "numbers": numbers,
        "next": ["a.b=1"],
        **changes,
    }


def record(layers: int = 3, looks: int = 4, **changes: Any) -> dict[str, Any]:
    seen = {f"layers.{index}": [10.0**-index, 2.0, 0.001] for index in range(layers)}
    trace = [
        {"step": 100 * step, "turn": "model", "lr": 0.1, "loss": 1.0, "norm": 1.0, "layers": seen}
        for step in range(looks)
    ]
    fit = {
        "training": 0.12344, "validation": 0.23455, "training_accuracy": 0.98764, "validation_accuracy": 0.8765,
        "guessing": 2.3, "gap": interval(0.11111), "confidence": interval(0.05432), "n": 270, "plain": True,
    }  # fmt: skip
    return {
        "loss": [{"step": 10, "loss": 1.0}, {"step": 20, "loss": 0.5}],
        "validation": [{"step": 10, "loss": 1.0, "accuracy": 0.5}, {"step": 20, "loss": 0.7, "accuracy": 0.6}],
        "kept_step": 20,
        "trace": trace,
        "dead_units": {"layers.0": [8, 24]},
        "diagnosis": {"findings": [finding()], "fit": fit},
        **changes,
    }


def page(folder: Path, content: dict[str, Any]) -> str:
    made = RunMaker(folder)
    prepared(made)
    made.stage("train", {"model": {"training.json": content}}, [Evidence("steps", 30, unit="steps")])
    return page_of(made.run)


def test_findings_numbers_and_strips_stand_on_the_page(tmp_path: Path) -> None:
    html = page(tmp_path / "run", record())
    outline = check_sound(html)
    for text in (
        "33.3 % of the ReLU units", "50.0 %", "a.b=1", "0.1234", "0.2346", "0.1111", "0.1011 – 0.1211", "0.9876",
        "0.05432", "8 / 24 (33.3 %)", "270", "layers.2", "from 0.01000 to 1.000; steps 0 to 300", "失活的 ReLU 单元",
    ):  # fmt: skip
        assert text in outline.text, text
    assert "<script>alert" not in html
    assert html.count('class="cell"') == 12


def test_a_good_training_says_so(tmp_path: Path) -> None:
    content = record()
    content["diagnosis"]["findings"] = []
    assert "Nothing wrong was found." in check_sound(page(tmp_path / "run", content)).text


def test_a_training_without_a_diagnosis_has_no_section(tmp_path: Path) -> None:
    assert view_diagnosis({"loss": []}) is None
    content = record()
    del content["diagnosis"]
    assert 'id="diagnosis"' not in page(tmp_path / "run", content)


@pytest.mark.parametrize(
    "changes",
    [
        {"trace": []},
        {"trace": [], "dead_units": {}},
        {"diagnosis": {}},
        {"diagnosis": {"findings": [finding(severity="novel", words=HOSTILE)], "fit": {"n": "many"}}},
    ],
)
def test_what_is_missing_is_left_out(tmp_path: Path, changes: dict[str, Any]) -> None:
    check_sound(page(tmp_path / "run", record(**changes)))


def test_the_picture_stays_small_and_shows_first_and_last() -> None:
    view = view_diagnosis(record(layers=100, looks=90))
    assert view is not None
    assert len(view.strips) == LAYERS
    assert [view.strips[0].layer, view.strips[-1].layer] == ["layers.0", "layers.99"]
    assert all(len(strip.cells) == LOOKS for strip in view.strips)
    assert view.strips[0].cells[-1][1].startswith("8\u202f900")


def test_strength_grows_with_the_norm_and_is_full_where_it_was_not_finite() -> None:
    content = record(layers=4)
    content["trace"][1]["layers"] = {**content["trace"][1]["layers"], "layers.0": [None, 1.0, None]}
    content["trace"][1]["layers"]["layers.3"] = [0.0, 1.0, 0.0]
    view = view_diagnosis(json.loads(json.dumps(content)))
    assert view is not None
    first, *_, last = view.strips
    strengths = [strip.cells[0][0] for strip in view.strips]
    assert strengths == sorted(strengths, reverse=True)
    assert (first.cells[1], last.cells[1]) == ((1.0, "100: ∞"), (0.0, "100: 0"))
    assert math.isclose(strengths[0], 1.0)


def test_every_sentence_of_the_diagnosis_has_chinese(repository: Path) -> None:
    """What the methods can say is found in their source: every text that is a sentence with places in it."""
    said: set[str] = set()
    for source in sorted((repository / "src" / "modelwright" / "methods" / "diagnosis").glob("*.py")):
        tree = ast.parse(source.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            constant = node.value if isinstance(node, ast.Constant) else None
            if isinstance(constant, str) and re.search(r"\{\w+\}", constant):
                said.add(constant)
    assert len(said) > 12
    missing = [text for text in said if text not in CHINESE]
    assert not missing, missing
