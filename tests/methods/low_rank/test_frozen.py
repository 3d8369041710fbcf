"""Weights of few bits: how far they are from the plain ones, their gradient, and the way back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from modelwright.methods.low_rank.adapt import adapt_lora, merge
from modelwright.methods.low_rank.frozen import GROUP, FrozenLinear
from modelwright.methods.low_rank.settings import Lora


@pytest.mark.parametrize("inputs", [GROUP, 100])
@pytest.mark.parametrize(("bits", "bound"), [(8, 127), (4, 7)])
def test_no_weight_is_further_than_half_a_step(inputs: int, bits: int, bound: int) -> None:
    torch.manual_seed(0)
    plain = nn.Linear(inputs, 24)
    frozen = FrozenLinear(plain, bits)
    size = GROUP if bits == 4 else inputs
    for start in range(0, inputs, size):
        part = plain.weight.detach()[:, start : start + size]
        step = part.abs().amax(dim=1, keepdim=True) / bound
        away = (frozen.weight()[:, start : start + size] - part).abs()
        assert (away <= step / 2 + 1e-7).all()
        assert away.max() > 0
    values = torch.randn(5, inputs)
    torch.testing.assert_close(frozen(values), nn.functional.linear(values, frozen.weight(), plain.bias))
    torch.testing.assert_close(frozen.plain()(values), frozen(values))


def test_four_bits_are_half_a_byte() -> None:
    assert FrozenLinear(nn.Linear(128, 32), 4).codes.nbytes == 128 * 32 // 2
    assert FrozenLinear(nn.Linear(128, 32), 8).codes.nbytes == 128 * 32


def test_the_gradient_goes_through_and_no_weight_is_kept_for_it() -> None:
    torch.manual_seed(0)
    frozen = FrozenLinear(nn.Linear(64, 16), 4)
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    values, weights = torch.randn(3, 64, requires_grad=True), torch.randn(3, 16)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        (frozen(values) * weights).sum().backward()
    torch.testing.assert_close(values.grad, weights @ frozen.weight())
    assert all(count < 64 * 16 for count in kept)


@pytest.mark.parametrize("base", ["int8", "int4"])
def test_only_the_thin_product_learns_and_merging_keeps_the_answers(base: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
    settings = Lora.model_validate({"rank": 2, "targets": ["0"], "base": base, "full": "^4"})
    adapt_lora(settings, model, torch.Generator().manual_seed(1))
    learning = [name for name, item in model.named_parameters() if item.requires_grad]
    assert learning == ["0.down", "0.up", "4.weight", "4.bias"]
    assert isinstance(model[2], FrozenLinear)
    with torch.no_grad():
        model[0].up.normal_()
    values = torch.randn(7, 64)
    before = model(values)
    merge(model)
    assert [type(layer) for layer in model] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    torch.testing.assert_close(model(values), before, atol=1e-5, rtol=1e-5)
