"""What is overdue is listed with its place and the way on; a gate can demand a fresh audit."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import ANSWERS, Cli, events

from modelwright.app.overdue import DAY, overdue
from modelwright.core import journal

QUICK = {"privacy": {"checks": False, "membership": False}}


@pytest.fixture
def audited(cli: Cli, recipe: Callable[..., Path], tmp_path: Path) -> Path:
    """A released and audited run, and its recipe."""
    path = recipe(audit=QUICK, release={"gates": ["audit_age.value <= 30d"], **ANSWERS})
    assert cli("run", path, "--runs", tmp_path / "runs").code == 0
    return path


def test_nothing_is_overdue_until_time_has_passed(cli: Cli, audited: Path, tmp_path: Path) -> None:
    runs, run = tmp_path / "runs", tmp_path / "runs" / "tiny"
    for place in (runs, run, run / "release"):
        outcome = cli("audit", place, "--since", "30d", "--json")
        assert (outcome.code, outcome.json["overdue"], outcome.json["places"]) == (0, [], 1)
        problems, _ = overdue(place, 30 * DAY, now=time.time() + 31 * DAY)
        (problem,) = problems
        assert "31.0 days old" in problem.found
        assert problem.where == str(run / "release")
        assert "--again" in problem.next_step
    outcome = cli("audit", runs, "--since", "0s", "--json")
    assert outcome.code == 7
    assert "days old" in outcome.json["problems"][0]["found"]


def test_a_release_that_was_never_audited_is_overdue(cli: Cli, recipe: Callable[..., Path], tmp_path: Path) -> None:
    assert cli("run", recipe(), "--runs", tmp_path / "runs").code == 0
    outcome = cli("audit", tmp_path / "runs")
    assert outcome.code == 7
    assert "never audited" in outcome.err
    assert "section audit" in outcome.err


def test_an_audit_of_another_model_counts_for_nothing(
    cli: Cli, audited: Path, recipe: Callable[..., Path], tmp_path: Path
) -> None:
    changed = recipe(model={"kind": "mlp", "hidden": [8]})
    assert cli("run", changed, "--runs", tmp_path / "runs").code == 0
    outcome = cli("audit", tmp_path / "runs")
    assert outcome.code == 7
    assert "never audited" in outcome.err


def test_keys_that_end_soon_are_listed(cli: Cli, audited: Path, tmp_path: Path) -> None:
    release = tmp_path / "runs" / "tiny" / "release"
    for name, days in (("soon", 5), ("later", 300)):
        assert cli("keys", "add", release, name, "--days", days).code == 0
    outcome = cli("audit", tmp_path / "runs", "--since", "30d")
    assert outcome.code == 7
    assert "of 'soon' ends in 5.0 days" in outcome.err
    assert "later" not in outcome.err
    problems, _ = overdue(release, 30 * DAY, now=time.time() + 6 * DAY)
    assert "ended 1.0 days ago" in problems[0].found
    prefix = cli("keys", "list", release, "--json").json["keys"][0]["prefix"]
    assert cli("keys", "revoke", release, prefix).code == 0
    assert cli("audit", tmp_path / "runs").code == 0


@pytest.mark.parametrize("age", ["soon", "30 kg"])
def test_an_age_that_is_none(cli: Cli, audited: Path, tmp_path: Path, age: str) -> None:
    outcome = cli("audit", tmp_path / "runs", "--since", age)
    assert outcome.code == 2
    assert "30d" in outcome.err


def test_a_folder_without_runs(cli: Cli, tmp_path: Path) -> None:
    assert cli("audit", tmp_path, "--since", "1d").code == 3


def test_a_gate_demands_a_fresh_audit_and_again_makes_one(
    cli: Cli, recipe: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    gates = {"gates": ["audit_age.value <= 30d"], **ANSWERS}
    outcome = cli("run", recipe(release=gates), "--runs", runs)
    assert outcome.code == 7
    assert "not audited" in outcome.err
    now = time.time
    with monkeypatch.context() as past:
        past.setattr(journal.time, "time", lambda: now() - 40 * DAY)
        assert cli("audit", recipe(audit=QUICK, release=gates), "--runs", runs).code == 0
    path = recipe(audit=QUICK, release=gates)
    outcome = cli("run", path, "--runs", runs)
    assert outcome.code == 7
    assert "audit_age" in outcome.err
    made = len(events(runs / "tiny", "stage started"))
    assert cli("audit", path, "--again", "--runs", runs).code == 0
    assert [item["data"]["stage"] for item in events(runs / "tiny", "stage started")[made:]] == ["audit"]
    assert cli("run", path, "--runs", runs).code == 0
