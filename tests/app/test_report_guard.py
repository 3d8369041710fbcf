"""Costs, security, layers, approver and overrides on the report, in both languages, and nothing of a stranger's text as markup."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path

import pytest
from report_runs import HOSTILE, RunMaker, prepared
from test_report import check_sound, page_of
from tiny import ANSWERS, Cli, Finished

from modelwright.app.report.guard_words import GUARD
from modelwright.core.evidence import Evidence


def test_a_real_run_says_what_it_has_cost_and_that_it_was_scanned(finished: Finished) -> None:
    html = (finished.run / "report.html").read_text()
    outline = check_sound(html)
    for text in (
        "Costs", "代价", "Estimated, not measured", "估计值", "of each example seen in training", "W a busy core",
        "Before the release was signed", "签名之前", "without an audit", "未经审计", "Approver", "Grace",
        "Trace of the training", "update ratio", "更新比",
    ):  # fmt: skip
        assert text in outline.text, text


def test_an_audited_run_shows_formats_and_age(cli: Cli, recipe: Callable[..., Path], tmp_path: Path) -> None:
    gate = "accuracy.value >= 2"
    override = {"gate": gate, "by": "Ada <b>L</b>", "reason": "<script>alert(1)</script> trial"}
    path = recipe(
        audit={"privacy": {"checks": False, "membership": False}},
        release={**ANSWERS, "gates": [gate, "accuracy.value >= 0"], "overrides": [override]},
    )
    assert cli("run", path, "--runs", tmp_path / "runs").code == 0
    html = (tmp_path / "runs" / "tiny" / "report.html").read_text()
    outline = check_sound(html)
    for text in ("The audit looked at", "0 of them may not be opened", "safetensors", "old when the release was made"):
        assert text in outline.text, text
    assert "overridden by Ada <b>L</b>" in outline.text
    assert "1 of 2 gates hold, 1 overridden by a named person; signed." in outline.text
    assert "<script>alert" not in html


def test_sums_and_shares_of_made_up_stages(tmp_path: Path) -> None:
    made = RunMaker(tmp_path / "run")
    prepared(made)
    costs = [
        Evidence("cpu_seconds[train]", 30.0, unit="seconds"),
        Evidence(
            "energy[train]", 7200.0, unit="joules", low=3600.0, high=14_400.0, method="RAPL counters", status="measured"
        ),
        Evidence("carbon[train]", 1.0, unit="gCO2e", low=0.5, high=2.0, method="m", source=HOSTILE, status="estimated"),
    ]
    made.stage("train", {"model": {"training.json": {}}}, costs)
    made.stage("audit", {"audit": {"summary.json": {"security": {"refused": {HOSTILE: "a pickle"}, "formats": {}}}}}, [
        Evidence("security_scan", 1, unit="files", n=9),
    ])  # fmt: skip
    html = page_of(made.run)
    outline = check_sound(html)
    for text in (
        "2 Wh",
        "1 Wh – 4 Wh",
        "Measured by counters",
        "1 of them may not be opened",
        "a pickle",
        "Refused",
        "被拒绝",
    ):
        assert text in outline.text, text
    assert "<script>alert" not in html


@pytest.mark.parametrize("words", sorted(GUARD))
def test_chinese_has_the_same_places(words: str) -> None:
    places = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (words, GUARD[words])]
    assert places[0] == places[1]
