"""First weights: their spread, what is left alone, and that only the generator decides."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from modelwright.core.errors import RecipeError
from modelwright.methods.optimisation import initialisation as i
from modelwright.methods.optimisation import initialisation_settings as s

WEIGHTS = [
    (i.he_normal, s.HeNormalSettings()),
    (i.he_uniform, s.HeUniformSettings()),
    (i.xavier_normal, s.XavierNormalSettings()),
    (i.xavier_uniform, s.XavierUniformSettings()),
    (i.orthogonal, s.OrthogonalSettings()),
    (i.scaled_residual, s.ScaledResidualSettings(residual=["out"])),
]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(500, 64, padding_idx=3)
        self.position_embedding = nn.Parameter(torch.ones(50, 64))
        self.norm = nn.LayerNorm(64)
        self.convolution = nn.Conv1d(64, 128, 3)
        self.batch_norm = nn.BatchNorm1d(128)
        self.out = nn.Linear(128, 64)
        self.scale = nn.Parameter(torch.full((64,), 0.7))
        self.head = nn.Linear(64, 500, bias=False)
        self.head.weight = self.tokens.weight


def initialised(function, settings, model=None, seed=5):
    torch.manual_seed(0)
    model = model or Net()
    function(settings, model, torch.Generator().manual_seed(seed))
    return model


@pytest.mark.parametrize(("function", "settings"), WEIGHTS)
def test_rules_that_all_share(function, settings):
    model = initialised(function, settings)
    assert model.tokens.weight is model.head.weight
    assert model.tokens.weight.std().item() == pytest.approx(0.02, rel=0.03)
    assert model.position_embedding.std().item() == pytest.approx(0.02, rel=0.05)
    assert not model.tokens.weight[3].any()
    assert not model.out.bias.any()
    assert not model.convolution.bias.any()
    assert not model.norm.bias.any()
    assert all((weight == 1).all() for weight in (model.norm.weight, model.batch_norm.weight))
    assert (model.scale == 0.7).all()


@pytest.mark.parametrize(("function", "settings"), WEIGHTS)
def test_the_generator_alone_decides(function, settings):
    first = initialised(function, settings).state_dict()
    state = torch.get_rng_state()
    torch.manual_seed(99)
    again = Net()
    before = torch.get_rng_state()
    function(settings, again, torch.Generator().manual_seed(5))
    assert torch.equal(torch.get_rng_state(), before)
    torch.set_rng_state(state)
    assert all(torch.equal(first[name], tensor) for name, tensor in again.state_dict().items())
    other = initialised(function, settings, seed=6)
    assert not torch.equal(other.out.weight, first["out.weight"])


@pytest.mark.parametrize(("function", "settings"), WEIGHTS)
def test_number_type_does_not_change_the_draw(function, settings):
    single = initialised(function, settings)
    half = initialised(function, settings, Net().bfloat16())
    assert torch.equal(single.out.weight.bfloat16(), half.out.weight)


@pytest.mark.parametrize(
    ("function", "settings", "spread", "bound"),
    [
        (i.he_normal, s.HeNormalSettings(), math.sqrt(2 / 400), math.inf),
        (i.he_normal, s.HeNormalSettings(slope=0.5), math.sqrt(2 / 1.25 / 400), math.inf),
        (i.he_uniform, s.HeUniformSettings(), math.sqrt(2 / 400), math.sqrt(6 / 400)),
        (i.xavier_normal, s.XavierNormalSettings(gain=2), 2 * math.sqrt(2 / 600), math.inf),
        (i.xavier_uniform, s.XavierUniformSettings(), math.sqrt(2 / 600), math.sqrt(6 / 600)),
    ],
)
def test_spread_is_the_papers(function, settings, spread, bound):
    weight = initialised(function, settings, nn.Linear(400, 200)).weight
    assert weight.std().item() == pytest.approx(spread, rel=0.02)
    assert weight.abs().max().item() <= bound * (1 + 1e-6)


def test_orthogonal_rows():
    weight = initialised(i.orthogonal, s.OrthogonalSettings(gain=2.0), nn.Linear(30, 20)).weight
    torch.testing.assert_close(weight @ weight.T, 4 * torch.eye(20), atol=1e-4, rtol=0)


def test_recurrent_layers_are_drawn_gate_by_gate():
    layer = initialised(i.orthogonal, s.OrthogonalSettings(), nn.LSTM(8, 8))
    for gate in layer.weight_hh_l0.chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(8), atol=1e-5, rtol=0)
    assert not layer.bias_hh_l0.any()


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.ModuleDict({"qkv": nn.Linear(128, 384), "c_proj": nn.Linear(128, 128)})
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(128, 512), "c_proj": nn.Linear(512, 128)})


@pytest.mark.parametrize(("layers", "divisor"), [("auto", math.sqrt(6)), (8, 4.0)])
def test_residual_projections_shrink_with_depth(layers, divisor):
    model = initialised(
        i.scaled_residual, s.ScaledResidualSettings(layers=layers), nn.Sequential(Block(), Block(), Block())
    )
    for block in model:
        assert block.attention["qkv"].weight.std().item() == pytest.approx(0.02, rel=0.03)
        assert block.attention["c_proj"].weight.std().item() == pytest.approx(0.02 / divisor, rel=0.03)
        assert block.mlp["c_proj"].weight.std().item() == pytest.approx(0.02 / divisor, rel=0.03)


def test_no_residual_projection_is_refused_by_name():
    with pytest.raises(RecipeError, match="no weight of the model is named like a residual projection"):
        initialised(i.scaled_residual, s.ScaledResidualSettings(residual=["elsewhere"]))


def test_default_changes_nothing():
    torch.manual_seed(0)
    before = Net().state_dict()
    after = initialised(i.default, s.DefaultSettings()).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
