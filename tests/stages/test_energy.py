"""Energy of real stages: claims with bounds, and a budget that stops a training where it can go on to the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwright.core.errors import BudgetError
from modelwright.core.evidence import Evidence
from modelwright.core.metering import COSTS
from modelwright.core.run import Run

Tiny = Callable[..., Run]


def claims(made: Run) -> dict[str, Evidence]:
    return {item.name: item for item in made.evidence()}


def test_every_stage_and_every_example_has_its_energy(base: Run) -> None:
    found = claims(base)
    for stage in base.current():
        for name in COSTS:
            assert found[f"{name}[{stage}]"].value is not None
    trained, example = found["energy[train]"], found["energy_per_example"]
    assert trained.about["model"] == example.about["model"] == base.artifact("model").digest
    seen = int(found["steps"].value or 0) * 16
    assert str(seen) in example.method
    # Claimed a moment before the stage ended.
    assert 0 < example.value * seen <= trained.value
    assert example.low < example.value < example.high
    answer = found["energy_per_answer"]
    assert 0 < answer.value < found["energy[evaluate]"].value


def test_answers_that_are_there_already_cost_nothing_again(tiny: Tiny) -> None:
    tiny("evaluate")
    answer = claims(tiny("evaluate", evaluate__resamples=101))["energy_per_answer"]
    assert (answer.status, answer.value) == ("not_applicable", None)


def test_a_budget_stops_training_and_a_higher_one_goes_on_to_the_same_bytes(
    tiny: Tiny, base: Run, tmp_path: Path
) -> None:
    tiny("prepare")
    with pytest.raises(BudgetError) as caught:
        tiny("train", sections={"energy": {"budget": "0.001 J"}})
    assert caught.value.exit_code == 4
    assert "stopped after step 1 of" in str(caught.value)
    assert "raise energy.budget" in str(caught.value)
    (work,) = (tmp_path / "run" / "work").glob("train-*")
    assert "step-000000001" in [path.name for path in (work / "checkpoints").glob("step-*")]
    made = tiny("train", sections={"energy": {"budget": "1 kWh"}})
    model = made.artifact("model")
    assert model is not None
    assert model.digest == base.artifact("model").digest


def test_a_gate_can_bound_the_energy_of_all_stages_and_of_one(tiny: Tiny) -> None:
    made = tiny(release__gates=["energy.value <= 1 kWh", "energy[train].upper_bound <= 1 kWh", "carbon.value <= 1000"])
    assert made.artifact("release") is not None


@pytest.mark.parametrize(
    ("energy", "expected"),
    [
        ({"method": "constant", "watts": 7.0}, "7 W a busy core, as the recipe says"),
        ({"method": "constant"}, "3.5 W a busy core, an average"),
    ],
)
def test_the_keys_of_energy_say_how_it_is_found(tiny: Tiny, energy: dict[str, Any], expected: str) -> None:
    made = tiny("prepare", sections={"energy": energy})
    assert expected in claims(made)["energy[prepare]"].method


def test_country_and_grid_decide_about_carbon(tiny: Tiny) -> None:
    def intensity(**energy: Any) -> tuple[float, str]:
        found = claims(tiny("prepare", sections={"energy": energy}, seed=len(str(energy))))
        carbon, drawn = found["carbon[prepare]"], found["energy[prepare]"]
        return (carbon.value or 0) / (drawn.value or 1) * 3.6e6, carbon.source

    grams, source = intensity(grid=100.0)
    assert grams == pytest.approx(100.0, rel=1e-3)
    assert source == "energy.grid of the recipe"
    china, source = intensity(country="CHN")
    assert "China" in source
    assert china > 400
