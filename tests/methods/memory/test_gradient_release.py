"""Gradient release takes the same steps, parameter by parameter, and keeps no gradient."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from modelwright.core import registry
from modelwright.core.errors import DataError, RecipeError
from modelwright.methods.memory.release import ReleasingOptimiser
from modelwright.methods.optimisation.parameter_groups import set_learning_rates

OPTIMISERS = [name for name in registry.names("optimiser") if name != "adamw8bit"]


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))


def build(name: str, model: nn.Module, release: bool) -> Any:
    settings = registry.settings_of("optimiser", name)()
    make = registry.function_of("optimiser", name)
    if release:
        return ReleasingOptimiser(lambda named: make(settings, named), model.named_parameters())
    return make(settings, model.named_parameters())


def walk(model: nn.Module, optimiser: Any, steps: range) -> None:
    for step in steps:
        torch.manual_seed(step)
        inputs, targets = torch.randn(5, 6), torch.randint(0, 3, (5,))
        set_learning_rates(optimiser, 1 / (1 + step))
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimiser.step()
        optimiser.zero_grad()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_the_steps_are_the_same_bit_for_bit(name: str) -> None:
    plain, released = network(), network()
    walk(plain, build(name, plain, False), range(4))
    walk(released, build(name, released, True), range(4))
    assert not torch.equal(plain[0].weight, network()[0].weight)
    for one, two in zip(plain.parameters(), released.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_the_state_goes_round(name: str) -> None:
    straight = network()
    first = build(name, straight, True)
    walk(straight, first, range(2))
    resumed = copy.deepcopy(straight)
    second = build(name, resumed, True)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    walk(straight, first, range(2, 4))
    walk(resumed, second, range(2, 4))
    for one, two in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, two)


def test_no_two_gradients_are_there_at_once() -> None:
    model = network()
    optimiser = build("adam", model, True)
    most: list[int] = []

    def count(parameter: torch.Tensor) -> None:
        most.append(sum(weight.grad is not None for weight in model.parameters()))

    for weight in model.parameters():
        weight.register_post_accumulate_grad_hook(count)
    walk(model, optimiser, range(1))
    assert most == [0] * 6
    assert all(weight.grad is None for weight in model.parameters())


def test_a_parameter_that_is_used_twice_is_stepped_once() -> None:
    tied, plain = (nn.Linear(4, 4, bias=False) for _ in range(2))
    plain.load_state_dict(tied.state_dict())
    released = build("sgd", tied, True)
    ordinary = build("sgd", plain, False)
    for model in (tied, plain):
        model(model(torch.ones(2, 4))).square().sum().backward()
    released.step()
    ordinary.step()
    assert torch.equal(tied.weight, plain.weight)


def test_what_is_not_finite_is_not_applied_and_stops_the_step() -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    optimiser = build("adam", model, True)
    (model(torch.ones(2, 6)).sum() * float("nan")).backward()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    with pytest.raises(DataError, match=r"the gradient of '4\.(weight|bias)' was not finite"):
        optimiser.step()
    optimiser.zero_grad()
    walk(model, optimiser, range(1))


def test_frozen_parameters_are_left_alone() -> None:
    model = network()
    model[0].requires_grad_(False)
    assert len(build("adam", model, True).param_groups) == 4
    model.requires_grad_(False)
    with pytest.raises(RecipeError, match="asks for a gradient"):
        build("adam", model, True)
