"""Schedules against torch's schedulers, and laws that hold for all of them."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from dataclasses import asdict

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.optim import lr_scheduler as theirs

from modelwright.core.units import Span
from modelwright.methods.optimisation import schedules as b
from modelwright.methods.optimisation import settings as s
from modelwright.methods.optimisation.plateau import PlateauState, update_plateau

STEPS = 60
TORCH = {
    "constant": (b.build_constant(s.ConstantSettings(), STEPS, 10), lambda o: theirs.ConstantLR(o, 1.0)),
    "step": (
        b.build_step(s.StepSettings(every="7 steps", multiplier=0.5), STEPS, 10),
        lambda o: theirs.StepLR(o, 7, 0.5),
    ),
    "step_epochs": (b.build_step(s.StepSettings(every="2 epochs"), STEPS, 10), lambda o: theirs.StepLR(o, 20, 0.1)),
    "exponential": (
        b.build_exponential(s.ExponentialSettings(every="1 steps", multiplier=0.95), STEPS, 10),
        lambda o: theirs.ExponentialLR(o, 0.95),
    ),
    "linear": (
        b.build_linear(s.LinearSettings(floor="10 %"), STEPS, 10),
        lambda o: theirs.LinearLR(o, 1.0, 0.1, STEPS),
    ),
    "polynomial": (
        b.build_polynomial(s.PolynomialSettings(power=0.9), STEPS, 10),
        lambda o: theirs.PolynomialLR(o, STEPS, 0.9),
    ),
    "cosine": (
        b.build_cosine(s.CosineSettings(floor=0.1), STEPS, 10),
        lambda o: theirs.CosineAnnealingLR(o, STEPS, 0.1),
    ),
    "restarts": (
        b.build_cosine(s.CosineSettings(restarts=3), STEPS, 10),
        lambda o: theirs.CosineAnnealingWarmRestarts(o, 15),
    ),
    "growing": (
        b.build_cosine(s.CosineSettings(restarts=1, growth=2, floor=0.2), STEPS, 10),
        lambda o: theirs.CosineAnnealingWarmRestarts(o, 20, 2, 0.2),
    ),
    "one_cycle": (
        b.build_one_cycle(s.OneCycleSettings(), STEPS, 10),
        lambda o: theirs.OneCycleLR(o, 1.0, STEPS, cycle_momentum=False),
    ),
    "one_cycle_linear": (
        b.build_one_cycle(
            s.OneCycleSettings(rise=0.17, start_divisor=10, final_divisor=100, shape="linear"), STEPS, 10
        ),
        lambda o: theirs.OneCycleLR(
            o,
            1.0,
            STEPS,
            pct_start=0.17,
            anneal_strategy="linear",
            div_factor=10,
            final_div_factor=100,
            cycle_momentum=False,
        ),
    ),
    "warm_up": (
        b.build_cosine(s.CosineSettings(warm_up="1 epochs"), STEPS, 10),
        lambda o: theirs.SequentialLR(
            o, [theirs.LinearLR(o, 1 / 11, 1.0, 10), theirs.CosineAnnealingLR(o, STEPS - 10)], milestones=[10]
        ),
    ),
}


def rates(make):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimiser)
    found = []
    for _ in range(STEPS):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        if len(found) < STEPS:
            scheduler.step()
    return found


@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step")
@pytest.mark.parametrize("name", TORCH)
def test_agrees_with_torch(name):
    factor, make = TORCH[name]
    assert [factor(step) for step in range(STEPS)] == pytest.approx(rates(make), rel=1e-9, abs=1e-12)


BUILDERS = [
    (b.build_constant, lambda w, f, n: s.ConstantSettings(warm_up=w)),
    (b.build_step, lambda w, f, n: s.StepSettings(warm_up=w, every=Span(n, "steps"))),
    (b.build_exponential, lambda w, f, n: s.ExponentialSettings(warm_up=w, every=Span(n, "epochs"))),
    (b.build_linear, lambda w, f, n: s.LinearSettings(warm_up=w, floor=f)),
    (b.build_polynomial, lambda w, f, n: s.PolynomialSettings(warm_up=w, floor=f, power=0.5)),
    (b.build_cosine, lambda w, f, n: s.CosineSettings(warm_up=w, floor=f, restarts=n, growth=1 + n % 3)),
    (b.build_one_cycle, lambda w, f, n: s.OneCycleSettings(rise=0.1 + 0.8 * f)),
    (b.build_wsd, lambda w, f, n: s.WsdSettings(warm_up=w, floor=f, cool_down=Span(n, "steps"))),
    (b.build_wsd, lambda w, f, n: s.WsdSettings(warm_up=w, floor=f, shape="cosine")),
]


@given(
    part=st.sampled_from(BUILDERS),
    warm_up=st.one_of(st.floats(0, 1), st.integers(0, 50).map(lambda count: Span(count, "steps"))),
    floor=st.floats(0, 1),
    number=st.integers(0, 9),
    total=st.integers(1, 60),
    epoch=st.integers(1, 10),
)
@hypothesis_settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_every_factor_is_between_zero_and_one(part, warm_up, floor, number, total, epoch):
    build, make = part
    factor = build(make(warm_up, floor, number), total, epoch)
    factors = [factor(step) for step in range(total + 5)]
    assert all(math.isfinite(value) and 0 <= value <= 1 for value in factors)
    assert len(set(factors[total:])) == 1
    assert factors == [factor(step) for step in range(total + 5)]


def test_cosine_of_a_tiny_run_still_starts_at_the_top():
    assert b.build_cosine(s.CosineSettings(restarts=5, growth=3), 2, 1)(0) == 1.0


def test_wsd_has_three_stretches():
    factor = b.build_wsd(s.WsdSettings(warm_up="4 steps", cool_down="20 %", shape="linear", floor=0.5), 50, 10)
    assert [factor(step) for step in range(4)] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert {factor(step) for step in range(4, 41)} == {1.0}
    assert [factor(step) for step in range(41, 51)] == pytest.approx([1 - 0.05 * k for k in range(1, 11)])
    assert b.build_wsd(s.WsdSettings(warm_up=0.0, cool_down=0.2), 50, 10)(45) == pytest.approx(1 - math.sqrt(0.5))


def test_count_steps_reads_epochs_steps_and_shares():
    assert [
        b.count_steps(part, 100, 7) for part in (Span(2, "epochs"), Span(5, "steps"), 0.31, Span(500, "steps"))
    ] == [14, 5, 31, 100]
    assert s.ConstantSettings(warm_up="5 %").warm_up == pytest.approx(0.05)
    assert s.ConstantSettings(warm_up="2 epochs").warm_up == Span(2, "epochs")


@pytest.mark.parametrize("warm_up", ["5 minutes", 1.5, -0.1, "-1 steps", True])
def test_warm_up_that_is_no_part_of_a_run_is_refused(warm_up):
    with pytest.raises(ValidationError):
        s.ConstantSettings(warm_up=warm_up)


@pytest.mark.parametrize("measure", ["loss", "accuracy"])
@pytest.mark.parametrize("rest", [0, 3])
def test_plateau_agrees_with_torch(measure, rest):
    settings = s.PlateauSettings(measure=measure, multiplier=0.5, patience=2, threshold=0.01, rest=rest, floor=0.05)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    mode = {"loss": "min", "accuracy": "max"}[measure]
    reference = theirs.ReduceLROnPlateau(optimiser, mode, 0.5, 2, 0.01, cooldown=rest, min_lr=0.05)
    state, noise = PlateauState(), random.Random(4)
    for _ in range(60):
        value = 1 + noise.random()
        state = update_plateau(settings, state, value)
        reference.step(value)
        assert state.factor == optimiser.param_groups[0]["lr"]
    assert state.factor == 0.05


def test_plateau_counts_what_is_not_finite_as_no_improvement():
    settings = s.PlateauSettings(patience=1, multiplier=0.5)
    state = PlateauState()
    for value in (math.nan, math.inf, -math.inf):
        state = update_plateau(settings, state, value)
    assert (state.factor, state.best) == (0.5, None)
    assert update_plateau(settings, state, 3.0).best == 3.0


def test_plateau_wants_real_improvement_of_negative_values():
    settings = s.PlateauSettings(threshold=0.1)
    state = update_plateau(settings, PlateauState(), -10.0)
    assert update_plateau(settings, state, -10.5).best == -10.0
    assert update_plateau(settings, state, -11.5).best == -11.5


def test_plateau_state_is_plain_numbers():
    state = PlateauState(0.5, 1.25, 3, 1)
    assert PlateauState(**json.loads(json.dumps(asdict(state)))) == state


def test_every_schedule_setting_is_described():
    names = [name for name in dir(s) if name.endswith("Settings") and name != "Settings"]
    fields = [
        (name, key, field) for name in names for key, field in getattr(s, name).model_fields.items() if key != "kind"
    ]
    assert [(name, key) for name, key, field in fields if not field.description] == []


def test_settings_and_schedules_never_load_torch():
    modules = [
        "settings",
        "schedules",
        "plateau",
        "initialisation_settings",
        "initialisation",
        "optimisers",
        "parameter_groups",
    ]
    lines = [f"import modelwright.methods.optimisation.{name}" for name in modules]
    lines += ["import modelwright.testing.optimisers", "import modelwright.methods.balance.settings"]
    lines += ["import modelwright.methods.augmentation.settings", "import sys", "assert 'torch' not in sys.modules"]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
