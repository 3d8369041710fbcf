"""Generation: greedy is the plain loop, seeds are honoured, likely tokens are drawn as often as the model says."""

from __future__ import annotations

import pytest
import torch

from modelwright.engine.generation import GREEDY, Sampling, choose, write
from modelwright.models.decoder import DecoderModel
from modelwright.models.decoder_settings import Decoder

VOCABULARY, LENGTH = 29, 24


@pytest.fixture(scope="module")
def network() -> DecoderModel:
    torch.manual_seed(1)
    sizes = {"layers": 2, "width": 16, "heads": 4, "key_value_heads": 2, "hidden": 24, "query_key_norm": True}
    made = DecoderModel(Decoder.model_validate({"kind": "decoder", **sizes}), VOCABULARY, LENGTH)
    with torch.no_grad():
        # Far from its first weights, so that answers differ.
        for parameter in made.parameters():
            parameter.mul_(3)
    return made


def plainly(network: DecoderModel, prompt: list[int], count: int) -> list[int]:
    """Return the greedy answer by reading everything again for each token."""
    row = list(prompt)
    with torch.inference_mode():
        for _ in range(count):
            row.append(int(network.eval()(torch.tensor([row]))[0, -1].argmax()))
    return row[len(prompt) :]


def test_greedy_is_the_plain_loop_for_rows_of_any_length(network: DecoderModel) -> None:
    prompts = [[3, 5, 7], [1], [9, 8, 7, 6, 5, 4, 3, 2, 1]]
    expected = [plainly(network, prompt, 12) for prompt in prompts]
    assert write(network, prompts, 12, None) == expected
    assert [write(network, [prompt], 12, None)[0] for prompt in prompts] == expected
    assert len({tuple(row) for row in expected}) == 3


def test_a_row_ends_before_the_end_and_others_go_on(network: DecoderModel) -> None:
    prompts = [[3, 5, 7], [1]]
    whole = write(network, prompts, 10, None)
    end = whole[0][4]
    cut = write(network, prompts, 10, end)
    for row, ended in zip(whole, cut, strict=True):
        assert ended == (row[: row.index(end)] if end in row else row)


def test_a_text_longer_than_the_model_goes_on(network: DecoderModel) -> None:
    found = write(network, [[1, 2]], 3 * LENGTH, None)[0]
    assert len(found) == 3 * LENGTH
    assert found[: LENGTH - 2] == plainly(network, [1, 2], LENGTH - 2)
    assert len(write(network, [list(range(20)) * 3], 5, None)[0]) == 5


def test_seeds_and_training_mode(network: DecoderModel) -> None:
    drawn = Sampling(temperature=1.0)
    network.train()
    one, again, other = (write(network, [[1, 2]], 15, None, drawn, seed) for seed in (1, 1, 2))
    assert one == again != other
    assert network.training
    assert write(network, [[1]], 0, None) == [[]]


def test_tokens_are_drawn_as_often_as_their_probability() -> None:
    logits = torch.tensor([0.4, 0.3, 0.2, 0.1]).log().repeat(20_000, 1)
    generator = torch.Generator().manual_seed(0)

    def shares(**how: float) -> list[float]:
        counts = choose(logits, Sampling(**{"temperature": 1.0, **how}), generator).bincount(minlength=4)  # type: ignore[arg-type]
        return (counts / counts.sum()).tolist()

    assert shares() == pytest.approx([0.4, 0.3, 0.2, 0.1], abs=0.02)
    assert shares(most=2) == pytest.approx([4 / 7, 3 / 7, 0, 0], abs=0.02)
    assert shares(nucleus=0.65) == pytest.approx([4 / 7, 3 / 7, 0, 0], abs=0.02)
    assert shares(nucleus=0.01) == [1, 0, 0, 0]
    assert shares(temperature=0.5) == pytest.approx([16 / 30, 9 / 30, 4 / 30, 1 / 30], abs=0.02)
    assert choose(logits[:1], GREEDY, None).tolist() == [0]
