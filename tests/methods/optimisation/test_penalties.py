"""Penalties, norms and clipping against their definitions."""

from __future__ import annotations

import pytest
import torch

from modelwright.methods.optimisation.penalties import (
    add_l1_gradient,
    clip_by_norm,
    clip_by_value,
    gradient_norm,
    l1_penalty,
)


def with_gradients():
    first, second, third = (torch.nn.Parameter(torch.tensor(values)) for values in ([1.0, -2.0], [[0.0, 0.5]], [7.0]))
    first.grad, second.grad = torch.tensor([3.0, 0.0]), torch.tensor([[-4.0, 0.0]])
    return [first, second, third]


def test_l1_penalty_is_the_sum_and_has_the_sign_as_gradient():
    parameters = with_gradients()
    assert l1_penalty(parameters).item() == 10.5
    (gradient,) = torch.autograd.grad(l1_penalty(parameters), parameters[:1])
    assert gradient.tolist() == [1.0, -1.0]
    assert l1_penalty([]).item() == 0.0


def test_add_l1_gradient_adds_where_there_is_a_gradient():
    parameters = with_gradients()
    add_l1_gradient(iter(parameters), 0.5)
    assert parameters[0].grad.tolist() == [3.5, -0.5]
    assert parameters[1].grad.tolist() == [[-4.0, 0.5]]
    assert parameters[2].grad is None


def test_gradient_norm_spans_all_parameters():
    assert gradient_norm(with_gradients()).item() == 5.0
    assert gradient_norm(iter(with_gradients()), order=1.0).item() == 7.0
    assert gradient_norm([torch.nn.Parameter(torch.zeros(2))]).item() == 0.0


@pytest.mark.parametrize(("limit", "after"), [(1.0, 1.0), (10.0, 5.0)])
def test_clip_by_norm_returns_the_norm_before(limit, after):
    parameters = with_gradients()
    assert clip_by_norm(iter(parameters), limit).item() == 5.0
    assert gradient_norm(parameters).item() == pytest.approx(after, rel=1e-5)


def test_clip_by_norm_shows_a_norm_that_is_not_finite():
    parameters = with_gradients()
    parameters[0].grad[0] = float("inf")
    assert not clip_by_norm(parameters, 1.0).isfinite()


def test_clip_by_value_cuts_each_entry():
    parameters = with_gradients()
    clip_by_value(parameters, 3.5)
    assert parameters[0].grad.tolist() == [3.0, 0.0]
    assert parameters[1].grad.tolist() == [[-3.5, 0.0]]
