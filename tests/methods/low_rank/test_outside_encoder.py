"""An encoder from outside: thin products beside its layers, and its blocks computed twice."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from modelwright.core import registry
from modelwright.methods.low_rank.adapt import adapt_lora, merge
from modelwright.methods.low_rank.settings import Lora
from modelwright.methods.memory.checkpointing import checkpoint_blocks
from modelwright.models.blocks import find_blocks

pytest.importorskip("transformers")
CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 2,
    "num_hidden_layers": 3,
    "vocab_size": 30,
    "max_position_embeddings": 12,
}


@pytest.fixture(scope="module")
def plain() -> nn.Module:
    torch.manual_seed(1)
    learnt = {"classes": ["a", "b"], "size": 30, "length": 9, "pretrained": {"config": CONFIG}}
    network: nn.Module = registry.function_of("model", "hf")(
        registry.settings_of("model", "hf")(path="nowhere"), learnt
    )
    return network


def losses(network: nn.Module) -> torch.Tensor:
    torch.manual_seed(2)
    logits = network(tokens=torch.arange(1, 13).view(2, 6), length=torch.tensor([6, 4]))
    return nn.functional.cross_entropy(logits, torch.tensor([0, 1]), reduction="none")


def test_queries_and_values_learn_and_become_plain(plain: nn.Module) -> None:
    network = copy.deepcopy(plain).eval()
    before = losses(network)
    assert adapt_lora(Lora(rank=2, targets=["query", "value"]), network, torch.Generator().manual_seed(1)) == 6
    assert torch.equal(losses(network), before)
    optimiser = torch.optim.SGD([weight for weight in network.parameters() if weight.requires_grad], lr=0.5)
    for _ in range(3):
        losses(network).sum().backward()
        optimiser.step()
        optimiser.zero_grad()
    trained = losses(network)
    assert float((trained - before).detach().abs().max()) > 1e-3
    torch.testing.assert_close(losses(merge(network)), trained, atol=1e-5, rtol=0)
    assert network.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize("how", ["blocks", "selective"])
def test_its_blocks_are_found_and_computed_twice(plain: nn.Module, how: Any) -> None:
    found = {}
    for thrifty in (False, True):
        network = copy.deepcopy(plain).train()
        if thrifty:
            blocks = find_blocks(network, "encoder.*", "hf")
            assert [type(block).__name__ for block in blocks] == ["BertLayer"] * 3
            checkpoint_blocks(blocks, how)
        loss = losses(network)
        loss.sum().backward()
        found[thrifty] = [loss, *(weight.grad for weight in network.parameters() if weight.grad is not None)]
    assert len(found[True]) == len(found[False]) > 10
    assert all(torch.equal(one, two) for one, two in zip(found[True], found[False], strict=True))
