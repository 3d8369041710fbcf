"""What a stage spends is told with its bounds, survives being killed, and ends where the budget ends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toy_stages
from toy_stages import recipe

from modelwright.core import metering
from modelwright.core.builtin import BUILTIN
from modelwright.core.errors import BudgetError, Interrupted, MissingExtra
from modelwright.core.evidence import Evidence
from modelwright.core.execute import run
from modelwright.core.metering import NOTHING, Meter, Reading, carbon_of, read_spent, write_spent
from modelwright.core.run import Run
from modelwright.core.stage import Context
from modelwright.methods.energy.settings import Energy
from modelwright.methods.energy.spent import Source, Spent


def energy(made: Run, stage: str) -> Evidence:
    """Return what a run claims of the energy of a stage."""
    return next(item for item in made.evidence() if item.name == f"energy[{stage}]")


@pytest.fixture
def joules(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Put a meter in the place of the machine's, and let a test say what it shows."""
    shown = [0.0]
    METERS["test"] = Source("a test", "nobody", True, lambda: Spent(shown[0], 0.5 * shown[0], 2 * shown[0]))
    monkeypatch.setitem(BUILTIN, "meter", {"test": ("", f"{__name__}:open_test")})
    return lambda value: shown.__setitem__(0, value)


METERS: dict[str, Source] = {}


def open_test(settings: Energy, load: Callable[[], Any]) -> Source:
    """Return the meter of the present test."""
    return METERS["test"]


def refuse(settings: Energy, load: Callable[[], Any]) -> Source:
    """Be a meter that this machine has not."""
    raise MissingExtra("there is no counter")


