"""The section on compression: a column for each step, losses by class and group, two pictures, hostile text as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from report_runs import HOSTILE, RunMaker, prepared
from test_report import check_sound, page_of

from modelwright.app.report.compression import QUANTITIES, SHOWN, view_compression


def row(number: int, kind: str = "", **changes: Any) -> dict[str, Any]:
    accuracy = 0.9 - number / 100
    found: dict[str, Any] = {
        "name": f"{number}:{kind or 'before'}",
        "bytes": 400 * 1024 // (number + 1),
        "metrics": {
            "accuracy": {"value": accuracy, "low": accuracy - 0.02, "high": accuracy + 0.01},
            "calibration_error": {"value": 0.0123 + number},
        },
        "cost": {"cpu_seconds": 0.5 / (number + 1), "joules": 1.5 / (number + 1), "method": f"counted {HOSTILE}"},
        "latency": {batch: {"p50": 0.004 / (number + 1), "ratio_to_first": number + 1.0} for batch in ("1", "32")},
        "classes": {name: {"n": 7, "accuracy": 0.8 - number / 10} for name in ("cat", HOSTILE)},
        "groups": {"sex=f": {"n": 31, "accuracy": 0.7}},
        "gaps": {"sex": {"demographic_parity_difference": 0.125}},
    }
    if kind:
        against = {
            "accuracy_change": {"value": -0.0125, "low": -0.02, "high": 0.01},
            "agreement": 0.9875,
            "classes": {"cat": {"accuracy": -0.1}, HOSTILE: {"accuracy": -0.3}},
            "groups": {"sex=f": {"accuracy": 0.0}},
            "gaps": {"sex": {"demographic_parity_difference": 0.025}},
        }
        settings = {"kind": kind, "amount": 0.25}
        facts = {"operations": 1000, "operations_before": 4000} if kind == "prune" else {}
        found = {**found, "settings": settings, "facts": facts, "to_before": against, "to_first": against}
    return {**found, **changes}


def test_each_step_has_a_column_and_each_quantity_a_line() -> None:
    view = view_compression({"steps": [row(0), row(1, "prune"), row(2, "quantise")]})
    assert view is not None
    assert [step.number for step in view.steps] == ["0", "1", "2"]
    assert view.steps[1].asked == "amount=0.25"
    assert [line.name for line in view.lines] == list(QUANTITIES)
    lines = {line.name: line.cells for line in view.lines}
    assert [cell.value for cell in lines["Size"]] == ["400.0 KiB", "200.0 KiB", "133.3 KiB"]
    assert "2.00 times smaller" in lines["Size"][1].below
    assert "3.00 times faster" in lines["32 answers"][2].below
    assert lines["32 answers"][0].below == "", "it is not compared with itself"
    assert "-1.25 points (-2.00 to +1.00)" in lines["Accuracy"][1].below
    assert [cell.value for cell in lines["Decided alike"]] == ["–", "98.75 %", "98.75 %"]
    assert [cell.value for cell in lines["Operations"]] == ["–", "1\u202f000", "–"]
    assert "4.00 times less" in lines["Operations"][1].below
    # Those that lost most come first.
    assert [item.name for item in view.slices] == [HOSTILE, "cat", "sex=f"]
    assert view.slices[0].cells[1].below == "-0.3000"
    assert view.gaps[0].name == "sex: demographic parity difference"
    assert view.gaps[0].cells[2].below == "+0.0250"


def test_pictures_have_a_numbered_dot_for_each_model_at_its_place() -> None:
    view = view_compression({"steps": [row(0), row(1, "prune"), row(3, "quantise")]})
    assert view is not None
    for curve in view.curves:
        assert curve.drawing.count("<circle") == 3
        # Sizes and times are a half and a quarter of the first, which stands at the same share of the axis.
        places = [float(part.split('"')[1][:-1]) for part in curve.drawing.split("<circle ")[1:]]
        assert places[1] / places[0] == places[2] / places[1] == 0.5


def test_what_is_missing_or_no_number_leaves_a_dash() -> None:
    bare = {"steps": [{"name": "0:before"}, {"name": "1:prune", "settings": {"kind": "prune"}, "bytes": float("nan")}]}
    view = view_compression({"steps": [row(0, cost={"joules": None, "reason": "nobody knows"}), row(1, "prune")]})
    assert view is not None
    assert {line.name: line.cells[0].value for line in view.lines}["Energy, 1000 answers"] == "–"
    assert view.energy == "nobody knows"
    assert view_compression(bare) is not None
    assert view_compression({}) is None
    assert view_compression({"steps": [row(0)]}) is None


def test_of_many_classes_those_that_lost_most_are_shown() -> None:
    many = {f"class {number:03}": {"n": 1, "accuracy": 0.5} for number in range(100)}
    lost = {f"class {number:03}": {"accuracy": -number / 100} for number in range(100)}
    last = row(1, "prune", classes=many, groups={})
    last["to_first"] = {**last["to_first"], "classes": lost}
    view = view_compression({"steps": [row(0), last]})
    assert view is not None
    assert len(view.slices) == SHOWN
    assert view.slices[0].name == "class 099"
    assert view.more == str(100 - SHOWN)


def test_the_page_shows_it_and_no_markup_of_others(tmp_path: Path) -> None:
    made = RunMaker(tmp_path / "run")
    prepared(made)
    made.stage("compress", {"compression": {"compression.json": {"steps": [row(0), row(1, "distil")]}}}, [])
    page = page_of(made.run)
    check_sound(page)
    assert 'id="compression"' in page
    assert HOSTILE not in page
    assert "蒸馏" in page
    assert "2.00 times smaller" in page
