"""Normalisation layers by name: what they compute, where they stand, and what the defaults stay."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from modelwright.core import registry
from modelwright.models.normalisation import (
    EPSILON,
    RootMeanSquareNorm,
    count_groups,
    normalise_channels,
    normalise_features,
)

LEARNT: dict[str, Any] = {"classes": ["a", "b"], "height": 12, "width": 12, "channels": 3, "size": 9, "length": 5}


def build(kind: str, **keys: Any) -> nn.Module:
    torch.manual_seed(1)
    settings = registry.settings_of("model", kind).model_validate({"kind": kind, **keys})
    network: nn.Module = registry.function_of("model", kind)(settings, LEARNT)
    return network


def test_root_mean_square_by_hand() -> None:
    norm = RootMeanSquareNorm(4)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0, 1.0, 1.0]))
    found = norm(torch.tensor([[1.0, 1.0, 3.0, 5.0]]))
    torch.testing.assert_close(found, torch.tensor([[1.0, 2.0, 3.0, 5.0]]) / 3)
    theirs = nn.RMSNorm(4, eps=EPSILON)
    values = torch.randn(3, 4)
    torch.testing.assert_close(RootMeanSquareNorm(4)(values), theirs(values))


def test_root_mean_square_under_autocast() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert RootMeanSquareNorm(4)(torch.randn(3, 4).bfloat16()).dtype is torch.bfloat16


@pytest.mark.parametrize(("channels", "groups"), [(3, 1), (16, 1), (32, 2), (48, 3), (100, 5), (128, 8)])
def test_groups_have_sixteen_channels_or_a_few_more(channels: int, groups: int) -> None:
    assert count_groups(channels) == groups
    assert normalise_channels("group", channels).num_groups == groups


def test_names_lead_to_layers() -> None:
    kinds = {name: type(normalise_channels(name, 32)) for name in ("batch", "group", "layer", "none")}
    assert kinds == {"batch": nn.BatchNorm2d, "group": nn.GroupNorm, "layer": nn.GroupNorm, "none": nn.Identity}
    assert normalise_channels("layer", 32).num_groups == 1
    kinds = {name: type(normalise_features(name, 8)) for name in ("batch", "layer", "rms", "none")}
    assert kinds == {
        "batch": nn.BatchNorm1d,
        "layer": nn.LayerNorm,
        "rms": RootMeanSquareNorm,
        "none": nn.Identity,
    }


def norms_of(network: nn.Module) -> list[str]:
    return [type(module).__name__ for module in network.modules() if "Norm" in type(module).__name__]


@pytest.mark.parametrize(
    ("kind", "keys", "norms"),
    [
        ("cnn", {"channels": [4, 4]}, []),
        ("cnn", {"channels": [4, 4], "normalisation": "batch"}, ["BatchNorm2d"] * 2),
        ("cnn", {"channels": [4, 4], "normalisation": "group"}, ["GroupNorm"] * 2),
        ("residual", {"widths": [4]}, ["BatchNorm2d"] * 3),
        ("residual", {"widths": [4], "normalisation": "layer"}, ["GroupNorm"] * 3),
        ("residual", {"widths": [4], "normalisation": "none"}, []),
        ("mlp", {"hidden": [4, 4]}, []),
        ("mlp", {"hidden": [4, 4], "normalisation": "rms"}, ["RootMeanSquareNorm"] * 2),
        ("transformer", {"width": 8, "layers": 1}, ["LayerNorm"] * 3),
        ("transformer", {"width": 8, "layers": 1, "normalisation": "rms"}, ["RootMeanSquareNorm"] * 3),
    ],
)
def test_models_have_what_was_asked_for(kind: str, keys: dict[str, Any], norms: list[str]) -> None:
    assert norms_of(build(kind, **keys)) == norms


@pytest.mark.parametrize("initialisation", ["he_normal", "orthogonal"])
def test_initialisers_leave_gains_alone(initialisation: str) -> None:
    network = build("mlp", hidden=[4], normalisation="rms")
    settings = registry.settings_of("initialisation", initialisation)()
    registry.function_of("initialisation", initialisation)(settings, network, torch.Generator().manual_seed(1))
    assert torch.equal(network.layers[1].weight, torch.ones(4))
