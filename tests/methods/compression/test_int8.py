"""Layers of int8 compute what torchao computes, and are held in plain tensors."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from modelwright.core.errors import RecipeError
from modelwright.methods.compression.int8 import Int8Linear, plain_int8, quantise_by_torchao, rebuild_int8


def make() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 5, bias=False)).eval()


@pytest.mark.parametrize("dynamic", [True, False])
@torch.inference_mode()
def test_it_computes_what_torchao_computes(dynamic: bool) -> None:
    plain, inputs = make(), torch.randn(7, 3, 24)
    reference = quantise_by_torchao(copy.deepcopy(plain), dynamic)
    ours = copy.deepcopy(reference)
    layers = plain_int8(ours, dynamic)
    assert layers == dict.fromkeys(("0", "2"), "dynamic" if dynamic else "weight_only")
    assert torch.allclose(ours(inputs), reference(inputs), atol=1e-6)
    error = (ours(inputs) - plain(inputs)).abs().max()
    assert 1e-4 < error < 0.1, "eight bits lose something, but not much"
    assert {name: tensor.dtype for name, tensor in ours.state_dict().items() if "weight" in name} == {
        "0.weight": torch.int8,
        "2.weight": torch.int8,
    }


@torch.inference_mode()
def test_it_is_built_again_from_names_and_plain_tensors() -> None:
    ours = quantise_by_torchao(make(), dynamic=True)
    layers = plain_int8(ours, dynamic=True)
    again = make()
    rebuild_int8(again, layers)
    assert isinstance(again[0], Int8Linear)
    again.load_state_dict(ours.state_dict())
    inputs = torch.randn(4, 24)
    assert torch.equal(again(inputs), ours(inputs))


def test_a_network_without_linear_layers_is_refused() -> None:
    with pytest.raises(RecipeError, match="no linear layer that could be quantised"):
        quantise_by_torchao(nn.Sequential(nn.Conv2d(1, 2, 3)), dynamic=True)
