"""The section on privacy: claim against measurement, in both languages, and never an epsilon without its delta."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any

import pytest
from report_runs import HOSTILE, RunMaker, prepared
from test_report import check_sound, page_of

from modelwright.app.report.privacy import Privacy, view_privacy
from modelwright.app.report.privacy_words import PRIVACY
from modelwright.core.evidence import Evidence

SPENT: dict[str, Any] = {
    "kind": "dp_sgd", "epsilon": 1.2344, "epsilon_begun": 1.2344, "epsilon_checked": 1.2299, "delta": 1e-5, "noise": 1.5,
    "rate": 0.0128, "clip": 1.0, "steps": 780, "begun": 780, "versions": {"opacus": "1.6.0", "dp-accounting": "0.6.0"},
}  # fmt: skip
AUDIT: dict[str, Any] = {
    "claimed": SPENT,
    "checks": [
        {"name": "noise scale", "passed": True, "found": "1.0012 of what is claimed", "expected": "1 +- 0.0300"},
        {"name": HOSTILE, "passed": True, "found": "fine", "expected": "fine"},
    ],
    "canaries": {
        "lower_bound": 0.2468, "confidence": 0.95, "canaries": 1000, "guesses": 100, "right": 64, "claimed": 1.2344,
    },
    "membership": {
        "rate": 0.0021, "low": 0.0012, "high": 0.0037, "allowed": 5, "others": 5000, "shadows": 0, "confidence": 0.95,
    },
}  # fmt: skip


def text_of(found: Privacy | None) -> str:
    assert found is not None
    return "\n".join(str(line.sentence) for line in (*found.claimed, *found.measured))


def test_claim_and_measurement_stand_on_the_page(tmp_path: Path) -> None:
    made = RunMaker(tmp_path / "run")
    prepared(made)
    made.stage("train", {"model": {"training.json": {"privacy": SPENT}}}, [Evidence("steps", 780, unit="steps")])
    made.stage("audit", {"audit": {"summary.json": {"privacy": AUDIT}}}, [])
    html = page_of(made.run)
    outline = check_sound(html)
    for text in (
        "(1.234, 1.000 × 10⁻⁵)-differentially private", "at most 3.436 times as probable", "finds epsilon 1.230",
        "780 steps, sampling rate 0.01280", "2 of 2 direct tests", "epsilon is at least 0.2468", "and 1.234 is claimed",
        "The claim stands.", "声明成立。", "wrong about 5 of 5", "差分隐私", "noise scale", "the validation part",
    ):  # fmt: skip
        assert text in outline.text, text
    assert "<script>alert" not in html


def test_where_epsilon_stands_delta_stands_too() -> None:
    again = {**SPENT, "begun": 800, "epsilon_begun": 1.3}
    for shown in (view_privacy({"privacy": SPENT}, AUDIT), view_privacy({"privacy": again}, AUDIT)):
        for line in text_of(shown).splitlines():
            for english, chinese in re.findall(r'lang="en">(.*?)</span>.*?lang="zh-CN">(.*?)</span>', line):
                for sentence in (english, chinese):
                    if re.search(r"epsilon|differentially|差分隐私", sentence):
                        assert "10⁻⁵" in sentence, sentence


def test_a_refuted_claim_and_a_failed_test_are_bad_news() -> None:
    wrong = {
        "canaries": {**AUDIT["canaries"], "lower_bound": 3.1},
        "checks": [{"name": "clipping", "passed": False, "found": "1", "expected": "8"}],
    }
    found = view_privacy({"privacy": SPENT}, wrong)
    assert found is not None
    assert [line.style for line in found.measured] == ["severe", "severe"]
    assert "The claim is refuted." in text_of(found)
    assert "0 of 1 direct tests" in text_of(found)
    assert found.checks == ((False, "clipping", "1", "8"),)


@pytest.mark.parametrize("shadows", [0, 4])
def test_an_ordinary_training_is_called_one(shadows: int) -> None:
    assert view_privacy({}, {}) is None
    found = view_privacy({}, {"membership": {**AUDIT["membership"], "shadows": shadows}})
    assert "was not private" in text_of(found)
    assert ("4 shadow models" in text_of(found)) == bool(shadows)


def test_what_is_proved_is_drawn_beside_what_is_claimed() -> None:
    found = view_privacy({"privacy": SPENT}, AUDIT)
    assert found is not None
    bound, members = found.pictures
    # On an axis from 0 to 1.25: proved 0.2468, claimed 1.2344.
    assert 'x1="19.74%"' in bound.drawing
    assert 'cx="98.75%"' in bound.drawing
    assert "10⁻⁵" in bound.caption
    assert "0.1000 %" in members.caption
    assert members.drawing.count("<circle") == 2, "the rate, and what chance finds"
    assert view_privacy({"privacy": SPENT}, {}).pictures == ()


def test_every_sentence_is_translated_with_all_its_numbers() -> None:
    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for english, chinese in PRIVACY.items():
        assert fields(english) == fields(chinese), english
    for spent, audit in ((SPENT, AUDIT), ({**SPENT, "begun": 800}, {}), ({}, AUDIT)):
        found = view_privacy({"privacy": spent}, audit)
        assert found is not None
        for line in (*found.claimed, *found.measured):
            assert "zh-CN" in str(line.sentence), line.sentence
