"""The section on fairness: every group with its rates, the gaps, and before and after, in both languages."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

from report_runs import HOSTILE, RunMaker, prepared, trained
from test_report import check_sound, page_of

from modelwright.app.report.fairness import NAMES, view_fairness
from modelwright.app.report.fairness_words import FAIRNESS

RATES = ("selection_rate", "tpr", "fpr", "ppv", "accuracy")


def number(value: float | None, reason: str = "") -> dict[str, Any]:
    span = {} if value is None else {"low": max(0.0, value - 0.05), "high": min(1.0, value + 0.05)}
    return {"value": value, "low": None, "high": None, **span, "n": 120, "reason": reason}


def gaps(parity: float, odds: float) -> dict[str, Any]:
    return {
        "demographic_parity_difference": number(parity),
        "equalised_odds_difference": number(odds),
        "equal_opportunity_difference": number(odds / 2),
    }


def audit() -> dict[str, Any]:
    """Return what the stage keeps, with hostile names."""
    small = "3 rows, fewer than 30: too few to judge"
    groups = [
        {"name": "sex=man", "rows": 300, "reason": "", "rates": {name: number(0.3) for name in RATES}},
        {"name": f"sex={HOSTILE}", "rows": 200, "reason": "", "rates": {name: number(0.4567) for name in RATES}},
        {"name": "sex=other", "rows": 3, "reason": small, "rates": {name: number(0.9191, small) for name in RATES}},
    ]
    groups[0]["rates"]["tpr"] = number(None, "no row of this group is truly favourable")
    compared = {"name": "sex", "groups": groups, "left_out": ["sex=other"], "reason": "", "gaps": gaps(0.1567, 0.1234)}
    alone = {"name": "race", "groups": groups[:1], "left_out": [], "reason": "nobody to compare with", "gaps": {}}
    return {
        "positive": [HOSTILE],
        "least": 30,
        "confidence": 0.95,
        "constraint": "demographic_parity",
        "comparisons": [compared, alone],
        "mitigations": [
            {"name": "as it is", "accuracy": 0.8512, "gaps": gaps(0.1567, 0.1234), "groups": groups},
            {
                "name": "thresholds",
                "accuracy": 0.8321,
                "gaps": gaps(0.0123, 0.0456),
                "groups": groups,
                "thresholds": {"sex=man": 0.6123, f"sex={HOSTILE}": 0.3},
            },
            {"name": "reweighing", "reason": "it was not tried"},
        ],
    }


def test_groups_gaps_and_mitigations_stand_on_the_page(tmp_path: Path) -> None:
    made = RunMaker(tmp_path / "run")
    prepared(made)
    trained(made)
    made.stage("audit", {"audit": {"summary.json": {"fairness": audit()}}}, [])
    html = page_of(made.run)
    outline = check_sound(html)
    for text in (
        "Fairness", "公平性", "sex=man", "0.4567", "no row of this group is truly favourable", "too few to judge",
        "Too small to compare", "Demographic parity difference", "0.1567", "0.1067 – 0.2067", "nobody to compare with",
        "as it is", "现状", "0.8321", "0.0123", "sex=man 0.612", "it was not tried", "Before and after", "前后对照",
    ):  # fmt: skip
        assert text in outline.text, text
    # A rate of three people is not shown as one.
    assert "0.9191" not in outline.text
    assert "<script>alert" not in html
    assert 'id="fairness-trade-off"' in html


def test_without_groups_there_is_no_section(tmp_path: Path) -> None:
    assert view_fairness({}) is None
    made = RunMaker(tmp_path / "run")
    prepared(made)
    made.stage("audit", {"audit": {"summary.json": {"fairness": {}}}}, [])
    assert 'id="fairness"' not in page_of(made.run)


def test_one_point_is_no_trade_off() -> None:
    found = view_fairness({**audit(), "mitigations": audit()["mitigations"][:1]})
    assert found is not None
    assert not found.drawing
    assert view_fairness({**audit(), "mitigations": []}).mitigations == ()


def test_every_sentence_is_translated_with_all_its_numbers() -> None:
    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for english, chinese in FAIRNESS.items():
        assert fields(english) == fields(chinese), english
    assert set(NAMES.values()) <= set(FAIRNESS)