def busy(seconds: float) -> None:
    """Spend processor time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(1000))


def test_every_stage_says_what_it_has_spent(toys: list[str], run_folder: Path) -> None:
    made = run(recipe(run_folder), folder=run_folder)
    for stage, record in made.current().items():
        found = {item.name: item for item in record.evidence}
        cpu, drawn, carbon = (found[f"{name}[{stage}]"] for name in ("cpu_seconds", "energy", "carbon"))
        assert cpu.value is not None
        assert cpu.unit == "seconds"
        assert drawn.unit == "joules"
        assert drawn.low is not None
        assert drawn.high is not None
        assert drawn.low <= drawn.value <= drawn.high
        assert drawn.method
        assert drawn.source
        assert carbon.unit == "gCO2e"
        assert carbon.low <= carbon.value <= carbon.high
        assert record.outputs.items() <= drawn.about.items()
    assert energy(made, "judge").about["model"] == energy(made, "learn").about["model"]


def test_processor_time_is_counted_and_turned_into_joules() -> None:
    meter = Meter(Energy(method="constant", watts=4.0))
    busy(0.2)
    cpu, drawn, _ = meter.claims("learn", {})
    assert cpu.value == pytest.approx(0.2, abs=0.1)
    assert drawn.value == pytest.approx(4 * cpu.value, rel=0.2)
    assert (drawn.low, drawn.high) == pytest.approx((0.7 * drawn.value, 1.5 * drawn.value), rel=1e-3)
    assert drawn.status == "estimated"


def test_a_meter_that_cannot_be_had_is_said_and_stops_nothing(
    toys: list[str], run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUILTIN, "meter", {"processor": ("", f"{__name__}:refuse")})
    made = run(recipe(run_folder), folder=run_folder)
    drawn = energy(made, "learn")
    assert (drawn.status, drawn.reason) == ("not_applicable", "there is no counter")
    assert any(item.name == "cpu_seconds[learn]" and item.status == "measured" for item in made.evidence())


def test_carbon_is_energy_times_the_grid() -> None:
    drawn = Evidence("energy[x]", 3.6e6, unit="joules", low=1.8e6, high=7.2e6, method="m")
    carbon = carbon_of(drawn, "carbon[x]", Energy(grid=500.0))
    assert (carbon.value, carbon.low, carbon.high, carbon.unit) == (500.0, 250.0, 1000.0, "gCO2e")
    assert "500 g/kWh" in carbon.method


def test_readings_add_up(tmp_path: Path) -> None:
    one = Reading(1.0, 2.0, 3.0, 4.0, 5.0)
    assert one.plus(one).minus(one) == one
    write_spent(tmp_path, one)
    assert read_spent(tmp_path) == one
    (tmp_path / metering.SPENT).write_text("{}")
    assert read_spent(tmp_path) == NOTHING
    (tmp_path / metering.SPENT).write_text("half a lin")
    assert read_spent(tmp_path) == NOTHING


def test_what_a_failed_sitting_spent_is_not_forgotten(
    toys: list[str], run_folder: Path, monkeypatch: pytest.MonkeyPatch, joules: Callable[[float], None]
) -> None:
    learn = toy_stages.learn

    def interrupted(context: Context) -> None:
        joules(7.0)
        raise Interrupted("enough")

    monkeypatch.setattr(toy_stages, "learn", interrupted)
    with pytest.raises(Interrupted):
        run(recipe(run_folder), folder=run_folder)
    monkeypatch.setattr(toy_stages, "learn", learn)
    joules(0.0)

    def go_on(context: Context) -> None:
        joules(2.0)
        learn(context)

    monkeypatch.setattr(toy_stages, "learn", go_on)
    made = run(recipe(run_folder), folder=run_folder)
    drawn = energy(made, "learn")
    assert (drawn.value, drawn.low, drawn.high, drawn.status) == (9.0, 4.5, 18.0, "measured")


def test_a_budget_stops_what_listens_and_says_what_to_do(
    toys: list[str], run_folder: Path, monkeypatch: pytest.MonkeyPatch, joules: Callable[[float], None]
) -> None:
    learn = toy_stages.learn

    def listens(context: Context) -> None:
        joules(30.0)
        context.check_interrupt(1, 2)
        learn(context)

    monkeypatch.setattr(toy_stages, "learn", listens)
    BUILTIN["section"] = {"energy": ("settings", "modelwright.methods.energy.settings:Energy")}
    with pytest.raises(BudgetError, match="the energy budget is used up, 30 J are drawn") as caught:
        run(recipe(run_folder, energy={"budget": "20 J"}), folder=run_folder)
    assert caught.value.exit_code == 4
    assert "raise energy.budget" in str(caught.value)
    # Thirty joules were drawn before; the budget is of all that was drawn.
    with pytest.raises(BudgetError):
        run(recipe(run_folder, energy={"budget": "59 J"}), folder=run_folder)
    joules(0.0)
    monkeypatch.setattr(toy_stages, "learn", learn)
    made = run(recipe(run_folder, energy={"budget": "1 kJ"}), folder=run_folder)
    assert energy(made, "learn").value == pytest.approx(60.0)


def test_the_budget_counts_what_earlier_stages_have_drawn(
    toys: list[str], run_folder: Path, monkeypatch: pytest.MonkeyPatch, joules: Callable[[float], None]
) -> None:
    joules(15.0)
    learn = toy_stages.learn

    def listens(context: Context) -> None:
        context.check_interrupt(1, 2)
        learn(context)

    monkeypatch.setattr(toy_stages, "learn", listens)
    BUILTIN["section"] = {"energy": ("settings", "modelwright.methods.energy.settings:Energy")}
    # Fetching drew fifteen, and it does not listen; learning draws as many.
    with pytest.raises(BudgetError, match="30 J"):
        run(recipe(run_folder, energy={"budget": "20 J"}), folder=run_folder)
    assert list(Run(run_folder).current()) == ["fetch"]


def test_a_sign_of_life_says_how_much_was_drawn(
    toys: list[str], run_folder: Path, monkeypatch: pytest.MonkeyPatch, joules: Callable[[float], None]
) -> None:
    seen: list[dict[str, float]] = []
    learn = toy_stages.learn

    def listens(context: Context) -> None:
        joules(4.0)
        context.progress(1, 2, loss=0.5)
        learn(context)

    monkeypatch.setattr(toy_stages, "learn", listens)
    run(recipe(run_folder), on_progress=lambda item: (seen.append(item.values), "go")[1], folder=run_folder)
    assert {"loss": 0.5, "joules": 4.0} in seen


def test_the_account_is_written_down_while_a_stage_works(
    toys: list[str], run_folder: Path, monkeypatch: pytest.MonkeyPatch, joules: Callable[[float], None]
) -> None:
    """What is killed without warning loses at most the last seconds of the account."""
    monkeypatch.setattr("modelwright.core.sitting.SECONDS_BETWEEN_NOTES", -1.0)
    found: list[float] = []

    def works(context: Context) -> None:
        joules(5.0)
        context.progress(1, 2, loss=1.0)
        found.append(json.loads((context.work / metering.SPENT).read_text())["joules"])
        raise Interrupted("killed")

    monkeypatch.setattr(toy_stages, "learn", works)
    with pytest.raises(Interrupted):
        run(recipe(run_folder), folder=run_folder)
    assert found == [5.0]
