"""What reads for writing: the logits of the decoder, from the same weights, which go on to be trained as before."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from modelwright.methods.low_rank.adapt import adapt_lora
from modelwright.methods.low_rank.settings import Lora
from modelwright.models.cache import Cache, Slots
from modelwright.models.decoder import DecoderModel
from modelwright.models.decoder_settings import Decoder
from modelwright.models.reading import Reader, is_plain, reader_of, side_by_side

VOCABULARY, LENGTH, LAYERS, WIDTH = 31, 24, 2, 4
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "grouped": {"key_value_heads": 2},
    "qwen2": {"key_value_heads": 1, "attention_bias": True, "tied": False},
    "qwen3": {"key_value_heads": 2, "query_key_norm": True},
}


def made(**more: Any) -> DecoderModel:
    torch.manual_seed(3)
    sizes = {"layers": LAYERS, "width": 16, "heads": 4, "hidden": 24}
    network = DecoderModel(Decoder.model_validate({"kind": "decoder", **sizes, **more}), VOCABULARY, LENGTH)
    with torch.no_grad():
        for parameter in network.parameters():
            # Gains and biases differ, and logits are far from even.
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network.eval()


def heads_of(network: DecoderModel) -> int:
    return network.shape.key_value_heads


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("steps", [[1] * 12, [5, 1, 1, 5], [12]])
def test_the_reader_reads_as_the_decoder(name: str, steps: list[int]) -> None:
    network, tokens = made(**SHAPES[name]), torch.randint(0, VOCABULARY, (3, 12))
    padding = torch.tensor([0, 2, 4])
    reader = reader_of(network)
    assert isinstance(reader, Reader)
    for left in (None, padding):
        ours, theirs = (Cache(LAYERS, 3, heads_of(network), LENGTH, WIDTH, left) for _ in range(2))
        with torch.inference_mode():
            expected = torch.cat([network(part, cache=theirs) for part in tokens.split(steps, dim=1)], dim=1)
            found = torch.cat([reader(part, cache=ours) for part in tokens.split(steps, dim=1)], dim=1)
        seen = torch.arange(12) >= (torch.zeros(3) if left is None else padding)[:, None]
        torch.testing.assert_close(found[seen], expected[seen], atol=2e-5, rtol=1e-5)


def test_rows_that_came_at_different_times_are_read_as_by_the_decoder() -> None:
    network, prompts = made(**SHAPES["grouped"]), [[1, 2, 3], [4], [5, 6]]
    found = []
    for read in (network, reader_of(network)):
        slots = Slots(LAYERS, 3, 2, LENGTH, WIDTH)
        with torch.inference_mode():
            for prompt in prompts:
                row = slots.add_row()
                read(torch.tensor([prompt]), cache=slots.first_read(row))
                slots.set_length(row, len(prompt))
            found.append([read(torch.tensor([[7], [8], [9]]), cache=slots) for _ in range(3)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-5)


def test_weights_lie_side_by_side_once_and_stay_what_they_were() -> None:
    network = made(**SHAPES["qwen2"])
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.inference_mode():
        reader_of(network)
    places = [parameter.data_ptr() for parameter in network.parameters()]
    reader_of(network)
    assert places == [parameter.data_ptr() for parameter in network.parameters()]
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    # What they are views of follows them, and a copy of the weights elsewhere is laid out anew.
    query = network.blocks[0].attention.query.weight
    joined = side_by_side([query, network.blocks[0].attention.key.weight, network.blocks[0].attention.value.weight])
    with torch.no_grad():
        query.fill_(2.0)
    assert torch.equal(joined[: len(query)], query)
    query.data = torch.full_like(query, 3.0)
    side_by_side([query, network.blocks[0].attention.key.weight, network.blocks[0].attention.value.weight])
    assert torch.equal(query, torch.full_like(query, 3.0))


def test_training_after_reading_is_training() -> None:
    losses = []
    for read in (False, True):
        network, tokens = made(), torch.arange(20)[None]
        if read:
            with torch.inference_mode():
                reader_of(network)
        optimiser = torch.optim.SGD(network.train().parameters(), lr=0.1)
        for _ in range(3):
            loss = network(tokens[:, :-1], targets=tokens[:, 1:]).mean()
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_what_is_not_a_plain_decoder_reads_by_itself() -> None:
    adapted = made()
    adapt_lora(Lora(rank=2), adapted, torch.Generator().manual_seed(1))
    halved = made().to(torch.bfloat16)
    for network in (adapted, halved, nn.Linear(2, 2)):
        assert not is_plain(network)
        assert reader_of(network) is network
