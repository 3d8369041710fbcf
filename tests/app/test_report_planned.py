"""The section of the report on the plan, and the page and the lines of the plan alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelwright.app.planned import lines_of
from modelwright.app.report.bilingual import CHINESE
from modelwright.app.report.planned import frontier, render_plan, view_plan, write_plan
from modelwright.core.evidence import Evidence
from modelwright.methods.planning.log import HOLDERS

MEBIBYTE = 1 << 20


def times(value: float) -> dict[str, float]:
    return {"value": value, "low": 0.5 * value, "high": 2 * value}


def candidate(micro_batch: int, mebibytes: float, seconds: float) -> dict[str, Any]:
    return {
        "edits": {"train.micro_batch": micro_batch},
        "estimate": int(mebibytes * MEBIBYTE),
        "bound": int(mebibytes * MEBIBYTE) + 1,
        "step_seconds": times(seconds),
        "money": times(0.1),
    }


PLAN: dict[str, Any] = {
    "recipe": "<b>odd</b>",
    "estimate": 8 * MEBIBYTE,
    "bound": 9 * MEBIBYTE,
    "peaks": {"training": 8 * MEBIBYTE, "saving": 2 * MEBIBYTE, "building": 5},
    "choices": {"train.micro_batch": {"value": 8, "why": "the largest that fits"}},
    "runner_up": candidate(4, 6, 0.3),
    "unprobed": ["odd.default"],
    "step_seconds": times(0.2),
    "seconds": times(20.0),
    "joules": times(70.0),
    "grams": times(0.01),
    "money": times(0.5),
    "costliest": [{"operator": "convolution.default", "seconds": 0.1}],
    "holders": list(HOLDERS),
    "curve": [[MEBIBYTE, 0, 0, 0, MEBIBYTE, 0, 0], [MEBIBYTE, 0, 0, 0, 7 * MEBIBYTE, 0, 0]],
    "candidates": [candidate(8, 8, 0.2), candidate(4, 6, 0.3)],
}


def test_the_section_shows_planned_beside_happened_and_both_pictures() -> None:
    html = render_plan(PLAN, {"training_seconds": Evidence("training_seconds", 22.5, unit="seconds")})
    assert "22.5" in html
    assert html.count("<polygon") == 2
    assert html.count("<circle") == 2
    assert "the largest that fits" in html
    assert "<b>odd" not in html


def test_time_and_energy_that_happened_stand_beside_what_was_planned() -> None:
    happened = {
        "training_seconds": Evidence("training_seconds", 22.5, unit="seconds"),
        "steps": Evidence("steps", 100, unit="steps"),
        "energy[train]": Evidence("energy[train]", 81.5, unit="joules"),
    }
    found = view_plan(PLAN, happened)
    assert found is not None
    rows = {str(row.planned): (row.bounds, row.happened) for row in found.rows}
    assert rows["20 s"] == ("10 s – 40 s", "22.5 s")
    assert rows["200 ms"][1] == "≤ 225 ms"
    assert rows["70 J"][1] == "81.50 J"


def test_the_frontier_is_what_no_other_choice_beats_in_both() -> None:
    points = [(3.0, 1.0), (1.0, 9.0), (2.0, 9.0), (2.0, 4.0), (4.0, 2.0)]
    assert frontier(points) == [(1.0, 9.0), (2.0, 4.0), (3.0, 1.0)]


def test_what_did_not_happen_is_left_empty_and_no_plan_is_no_section() -> None:
    found = view_plan(PLAN, {})
    assert found is not None
    assert {row.happened for row in found.rows} == {""}
    assert render_plan({}, {}) == ""
    assert render_plan({"reason": "fitted at once"}, {}) == ""


def test_the_page_of_a_plan_needs_nothing_else(tmp_path: Path) -> None:
    write_plan(tmp_path / "plan.html", PLAN)
    page = (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert "<polygon" in page
    assert "&lt;b&gt;odd" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_lines_say_bound_intervals_choices_and_runner_up() -> None:
    text = "\n".join(lines_of(PLAN))
    for part in (
        "8.0 MiB",
        "9.0 MiB",
        "20.0 s",
        "10.0 s",
        "40.0 s",
        "the largest that fits",
        "train.micro_batch: 4",
        "odd.default",
    ):
        assert part in text
    assert "fitted at once" in lines_of({"reason": "fitted at once"})[0]


def test_every_holder_has_a_chinese_name() -> None:
    assert set(HOLDERS) <= set(CHINESE)
