"""Channels are really gone: smaller tensors, fewer operations, and a network that is built again from widths."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from modelwright.core import registry
from modelwright.core.errors import RecipeError
from modelwright.methods.compression.channels import rebuild_widths, remove_channels, widths_of

LEARNT = {"channels": 1, "height": 12, "width": 12, "classes": ["a", "b", "c"]}
PICTURE = {"image": torch.rand(2, 1, 12, 12)}
NETWORKS: list[dict[str, Any]] = [
    {"kind": "cnn", "channels": [8, 16], "normalisation": "batch", "dense": 12},
    {"kind": "residual", "widths": [16, 32], "normalisation": "batch"},
    {"kind": "residual", "widths": [32, 64], "normalisation": "group"},
    {"kind": "mlp", "hidden": [20, 10], "normalisation": "batch"},
]


def build(section: dict[str, Any]) -> nn.Module:
    torch.manual_seed(1)
    settings = registry.settings_of("model", section["kind"]).model_validate(section)
    network: nn.Module = registry.function_of("model", section["kind"])(settings, LEARNT)
    return network.eval()


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("section", NETWORKS, ids=lambda section: f"{section['kind']}-{section['normalisation']}")
def test_half_of_the_channels_are_gone(section: dict[str, Any]) -> None:
    network = build(section)
    before = count(network)
    remove_channels(network, PICTURE, 0.5)
    assert count(network) < 0.55 * before
    answers = network(**PICTURE)
    assert answers.shape == (2, 3), "the answer keeps its width"
    again = build(section)
    rebuild_widths(again, widths_of(network))
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(**PICTURE), answers)


def test_the_weakest_channels_go() -> None:
    network = build({"kind": "mlp", "hidden": [6]})
    layers = network.layers
    with torch.no_grad():
        layers[0].weight[[1, 4]] *= 1e-3
        layers[0].bias.zero_()
        layers[-1].weight[:, [1, 4]] *= 1e-3
    expected = network(**PICTURE)
    remove_channels(network, PICTURE, 1 / 3)
    assert layers[0].out_features == 4
    assert torch.allclose(network(**PICTURE), expected, atol=1e-3)


@pytest.mark.parametrize(
    "network", [nn.Sequential(nn.Linear(4, 2)), nn.Sequential(nn.Linear(4, 4), nn.LSTM(4, 4), nn.Linear(4, 2))]
)
def test_a_network_that_cannot_be_traced_is_refused(network: nn.Module) -> None:
    with pytest.raises(RecipeError, match="the channels of this model cannot be removed"):
        remove_channels(network, {}, 0.5)


def test_widths_of_another_kind_of_layer_are_noticed() -> None:
    with pytest.raises(ValueError, match="0 has no widths num_features"):
        rebuild_widths(nn.Sequential(nn.Linear(2, 2)), {"0": {"num_features": 3}})
