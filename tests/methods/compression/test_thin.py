"""Thin layers: the rank that keeps a share of the energy, the nearest product, and only where it is smaller."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from modelwright.core.errors import RecipeError
from modelwright.methods.compression.thin import factor_layers, rank_of_energy, rebuild_thin


@pytest.mark.parametrize(("share", "rank"), [(0.5, 1), (0.64, 1), (0.65, 2), (0.98, 2), (0.999, 3)])
def test_the_least_rank_that_keeps_the_energy(share: float, rank: int) -> None:
    # Squares 64, 35, 1: shares 0.64, 0.99, 1.
    assert rank_of_energy(torch.tensor([8.0, 35**0.5, 1.0]), share) == rank


def test_a_matrix_of_low_rank_is_kept_exactly() -> None:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.randn(30, 4) @ torch.randn(4, 20))
    inputs = torch.randn(5, 20)
    expected = network(inputs)
    before = sum(parameter.numel() for parameter in network.parameters())
    ranks = factor_layers(network, 0.9999999)
    assert ranks == {"0": 4}, "two outputs cannot become smaller"
    assert torch.allclose(network(inputs), expected, atol=1e-4)
    assert before - sum(parameter.numel() for parameter in network.parameters()) == 600 - 4 * 50
    again = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 2))
    rebuild_thin(again, ranks)
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(inputs), network(inputs))


def test_a_rank_at_which_nothing_is_smaller_is_refused() -> None:
    with pytest.raises(RecipeError, match="none of the model's 1 linear layers would become smaller"):
        factor_layers(nn.Sequential(nn.Linear(6, 6)), 3)
