"""The stage `plan`: what it claims, what its keys change, what it chooses under a budget, and that a bias would be seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwright.app.planned import lines_of
from modelwright.app.report.planned import render_plan
from modelwright.core.errors import BudgetError, DataError, RecipeError
from modelwright.core.run import Run
from modelwright.stages.plan.ledger import factor_here, read_ledger, settle
from modelwright.stages.plan.prices import Priced, Range
from modelwright.stages.plan.search import Search
from modelwright.stages.plan.tracing import Worker

Tiny = Callable[..., Run]
MODEL = {"kind": "cnn", "channels": [16, 32], "padding": "same", "dense": 32}
ONE_HOUR = 3600.0


def planned(made: Run) -> dict[str, Any]:
    artifact = made.artifact("plan")
    assert artifact is not None
    found: dict[str, Any] = json.loads((artifact.path / "plan.json").read_text())
    return found


def claims(made: Run) -> dict[str, Any]:
    return {item.name: item for item in made.evidence()}


def test_a_plan_says_what_a_run_will_need_and_its_keys_change_it(tiny: Tiny) -> None:
    made = tiny("plan", plan__price=3.6, plan__budget={"memory": "1 GiB"}, train__micro_batch="auto", model=MODEL)
    plan, found = planned(made), claims(made)
    peak = found["planned_peak[all]"]
    assert peak.status == "estimated"
    assert peak.value == plan["estimate"] == max(plan["peaks"].values())
    assert peak.value * 1.01 <= peak.high <= peak.value * 1.01 + 4097
    assert {
        "planned_peak[training]",
        "planned_peak[validation]",
        "planned_peak[saving]",
        "planned_peak[evaluation]",
    } <= set(found)
    training = found["planned_seconds[training]"]
    assert training.low < training.value < training.high
    assert found["planned_cost"].value == pytest.approx(training.value / ONE_HOUR * 3.6, rel=1e-3)
    assert found["planned_energy"].value > 0
    # There is room enough, so nothing is cut, and the training that follows is not told to.
    assert plan["choices"]["train.micro_batch"]["value"] == 0
    assert made.state()["edited"]["train"]["micro_batch"] == 0
    assert plan["curve"]
    margin = planned(tiny("plan", plan__margin=0.5, model=MODEL))
    assert margin["bound"] > 1.4 * margin["estimate"]
    other = planned(tiny("plan", plan__machine="h100", model=MODEL))
    assert other["step_seconds"]["value"] != margin["step_seconds"]["value"]
    assert other["money"]["value"] > 0
    with pytest.raises(RecipeError, match="nothing is known of the machine 'abacus'"):
        tiny("plan", plan__machine="abacus", model=MODEL)


def test_the_largest_micro_batch_that_fits_is_trained_with(tiny: Tiny) -> None:
    wide = planned(tiny("plan", train__batch=64, model=MODEL))["bound"]
    limit = int(0.6 * wide)
    made = tiny("train", train__batch=64, train__micro_batch="auto", plan__budget={"memory": limit}, model=MODEL)
    plan = planned(made)
    chosen = plan["choices"]["train.micro_batch"]["value"]
    assert 1 <= chosen < 64
    assert plan["bound"] <= limit
    assert made.state()["edited"]["train"]["micro_batch"] == chosen
    assert made.state()["edited"]["train"]["batch"] == 64
    # One line of the ledger for the run, when its end is written down.
    entry = settle(made.folder)
    assert entry is not None
    assert entry["seconds"] > 0
    assert settle(made.folder) == entry
    assert [line["train"] for line in read_ledger(made.folder.parent)] == [entry["train"]]
    assert factor_here(made.folder).value == pytest.approx(entry["seconds"] / entry["planned_seconds"])


def test_nothing_runs_that_does_not_fit_and_a_change_that_would_is_named(tiny: Tiny) -> None:
    model = {"kind": "mlp", "hidden": [8]}
    with pytest.raises(BudgetError, match=r"plan\.budget\.time") as refused:
        tiny("plan", plan__budget={"time": 1e-9}, model=model)
    assert refused.value.exit_code == 4
    (problem,) = refused.value.problems
    assert problem.next_step.startswith("no single change fits")


@pytest.mark.parametrize(("limit", "value"), [("memory", 150.0), ("time", 1.5), ("energy", 15.0), ("cost", 0.15)])
def test_every_limit_refuses_and_names_what_would_fit(limit: str, value: float) -> None:
    budget = _Budget()
    setattr(budget, limit, value)

    def trace(edits: dict[str, Any], timed: bool) -> Priced:
        much = 1.0 if edits.get("train.precision") == "bfloat16" else 2.0
        seconds, joules, money = (Range(factor * much, 0.0, 9.0) for factor in (1.0, 10.0, 0.1))
        bound = int(100 * much)
        return Priced(
            edits, estimate=bound, bound=bound, step_seconds=seconds, seconds=seconds, joules=joules, money=money
        )

    found = Search(_recipe(micro_batch=0), budget, trace).run()
    assert found.over == (limit,)
    assert found.ways_out == ({"train.precision": "bfloat16"},)


def test_what_cannot_be_traced_has_a_closed_form_that_says_so(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(self: Worker, edits: dict[str, Any], timed: bool = False) -> dict[str, Any]:
        return {"failed": "a canary died", "facts": {}, "parameters": 1000}

    monkeypatch.setattr(Worker, "trace", cannot)
    made = tiny("plan", plan__margin=0.02, train__micro_batch="auto", train__checkpointing="auto", model=MODEL)
    found = claims(made)
    peak = found["planned_peak[all]"]
    assert (peak.value, peak.high, peak.status) == (4000, None, "estimated")
    assert "closed form" in peak.method
    assert "a canary died" in peak.method
    assert found["planned_seconds"].status == "not_applicable"
    assert made.state()["edited"]["train"]["micro_batch"] == 0
    assert made.state()["edited"]["train"]["checkpointing"] == "none"
    assert "a canary died" in lines_of(planned(made))[0]
    assert "a canary died" in render_plan(planned(made), {})
    # A limit cannot be promised by something without a bound.
    with pytest.raises(DataError, match="a canary died"):
        tiny("plan", plan__budget={"memory": "1 GiB"}, model=MODEL)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("micro_batch", "auto"),
        ("gradient_release", "auto"),
        ("low_rank", {"kind": "auto"}),
        ("optimiser", {"kind": "adamw", "bits": "auto"}),
    ],
)
def test_auto_needs_a_plan(tiny: Tiny, key: str, value: Any) -> None:
    with pytest.raises(RecipeError, match="a section plan"):
        tiny("train", **{f"train__{key}": value})


def test_a_model_that_is_fitted_at_once_is_not_planned(tiny: Tiny) -> None:
    made = tiny(
        "plan", sections={"model": {"kind": "logistic"}, "task": "tabular", "data": {"kind": "sample", "name": "iris"}}
    )
    assert claims(made)["planned_peak"].status == "not_applicable"


def test_a_search_comes_before_the_plan_and_the_plan_before_the_training() -> None:
    from modelwright.core.order import order
    from modelwright.core.recipe import recipe_from

    recipe = recipe_from(
        {
            "version": 1,
            "name": "both",
            "task": "image",
            "data": {"kind": "sample", "name": "digits"},
            "model": "mlp",
            "tune": {"space": {"train.batch": [8, 16]}},
            "plan": {},
            "train": {},
            "evaluate": {},
        },
        Path(),
    )
    assert [stage.name for stage in order(recipe)] == ["tune", "prepare", "plan", "train", "evaluate"]
    # What is trained is what was planned, also when only the training was asked for.
    assert [stage.name for stage in order(recipe, "train")] == ["tune", "prepare", "plan", "train"]


class _Budget:
    memory, time, energy, cost = 0.0, 0.0, 0.0, 0.0


def _recipe(**train: Any) -> Any:
    class Recipe:
        sections = {
            "train": type(
                "Train",
                (),
                {"micro_batch": "auto", "checkpointing": "none", "precision": "float32", "batch": 100, **train},
            )
        }

        @staticmethod
        def resolved() -> dict[str, Any]:
            return {"train": dict(train)}

    return Recipe


def test_the_search_finds_the_largest_size_whatever_the_slope() -> None:
    for limit in (150, 777, 1499, 1500, 1501, 9_999):
        budget = _Budget()
        budget.memory = float(limit)

        def trace(edits: dict[str, Any], timed: bool) -> Priced:
            size = edits["train.micro_batch"] or 100
            bytes_ = 100 + 14 * size + (size // 10) ** 2
            seconds = Range(1.0, 1.0, 1.0) if timed else None
            return Priced(edits, estimate=bytes_, bound=bytes_, step_seconds=seconds, seconds=seconds)

        chosen = Search(_recipe(), budget, trace).run().chosen.edits["train.micro_batch"] or 100
        fitting = [size for size in range(1, 101) if 100 + 14 * size + (size // 10) ** 2 <= limit]
        assert chosen <= max(fitting)
        assert chosen >= 0.95 * max(fitting)


def test_the_faster_of_what_fits_is_chosen_and_the_other_named() -> None:
    budget = _Budget()
    budget.memory = 100.0
    times = {"none": 1.0, "selective": 2.0, "blocks": 3.0}
    sizes = {"none": 200, "selective": 90, "blocks": 50}

    def trace(edits: dict[str, Any], timed: bool) -> Priced:
        how = edits["train.checkpointing"]
        seconds = Range(times[how], times[how], times[how])
        return Priced(edits, estimate=sizes[how], bound=sizes[how], step_seconds=seconds, seconds=seconds)

    found = Search(_recipe(micro_batch=0, checkpointing="auto"), budget, trace).run()
    assert found.chosen.edits == {"train.checkpointing": "selective"}
    assert found.runner_up is not None
    assert found.runner_up.edits == {"train.checkpointing": "blocks"}
    assert "blocks 3.0 s" in found.why["train.checkpointing"]


def test_a_bias_of_a_tenth_in_the_tracker_is_seen(tmp_path: Path) -> None:
    """What the grid of test_peaks.py asks for fails when every tracked storage is taken for a tenth larger or smaller."""
    import torch

    from modelwright.engine.tracing.tracer import Tracer
    from modelwright.methods.planning.log import live_memory

    def program() -> None:
        layers = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 8))
        layers(torch.zeros(32, 64)).sum().backward()

    tracer = Tracer()
    with tracer.tracing():
        tracer.phase("all")
        program()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen:
        program()
    seen.export_chrome_trace(str(tmp_path / "trace.json"))
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    totals = sorted(
        (event["ts"], event["args"]["Total Allocated"], event["args"]["Bytes"])
        for event in events
        if event["name"] == "[memory]"
    )
    real = max(total for _, total, _ in totals) - (totals[0][1] - totals[0][2])
    assert live_memory(tracer.log, [None] * len(tracer.calls)).peak == pytest.approx(real, rel=0.01)
    for bias in (0.9, 1.1):
        tracer.log.events = [
            ("call", event[1], tuple((storage, output, int(bias * size)) for storage, output, size in event[2]))
            if event[0] == "call"
            else event
            for event in tracer.log.events
        ]
        assert live_memory(tracer.log, [None] * len(tracer.calls)).peak != pytest.approx(real, rel=0.01)


class _Open:
    bits = "auto"
    kind = "auto"

    @staticmethod
    def model_dump(**_: Any) -> dict[str, Any]:
        return {"kind": "auto", "rank": 4}


@pytest.mark.parametrize(
    ("limit", "bits", "low_rank"),
    [(400, 32, {"kind": "none"}), (250, 8, {"kind": "none"}), (150, 8, {"kind": "lora", "rank": 4})],
)
def test_what_changes_the_result_is_given_up_one_by_one_and_only_where_nothing_else_fits(
    limit: int, bits: int, low_rank: dict[str, Any]
) -> None:
    budget = _Budget()
    budget.memory = float(limit)

    def trace(edits: dict[str, Any], timed: bool) -> Priced:
        size = 100 + 100 * (edits["train.optimiser.bits"] == 32) + 100 * (edits["train.low_rank"]["kind"] == "none")
        return Priced(edits, estimate=size, bound=size, step_seconds=Range(1, 1, 1), seconds=Range(1, 1, 1))

    found = Search(_recipe(micro_batch=0, optimiser=_Open, low_rank=_Open), budget, trace).run()
    assert not found.over
    assert found.chosen.edits == {"train.optimiser.bits": bits, "train.low_rank": low_rank}
    assert ("without giving this up" in found.why["train.low_rank"]) == (low_rank["kind"] == "none")


def test_gradients_are_released_where_only_that_fits() -> None:
    budget = _Budget()
    budget.memory = 100.0

    def trace(edits: dict[str, Any], timed: bool) -> Priced:
        size = 90 if edits["train.gradient_release"] else 120
        return Priced(edits, estimate=size, bound=size, step_seconds=Range(1, 1, 1), seconds=Range(1, 1, 1))

    found = Search(_recipe(micro_batch=0, gradient_release="auto"), budget, trace).run()
    assert found.chosen.edits == {"train.gradient_release": True}
    assert "does not keep the limit of memory" in found.why["train.gradient_release"]
