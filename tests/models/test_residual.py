"""The residual network: its shapes, and that it can learn."""

from __future__ import annotations

import pytest
import torch

from modelwright.models.residual import build
from modelwright.models.settings import Residual


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (3, 13)])
def test_pictures_of_any_size_become_logits(channels, side):
    network = build(Residual(widths=(4, 6), blocks=2), {"channels": channels, "classes": ["a", "b", "c"]})
    assert network(torch.randn(2, channels, side, side)).shape == (2, 3)
    assert len(network.blocks) == 4


def test_each_group_after_the_first_halves_the_side():
    network = build(Residual(widths=(4, 6, 8)), {"channels": 3, "classes": ["a", "b"]})
    assert network.blocks(network.stem(torch.randn(1, 3, 16, 16))).shape == (1, 8, 4, 4)


def test_a_tiny_batch_can_be_learnt_by_heart():
    torch.manual_seed(0)
    network = build(Residual(widths=(8, 8)), {"channels": 1, "classes": ["a", "b"]})
    images, targets = torch.randn(8, 1, 8, 8), torch.tensor([0, 1] * 4)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(network(images), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.1
