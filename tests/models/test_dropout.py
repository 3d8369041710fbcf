"""Our dropout drops what it says, as often as it says, and lets the rest through with its mean unchanged."""

from __future__ import annotations

import pytest
import torch

from modelwright.models.dropout import Dropout


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_the_share_that_is_dropped_and_the_scale_of_the_rest(probability: float) -> None:
    torch.manual_seed(0)
    answer = Dropout(probability)(torch.ones(1000, 300))
    dropped = answer == 0
    # 300,000 draws: four deviations are at most 0.0037.
    assert dropped.float().mean() == pytest.approx(probability, abs=0.004)
    assert answer[~dropped].unique().tolist() == pytest.approx([1 / (1 - probability)], rel=2e-4)
    assert answer.mean() == pytest.approx(1.0, abs=0.02)


def test_elements_are_dropped_independently() -> None:
    torch.manual_seed(1)
    dropped = (Dropout(0.5)(torch.ones(4000, 64)) == 0).float() - 0.5
    # Four elements share a draw; none of them may know of another.
    together = (dropped.T @ dropped / 4000 * 4).fill_diagonal_(0)
    assert together.abs().max() < 0.1


def test_gradients_pass_where_values_do() -> None:
    torch.manual_seed(2)
    values = torch.randn(7, 5, requires_grad=True)
    answer = Dropout(0.4)(values)
    answer.sum().backward()
    assert values.grad is not None
    assert torch.equal(answer, values * values.grad)
    assert torch.equal(values.grad == 0, answer == 0)


def test_the_same_seed_drops_the_same_and_another_step_does_not() -> None:
    module, values = Dropout(0.5), torch.ones(100)
    torch.manual_seed(3)
    first, second = module(values), module(values)
    torch.manual_seed(3)
    assert torch.equal(module(values), first)
    assert not torch.equal(first, second)


def test_nothing_happens_outside_training_or_without_a_probability() -> None:
    values = torch.randn(10)
    assert Dropout(0.5).eval()(values) is values
    assert Dropout(0.0)(values) is values
    assert torch.equal(Dropout(1.0)(values), torch.zeros(10))


@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (2, 3, 4, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shape_and_type_stay(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    values = torch.ones(shape, dtype=dtype)
    answer = Dropout(0.3)(values)
    assert (answer.shape, answer.dtype) == (values.shape, dtype)
    pictures = torch.ones(2, 3, 4, 4).to(memory_format=torch.channels_last)
    assert Dropout(0.3)(pictures).is_contiguous(memory_format=torch.channels_last)
