"""The search over layouts and numbers of devices, on a made-up training whose needs are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelwright.app.fleet import lines_of_fleet, machines_left, places_of
from modelwright.app.report.planned import render_plan
from modelwright.core.errors import BudgetError, RecipeError
from modelwright.core.recipe import Recipe, recipe_from
from modelwright.stages.plan.elsewhere import describe_fleet, refuse_fleet
from modelwright.stages.plan.fleet import FleetSearch
from modelwright.stages.plan.machine import machine_of, machines
from modelwright.stages.plan.share import trace_fleet

GB = 10**9
TOTAL = 32


def recipe_of(plan: dict[str, Any], **train: Any) -> Recipe:
    data = {
        "version": 1,
        "name": "far",
        "task": {"kind": "language", "tokens": "characters", "length": 64},
        "data": {"kind": "jsonl", "path": "rows.jsonl", "text": ["text"], "label": ""},
        "model": {"kind": "decoder", "size": "8B"},
        "plan": plan,
        "train": {"length": "100 steps", "batch": 64, "precision": "bfloat16", "optimiser": "adamw", **train},
    }
    return recipe_from(data, Path())


class Made:
    """State: what was asked. States of 3 GB a layer, activations of 20 MB an example and layer; a layer takes a second."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def __call__(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        edits, processes = asked["edits"], asked["processes"]
        layout, layers = edits["train.layout"], edits.get("model.layers", TOTAL)
        cut = {"sharded": processes, "tensor": layout.get("size"), "pipeline": layout.get("stages")}
        parts = cut.get(layout["kind"], 1)
        examples = edits.get("train.micro_batch") or 64 // processes
        kept = {"selective": 0.5, "blocks": 0.1}.get(edits.get("train.checkpointing", ""), 1.0)
        reserved = int(layers * (3 * GB / parts + 0.02 * GB * examples * kept))
        slower = {"data": 1.0, "sharded": 1.1, "tensor": 1.4, "pipeline": 1.2}.get(layout["kind"], 1.0)
        work = layers * slower * (2 - kept) / processes
        return {
            "facts": {"steps": 100, "batch": 64},
            "live": reserved,
            "host": layers * GB,
            "allocated": reserved,
            "reserved": reserved,
            "holders": {"parameters": reserved},
            "time": {"work": work, "waited": 0.0, "beside": 0.0},
            "sent": {"all_gather": float(layers)},
        }


def search(plan: dict[str, Any], **train: Any) -> tuple[FleetSearch, Made]:
    recipe, made = recipe_of(plan, **train), Made()
    settings: Any = recipe.sections["plan"]
    return FleetSearch(recipe, settings, machine_of(settings.machine, 1), made), made


def test_the_fastest_layout_that_fits_is_chosen_and_confirmed_at_full_depth() -> None:
    looking, made = search({"machine": "h200", "devices": [4, 8]}, checkpointing="auto")
    found = looking.run()
    # A whole copy has 96 GB and would fit were it not for the activations; more devices are faster.
    assert found.chosen.devices == 8
    assert found.chosen.whole
    assert not found.over
    kinds = {fleet.layout["kind"] for fleet in found.looked_at}
    assert kinds == {"data", "sharded", "tensor", "pipeline"}
    best = min(fleet.step_seconds for fleet in found.looked_at if not looking.over(fleet))
    assert found.chosen.step_seconds == pytest.approx(best)
    assert any("model.layers" in asked["edits"] for asked in made.asked)
    plan = describe_fleet(looking.recipe, looking.settings, looking.machine, looking, found)
    assert plan["choices"]["train.checkpointing"]["value"] == found.chosen.edits["train.checkpointing"]
    assert "h200" in lines_of_fleet(plan)[0]
    assert "8 devices" in render_plan(plan, {})


def test_two_depths_tell_the_full_one() -> None:
    recipe, made = recipe_of({"machine": "h100", "devices": 8}), Made()
    layout = {"kind": "sharded"}
    told, whole = (
        trace_fleet(made, recipe, machine_of("h100", 1), 8, layout, {}, whole=whole) for whole in (False, True)
    )
    assert (told.whole, whole.whole) == (False, True)
    assert told.estimate == pytest.approx(whole.estimate, rel=1e-6)
    assert told.step_seconds == pytest.approx(whole.step_seconds)
    assert told.processes[0].sent == whole.processes[0].sent


def test_the_largest_even_micro_batch_that_fits_is_taken() -> None:
    plan = {"machine": "a100", "devices": 2, "budget": {"memory": 66 * GB}}
    looking, _ = search(plan, micro_batch="auto", layout="sharded")
    chosen = looking.run().chosen
    # 48 GB of states and 0.64 GB an example, with 5 % above and 1.3 GB beside: 32 examples do not fit, 16 do.
    assert chosen.edits["train.micro_batch"] == 16
    assert chosen.bound <= looking.memory


def test_what_does_not_fit_is_refused_with_what_would() -> None:
    looking, _ = search({"machine": "rtx4090", "devices": 8}, layout="data")
    found = looking.run()
    with pytest.raises(BudgetError, match="a device") as refused:
        refuse_fleet(looking.settings, looking, found)
    assert refused.value.exit_code == 4
    (problem,) = refused.value.problems
    assert problem.where == "plan.machine"
    assert "train.layout: {kind: sharded}" in problem.next_step
    assert "plan.devices" not in problem.next_step


@pytest.mark.parametrize("limit", ["time", "cost", "energy", "memory"])
def test_every_limit_of_the_budget_is_kept(limit: str) -> None:
    looking, _ = search({"machine": "h200", "devices": 8, "budget": {limit: 0.001}}, layout="sharded")
    found = looking.run()
    assert found.over == (limit,)
    with pytest.raises(BudgetError, match=r"plan\.budget"):
        refuse_fleet(looking.settings, looking, found)


def test_prices_and_pipelines_and_pictures() -> None:
    looking, made = search({"machine": "h200", "devices": 16, "price": 2.0}, layout={"kind": "pipeline", "stages": 4})
    found = looking.run()
    assert [asked["rank"] for asked in made.asked] == [0, 1, 3]
    # 1.2 s a layer over 16 devices, and 3 of 8 micro-batches waited for.
    assert found.chosen.step_seconds == pytest.approx(TOTAL * 1.2 / 16 * (1 + 3 / 8))
    assert looking.money(found.chosen) == pytest.approx(found.chosen.seconds * 16 * 2.0 / 3600)
    plan = describe_fleet(looking.recipe, looking.settings, looking.machine, looking, found)
    rows = dict(places_of(plan["fleet"]))
    assert [place.label for place in rows[2]][:5] == ["b2 s1/4", "b2 s2/4", "b2 s3/4", "b2 s4/4", "b3 s1/4"]
    assert machines_left({**plan["fleet"], "devices": 512}) == 60


def test_several_devices_need_a_machine_and_every_machine_says_where_its_numbers_come_from() -> None:
    with pytest.raises(RecipeError, match="machine: here"):
        recipe_of({"devices": 8})
    assert set(machines()) == {"a100", "ascend910b", "h100", "h200", "l40s", "rtx4090"}
    for name, known in machines().items():
        assert known["date"], name
        for key, constant in known["constants"].items():
            assert constant["source"], (name, key)
            assert constant["how"] in ("measured", "stated", "guessed", "reported", "measured by others"), (name, key)
