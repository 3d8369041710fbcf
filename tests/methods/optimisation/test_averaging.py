"""Averages of weights against the sums they stand for."""

from __future__ import annotations

import pytest
import torch

from modelwright.methods.optimisation.averaging import start_average, update_exponential, update_uniform


def passed_through(count=6):
    generator = torch.Generator().manual_seed(2)
    return [
        {
            "weight": torch.randn(3, 2, generator=generator, dtype=torch.float64),
            "bias": torch.randn(2, generator=generator),
            "batches": torch.tensor(number),
        }
        for number in range(count)
    ]


def test_exponential_average_is_the_bias_corrected_one():
    decay, weights = 0.9, passed_through()
    average = start_average(weights[0])
    naive = torch.zeros(3, 2, dtype=torch.float64)
    for updates, present in enumerate(weights):
        update_exponential(average, present, decay, updates)
        naive = decay * naive + (1 - decay) * present["weight"]
        torch.testing.assert_close(average["weight"], naive / (1 - decay ** (updates + 1)))
    assert average["batches"].item() == 5


def test_uniform_average_is_the_mean():
    weights = passed_through()
    average = start_average(weights[0])
    for updates, present in enumerate(weights):
        update_uniform(average, present, updates)
    torch.testing.assert_close(average["weight"], torch.stack([present["weight"] for present in weights]).mean(0))
    torch.testing.assert_close(average["bias"], torch.stack([present["bias"] for present in weights]).mean(0))


def test_average_is_changed_in_place_and_weights_are_not():
    weights = passed_through(2)
    average = start_average(weights[0])
    places = {name: tensor.data_ptr() for name, tensor in average.items()}
    before = weights[1]["weight"].clone()
    update_exponential(average, weights[1], 0.5, 3)
    assert places == {name: tensor.data_ptr() for name, tensor in average.items()}
    assert torch.equal(weights[1]["weight"], before)
    assert not torch.equal(average["weight"], weights[0]["weight"])


def test_small_changes_survive_in_short_number_types():
    average = start_average({"weight": torch.ones(1, dtype=torch.bfloat16)})
    for _ in range(10):
        update_exponential(average, {"weight": torch.full((1,), 2.0, dtype=torch.bfloat16)}, 0.9999, 10**6)
    assert average["weight"].item() == pytest.approx(1 + 1e-3, rel=1e-5)


def test_parameters_can_be_averaged_without_a_graph():
    model = torch.nn.Linear(2, 2)
    average = start_average(dict(model.named_parameters()))
    update_uniform(average, dict(model.named_parameters()), 1)
    assert not any(tensor.requires_grad for tensor in average.values())


def test_other_names_are_refused():
    with pytest.raises(ValueError, match="found different names in average and weights: \\['bias'\\]"):
        update_uniform({"weight": torch.zeros(1)}, {"weight": torch.zeros(1), "bias": torch.zeros(1)}, 0)
