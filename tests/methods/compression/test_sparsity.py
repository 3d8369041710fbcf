"""Which weights become zero, and that what is stored without zeros comes back bit by bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from modelwright.methods.compression.sparsity import pack, unpack, zero_smallest


def test_the_smallest_go_over_the_whole_network() -> None:
    network = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.arange(1, 13).view(3, 4) * torch.tensor([1.0, -1.0, 1.0, -1.0]))
        network[1].weight.fill_(100.0)
        network[0].bias.fill_(1e-9)
    masks = zero_smallest(network, 0.5)
    # 18 weights, of which the nine smallest lie in the first layer.
    assert network[0].weight.flatten().tolist() == [0.0] * 9 + [
        -10.0 if i == 9 else 11.0 if i == 10 else -12.0 for i in (9, 10, 11)
    ]
    assert bool((network[1].weight == 100.0).all())
    assert bool((network[0].bias == 1e-9).all()), "vectors are left alone"
    assert masks["0.weight"].sum() == 3
    assert masks["1.weight"].all()


def test_ties_take_no_more_than_was_asked_for() -> None:
    network = nn.Linear(10, 10)
    nn.init.ones_(network.weight)
    zero_smallest(network, 0.3)
    assert int((network.weight == 0).sum()) == 30
    zero_smallest(network, 0.001)
    assert int((network.weight == 0).sum()) == 30


@pytest.mark.parametrize("dtype", [torch.float32, torch.int8])
def test_what_is_packed_comes_back(dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    sparse = (torch.randn(13, 17) * 50).to(dtype) * (torch.rand(13, 17) < 0.4)
    tensors = {"a": sparse, "full": torch.randn(10, 10), "small": torch.zeros(5), "empty": torch.zeros(200)}
    stored = pack(tensors)
    assert set(stored) == {"a.mask", "a.values", "full", "small", "empty.mask", "empty.values"}
    assert stored["a.values"].numel() == int((sparse != 0).sum())
    size = sum(stored[f"a.{part}"].nbytes for part in ("mask", "values"))
    assert size < 0.7 * sparse.nbytes
    again = unpack(stored, {name: tensor.shape for name, tensor in tensors.items()})
    assert {name: tensor.dtype for name, tensor in again.items()} == {name: t.dtype for name, t in tensors.items()}
    assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())


def test_a_mask_that_does_not_fit_is_noticed() -> None:
    stored = pack({"a": torch.zeros(100)})
    with pytest.raises(ValueError, match="does not fit its shape"):
        unpack(stored, {"a": torch.Size((10, 20))})
    stored["a.values"] = torch.ones(3)
    with pytest.raises(ValueError, match="speaks of 0 values, 3 are there"):
        unpack(stored, {"a": torch.Size((100,))})
