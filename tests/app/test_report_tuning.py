"""The section on the search: chosen values, models in their order, one dot a trial, hostile text as text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from report_runs import HOSTILE, RunMaker, prepared
from test_report import check_sound, page_of

from modelwright.app.report.tuning import view_tuning

EDITS = {"model": {"kind": "mlp", "hidden": [16]}, "train.optimiser.lr": 0.0012345}
SUMMARY = {"measure": "accuracy", "maximise": True, "method": "tpe", "asked": 4, "best": 2}


def trials() -> list[dict[str, Any]]:
    values = [("cnn", 0.5, "finished"), ("mlp", 0.25, "stopped"), ("mlp", 0.75, "finished"), (HOSTILE, None, "failed")]
    return [
        {
            "number": number,
            "edits": {"model": {"kind": kind}, "train.optimiser.lr": 10.0**-number},
            "value": value,
            "state": state,
            "steps": 10,
            "epochs": 2.5,
            "reason": HOSTILE if state == "failed" else "",
        }
        for number, (kind, value, state) in enumerate(values)
    ]


def found(**changes: Any) -> dict[str, Any]:
    shares = {"shares": {"train.optimiser.lr": 0.8, "model": 0.2}, "reason": ""}
    return {"summary": SUMMARY, "edits": EDITS, "importance": shares, "trials": trials(), **changes}


def test_models_stand_in_the_order_of_their_best_finished_value() -> None:
    view = view_tuning(found(), [])
    assert view is not None
    assert [(place.model, place.trials, place.value) for place in view.models] == [
        ("mlp", "2", "0.7500"),
        ("cnn", "1", "0.5000"),
        (HOSTILE, "1", "–"),
    ]
    assert view.chosen == (("model", "{kind: mlp, hidden: [16]}"), ("train.optimiser.lr", "0.001234"))
    assert [trial.best for trial in view.trials] == [False, False, True, False]
    # A dot for each trial that has a value, however it ended.
    assert view.history.count("<circle") == 3
    loss = view_tuning(found(summary={**SUMMARY, "maximise": False}), [])
    assert loss is not None
    assert [place.model for place in loss.models][:2] == ["cnn", "mlp"], "a stopped trial is not the best one"


def test_no_search_no_section_and_one_model_no_leaderboard() -> None:
    assert view_tuning({}, []) is None
    alone = view_tuning(found(trials=trials()[1:3]), [])
    assert alone is not None
    assert alone.models == ()


def test_the_page_shows_the_search_and_no_markup_of_others(tmp_path: Path) -> None:
    made = RunMaker(tmp_path / "run")
    prepared(made)
    lines = "".join(json.dumps(trial) + "\n" for trial in trials()).encode()
    content = {
        "summary.json": SUMMARY,
        "edits.json": EDITS,
        "importance.json": found()["importance"],
        "trials.jsonl": lines,
    }
    made.stage("tune", {"tuning": content}, [])
    made.journal.append("trial ended", number=2, seconds=12.5)
    page = page_of(made.run)
    check_sound(page)
    assert 'id="tuning"' in page
    assert "12.5 s" in page
    assert "0.7500" in page
