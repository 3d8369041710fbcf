"""The section on explanations: what each method says of each answer, whether it passed, and hostile text as text."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any

from report_runs import CLASSES, HOSTILE, PIXEL, RunMaker, prepared
from test_report import check_sound, page_of

from modelwright.app.report.explained import view_samples
from modelwright.app.report.explaining import CHECKS, view_explaining
from modelwright.app.report.explaining_words import EXPLAINING, METHODS, NOTES
from modelwright.app.report.imitating import view_surrogates
from modelwright.core import registry

AGREEMENT = {"value": 0.75, "low": 0.5, "high": 0.875, "in_layer": 0.95}
PLACES = [[0.0, 1.0], [2.0, -1.0], [1.0, 0.0], [0.5, 0.5]]


def check(name: str, passed: bool, **more: Any) -> dict[str, Any]:
    status = {"status": "measured"} if passed else {"status": "failed", "reason": HOSTILE}
    return {"name": name, "value": 0.24681, "low": 0.1, "high": 0.3, "n": 32, **status, **more}


def found(**changes: Any) -> dict[str, Any]:
    example = {"row": 1234, "why": "worst", "target": "cat", "answer": HOSTILE, "probability_of_answer": 0.87654}
    curves = {name: {"curve": [1, 0.2, 0], "random": [1, 0.6, 0]} for name in ("deletion", "insertion")}
    return {
        "classes": CLASSES,
        "projections": [
            {"kind": "tsne", "layer": HOSTILE, "places": PLACES, "classes": [0, 1, 2, 1], "trustworthiness": 0.98765,
             "agreement": AGREEMENT, "variance": 0.5}
        ],
        "examples": [
            {**example, "image": "example-00.png", "parts": [], "weights": {"occlusion": "veil.png", "shapley": "../x.png"}},
            {**example, "text": HOSTILE, "parts": ["good", HOSTILE, "day"], "weights": {"shapley": [0.5, -0.25, 0.001]}},
            {**example, "fields": {"age": 7, HOSTILE: None}, "parts": ["age", HOSTILE], "weights": {"occlusion": [-0.1, 0.4]}},
        ],
        "checked": 32,
        "attributions": [
            {"kind": "occlusion", "facts": {}, "curves": curves, "checks": [
                check("attribution_deletion[occlusion]", True),
                check("attribution_randomisation[occlusion]", False),
            ]},
            {"kind": "permutation", "whole": True, "curves": curves, "checks": [],
             "facts": {"columns": ["age", HOSTILE], "mean": [-0.01, 0.2], "deviation": [0.001, 0.002]}},
        ],
        "surrogates": [
            {"whom": "", "kind": "tree", "n": 200, "floor": 0.4, "variants": {
                "": {"fidelity": 0.91, "low": 0.88, "high": 0.94, "size": 3, "rules": [
                    {"depth": 1, "question": HOSTILE, "rows": 50},
                    {"depth": 2, "question": "age <= 7", "rows": 30, "answer": "cat", "share": 0.75},
                ]},
                "before pruning": {"fidelity": 0.93, "low": 0.9, "high": 0.95, "size": 30, "rules": []},
            }},
            {"whom": "before compress", "kind": "linear", "n": 200, "floor": 0.4, "variants": {
                "": {"fidelity": 0.8, "low": 0.7, "high": 0.9, "size": 12, "weights": {}}}},
        ],
        **changes,
    }  # fmt: skip


def test_the_page_shows_it_all_and_no_markup_of_others(tmp_path: Path) -> None:
    made = RunMaker(tmp_path / "run")
    prepared(made)
    made.stage("explain", {"explanation": {"summary.json": found(), "example-00.png": PIXEL, "veil.png": PIXEL}}, [])
    html = page_of(made.run)
    outline = check_sound(html)
    for text in (
        "validation row 1 234", "0.2468", "passes", "fails", "75 %", "age <= 7",
        "30 examples", "before pruning", "The model before compress", "代理模型", "合理性检验", "0.2000 ± 0.002000",
    ):  # fmt: skip
        assert text in " ".join(outline.text.split()), text
    assert html.count("data:image/png") == 2, "a picture that lies elsewhere is not shown"
    assert "<script>alert" not in html


def test_what_weighs_for_and_against_is_told_apart_and_ranked() -> None:
    _, text, table = view_samples(found()["examples"], Path("nowhere"))
    assert [(mark.side, mark.strength) for mark in text.reasons[0].tokens] == [
        ("for", 1),
        ("against", 0.5),
        ("", 0.002),
    ]
    assert [(mark.text, mark.value, mark.side) for mark in table.reasons[0].fields] == [
        (HOSTILE, "–", "for"),
        ("age", "7", "against"),
    ]


def test_attention_takes_no_side_and_is_shown_from_its_least() -> None:
    rolled = {**found()["examples"][1], "weights": {"attention_rollout": [0.3, 0.5, 0.2]}}
    (sample,) = view_samples([rolled], Path("nowhere"))
    assert [mark.side for mark in sample.reasons[0].tokens] == ["mixed", "mixed", ""]
    assert sample.reasons[0].tokens[0].strength == 0.333


def test_what_failed_says_so_and_worth_below_nothing_has_no_bar() -> None:
    view = view_explaining(found(), Path("nowhere"))
    assert view is not None
    assert [item.passed for item in view.methods[0].checks] == [True, False]
    assert view.methods[0].checks[1].reason == HOSTILE
    assert [name for name, _, _ in view.methods[1].columns] == [HOSTILE, "age"]
    widths = [
        re.findall(r'width="([\d.]+)%"[^>]*class="fill"', str(drawing)) for _, _, drawing in view.methods[1].columns
    ]
    assert float(widths[0][0]) > 50
    assert float(widths[1][0]) == 0
    # One path of dots for each class that occurs.
    assert re.findall(r"hue-(\d)", str(view.projections[0].drawing)) == ["0", "1", "2"]
    assert str(view.projections[0].drawing).count("h0") == len(PLACES)


def test_a_line_shows_its_weights_by_class_and_sign() -> None:
    weights = {"cat": [{"feature": HOSTILE, "weight": -1.5}, {"feature": "age", "weight": 0.25}]}
    found_line = {"fidelity": 0.8, "low": 0.7, "high": 0.9, "size": 12, "weights": weights}
    (line,) = view_surrogates([{"whom": "", "kind": "linear", "n": 20, "floor": 0.5, "variants": {"": found_line}}])
    assert line.weights == (("cat", ((HOSTILE, "-1.500", False), ("age", "0.2500", True))),)
    assert [row[3] for row in line.rows] == ["12"]


def test_no_explanation_no_section_and_few_things_few_parts() -> None:
    assert view_explaining({}, Path("nowhere")) is None
    bare = view_explaining({"classes": CLASSES, "projections": [], "examples": [], "attributions": []}, Path("nowhere"))
    assert bare is not None
    assert (bare.projections, bare.legend, bare.methods, bare.samples, bare.surrogates) == ((),) * 5
    (alone,) = view_surrogates([{"whom": "", "kind": "tree", "reason": "one answer"}])
    assert (alone.reason, alone.rows) == ("one answer", ())


def test_every_method_has_its_words_in_both_languages() -> None:
    for name in [*registry.names("attribution"), *registry.names("projection")]:
        assert METHODS[name] in EXPLAINING, name
    for name in registry.names("attribution"):
        assert NOTES[name] in EXPLAINING, name
    assert set(CHECKS.values()) <= set(EXPLAINING)
    for english, chinese in EXPLAINING.items():
        fields = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (english, chinese)]
        assert fields[0] == fields[1], english
