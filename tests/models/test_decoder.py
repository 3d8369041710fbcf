"""The decoder: its sizes, its loss in chunks, its first weights, and reading with a cache."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from modelwright.models import decoder as module
from modelwright.models.cache import Cache
from modelwright.models.decoder import DecoderModel, token_losses
from modelwright.models.decoder_settings import SIZES, Decoder, shape_of

VOCABULARY, LENGTH = 23, 16


def tiny(**settings: object) -> DecoderModel:
    torch.manual_seed(0)
    sizes = {"layers": 2, "width": 16, "heads": 4, "key_value_heads": 2, "hidden": 24, **settings}
    return DecoderModel(Decoder.model_validate({"kind": "decoder", **sizes}), VOCABULARY, LENGTH)


# Weights in millions, of blocks alone, as the name says: within a fifth.
@pytest.mark.parametrize("name", SIZES)
def test_a_size_weighs_what_its_name_says(name: str) -> None:
    with torch.device("meta"):
        model = DecoderModel(Decoder.model_validate({"kind": "decoder", "size": name}), 128, 8)
    weights = sum(parameter.numel() for parameter in model.blocks.parameters())
    stated = float(name[:-1]) * {"M": 1e6, "B": 1e9}[name[-1]]
    # The names count embeddings, which are a third of a small model and little of a large one.
    assert 0.65 * stated < weights < 1.2 * stated


def test_the_dial_makes_everything_from_one_number() -> None:
    sizes = [shape_of(Decoder(size=layers)) for layers in (1, 6, 12, 30)]
    assert [(shape.layers, shape.width, shape.heads, shape.head_width) for shape in sizes] == [
        (layers, 64 * layers, layers, 64) for layers in (1, 6, 12, 30)
    ]
    assert sizes[1] == SIZES["10M"]
    assert shape_of(Decoder(size=6, layers=2)).layers == 2


@pytest.mark.parametrize(
    "wrong",
    [{"heads": 6, "key_value_heads": 4}, {"width": 50, "heads": 4}, {"head_width": 7}, {"size": "11M"}, {"size": 0}],
)
def test_sizes_that_do_not_fit(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Decoder.model_validate({"kind": "decoder", **wrong})


def test_each_key_changes_the_network() -> None:
    plain = {name: tensor.shape for name, tensor in tiny().state_dict().items()}
    tokens = torch.arange(8)[None]
    logits = tiny()(tokens)
    for changed in ({"tied": False}, {"query_key_norm": True}, {"attention_bias": True}, {"head_width": 6}):
        other = tiny(**changed)
        assert {name: tensor.shape for name, tensor in other.state_dict().items()} != plain, changed
    for numbers in ({"rotary_base": 5.0}, {"epsilon": 0.5}):
        assert not torch.allclose(tiny(**numbers)(tokens), logits), numbers
    assert not torch.allclose(tiny(dropout=0.5)(tokens), logits)


def test_the_loss_in_chunks_is_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, weight = torch.randn(37, 16, requires_grad=True), torch.randn(VOCABULARY, 16, requires_grad=True)
    targets = torch.randint(0, VOCABULARY, (37,))
    targets[5] = -100
    share = torch.rand(37)
    whole = token_losses(stream, weight, targets)
    gradients = torch.autograd.grad((whole * share).sum(), [stream, weight])
    seen: list[int] = []
    plain = module._losses
    monkeypatch.setattr(module, "_losses", lambda part, *rest: (seen.append(len(part)), plain(part, *rest))[1])
    monkeypatch.setattr(module, "ENTRIES", 5 * VOCABULARY)
    parts = token_losses(stream, weight, targets)
    torch.testing.assert_close(parts, whole)
    for one, other in zip(torch.autograd.grad((parts * share).sum(), [stream, weight]), gradients, strict=True):
        torch.testing.assert_close(one, other)
    assert max(seen) == 5
    assert parts[5] == 0


def test_it_begins_knowing_nothing() -> None:
    model = DecoderModel(Decoder(size=4), 512, 32)
    tokens = torch.randint(0, 512, (4, 32))
    loss = model(tokens, targets=tokens.roll(1)).mean().item()
    assert loss == pytest.approx(math.log(512), rel=0.05)
    deviations = {name: parameter.std().item() for name, parameter in model.named_parameters() if parameter.ndim > 1}
    assert deviations["blocks.0.attention.output.weight"] < 0.4 * deviations["blocks.0.attention.query.weight"]


def test_no_token_sees_a_later_one() -> None:
    model, tokens = tiny(), torch.randint(0, VOCABULARY, (1, 12))
    before = model(tokens)
    changed = tokens.clone()
    changed[0, 7] = (changed[0, 7] + 1) % VOCABULARY
    after = model(changed)
    torch.testing.assert_close(after[:, :7], before[:, :7])
    assert not torch.allclose(after[:, 7:], before[:, 7:])


@pytest.mark.parametrize("steps", [[1] * 12, [5, 1, 1, 5], [12], [3, 4, 5]])
def test_reading_with_a_cache_is_reading(steps: list[int]) -> None:
    model, tokens = tiny(query_key_norm=True).eval(), torch.randint(0, VOCABULARY, (3, 12))
    cache = Cache(2, 3, 2, LENGTH, 4)
    with torch.inference_mode():
        whole = model(tokens)
        parts = [model(part, cache=cache) for part in tokens.split(steps, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-5)


def test_rows_of_unequal_length_are_read_as_if_alone() -> None:
    model, lengths = tiny().eval(), [3, 7, 5]
    rows = [torch.randint(0, VOCABULARY, (1, length)) for length in lengths]
    padding = torch.tensor([7 - length for length in lengths])
    tokens = torch.cat([nn.functional.pad(row, (int(left), 0)) for row, left in zip(rows, padding, strict=True)])
    cache = Cache(2, 3, 2, LENGTH, 4, padding)
    following = torch.randint(0, VOCABULARY, (3, 4))
    with torch.inference_mode():
        first, second = model(tokens, cache=cache)[:, -1:], model(following, cache=cache)
        for number, row in enumerate(rows):
            alone = model(torch.cat([row, following[number : number + 1]], dim=1))[0, row.shape[1] - 1 :]
            torch.testing.assert_close(torch.cat([first, second], dim=1)[number], alone, atol=1e-5, rtol=1e-5)
