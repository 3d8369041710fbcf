"""Activation checkpointing changes memory and nothing else: losses, gradients, statistics and random numbers stay."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from modelwright.core import registry
from modelwright.core.errors import RecipeError
from modelwright.methods.memory.checkpointing import checkpoint_blocks
from modelwright.models.blocks import find_blocks

CLASSES = ["a", "b", "c"]
MODELS: dict[str, dict[str, Any]] = {
    "transformer": {"width": 8, "heads": 2, "layers": 3, "dropout": 0.3},
    "residual": {"widths": [4, 6], "blocks": 2, "dropout": 0.3},
    "backbone": {"weights": "random", "size": 32},
}


def build(kind: str) -> tuple[torch.nn.Module, list[torch.nn.Module]]:
    """Return a network in training, and its blocks."""
    torch.manual_seed(1)
    settings = registry.settings_of("model", kind).model_validate({"kind": kind, **MODELS[kind]})
    learnt = {"classes": CLASSES, "size": 20, "length": 9, "height": 12, "width": 12, "channels": 3, "mean": 0.0}
    learnt |= {"deviation": 1.0, "means": [0.0] * 3, "deviations": [1.0] * 3}
    network = registry.function_of("model", kind)(settings, learnt)
    return network, find_blocks(network, type(settings).block_list, kind)


def inputs(kind: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(2)
    if kind == "transformer":
        return {"tokens": torch.randint(1, 20, (4, 7)), "length": torch.tensor([7, 3, 5, 1])}
    return {"image": torch.randn(4, 3, 12, 12)}


def one_pass(network: torch.nn.Module, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return loss, gradients, buffers and the next random number after one forward and backward pass."""
    network.zero_grad()
    torch.manual_seed(3)
    loss = network(**given).float().square().mean()
    loss.backward()
    found = {"loss": loss.detach(), "random": torch.rand(3)}
    found |= {name: weight.grad.clone() for name, weight in network.named_parameters() if weight.grad is not None}
    return found | {f"buffer {name}": buffer.clone() for name, buffer in network.named_buffers()}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("how", ["blocks", "selective"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_nothing_but_memory_changes(kind: str, how: Any, precision: torch.dtype) -> None:
    network, blocks = build(kind)
    thrifty = copy.deepcopy(network)
    checkpoint_blocks(find_blocks(thrifty, path_of(kind), kind), how)
    with torch.autocast("cpu", dtype=precision, enabled=precision is torch.bfloat16):
        expected, found = one_pass(network, inputs(kind)), one_pass(thrifty, inputs(kind))
    assert len(blocks) > 1
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name


def path_of(kind: str) -> str:
    return registry.settings_of("model", kind).block_list  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("how", ["blocks", "selective"])
def test_blocks_are_computed_twice_in_training_and_once_otherwise(how: Any) -> None:
    network, blocks = build("transformer")
    calls: list[str] = []
    blocks[1].feed_norm.register_forward_hook(lambda module, given, output: calls.append("seen"))
    checkpoint_blocks(blocks, how)
    network(**inputs("transformer")).sum().backward()
    assert len(calls) == 2
    with torch.no_grad():
        network(**inputs("transformer"))
    network.eval()
    network(**inputs("transformer"))
    assert len(calls) == 4


def test_less_is_kept_between_the_passes() -> None:
    """Counted in tensors that autograd saves."""

    def saved(how: Any) -> int:
        network, blocks = build("transformer")
        if how != "none":
            checkpoint_blocks(blocks, how)
        sizes: list[int] = []

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            network(**inputs("transformer"))
        return len(sizes)

    assert saved("blocks") < saved("none") / 2
    assert saved("selective") < saved("none") / 2


def test_a_copy_of_a_network_computes_with_its_own_weights() -> None:
    network, blocks = build("transformer")
    checkpoint_blocks(blocks, "blocks")
    twin = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    twin.train()
    assert float(twin(**inputs("transformer")).detach().abs().sum()) > 0


def test_a_model_without_blocks_is_refused_by_name() -> None:
    with pytest.raises(RecipeError, match="the model 'lstm' has no blocks"):
        find_blocks(torch.nn.LSTM(3, 4), "", "lstm")


def test_the_blocks_of_an_outside_encoder_are_its_longest_list() -> None:
    encoder = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ModuleList(torch.nn.ReLU() for _ in range(5)))
    assert len(find_blocks(torch.nn.ModuleDict({"encoder": encoder}), "encoder.*", "hf")) == 5
