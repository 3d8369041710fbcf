"""The attention that a Transformer shows is the one that it computes with."""

from __future__ import annotations

import torch

from modelwright.models.settings import Transformer
from modelwright.models.transformer import attention_of, build


def test_the_attention_shown_mixes_values_as_the_network_does() -> None:
    torch.manual_seed(1)
    learnt = {"size": 30, "length": 9, "classes": ["a", "b"]}
    network = build(Transformer(width=16, heads=2, layers=2), learnt).eval()
    tokens, length = torch.randint(1, 30, (2, 9)), torch.tensor([9, 5])
    given: list[torch.Tensor] = []
    mixed: list[torch.Tensor] = []
    for block in network.blocks:
        block.queries_keys_values.register_forward_hook(lambda _module, _given, answer: given.append(answer))
        block.mix.register_forward_pre_hook(lambda _module, inputs: mixed.append(inputs[0]))
    layers = attention_of(network, tokens, length)
    for layer, projected, expected in zip(layers, given, mixed, strict=True):
        assert layer.shape == (2, 2, 9, 9)
        torch.testing.assert_close(layer.sum(dim=-1), torch.ones(2, 2, 9))
        assert float(layer[1, :, :, 5:].max()) == 0, "nobody attends to padding"
        value = projected.view(2, 9, 3, 2, 8)[:, :, 2].transpose(1, 2)
        torch.testing.assert_close((layer @ value).transpose(1, 2).reshape(2, 9, 16), expected)
