"""The networks from scratch: shapes, counts, what pooling and padding mean, what cannot be built."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from modelwright.core import registry
from modelwright.core.errors import RecipeError
from modelwright.models.pooling import mask_of, max_pool, mean_pool

CLASSES = ["a", "b", "c"]
PICTURES = {"classes": CLASSES, "height": 12, "width": 10, "channels": 3}
TEXTS = {"classes": CLASSES, "size": 20, "length": 9}
TABLE = {"classes": CLASSES, "numbers": 2, "cardinalities": [5, 2]}


def build(kind: str, learnt: dict[str, Any], **settings: Any) -> torch.nn.Module:
    torch.manual_seed(1)
    chosen = registry.settings_of("model", kind).model_validate({"kind": kind, **settings})
    network: torch.nn.Module = registry.function_of("model", kind)(chosen, learnt)
    return network.eval()


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def tokens(*texts: list[int], width: int = 9) -> dict[str, torch.Tensor]:
    rows = [text + [0] * (width - len(text)) for text in texts]
    return {"tokens": torch.tensor(rows), "length": torch.tensor([len(text) for text in texts])}


PICTURE_NETWORKS = [
    ("cnn", {}),
    ("cnn", {"channels": [4], "kernel": 5, "dense": 7}),
    ("cnn", {"channels": [4, 6, 8], "padding": "same", "normalisation": "batch", "pool": 3, "dropout": 0.5}),
    ("mlp", {"hidden": [9, 8]}),
    ("linear", {}),
]


@pytest.mark.parametrize(("kind", "settings"), PICTURE_NETWORKS)
@pytest.mark.parametrize("batch", [1, 5])
def test_pictures_become_logits(kind: str, settings: dict[str, Any], batch: int) -> None:
    side = (28, 28) if kind == "cnn" and not settings else (12, 10)
    network = build(kind, {**PICTURES, "height": side[0], "width": side[1]}, **settings)
    assert network(image=torch.randn(batch, 3, *side)).shape == (batch, 3)


def test_counts_of_weights_are_those_of_the_textbook() -> None:
    seed = build("cnn", {**PICTURES, "height": 28, "width": 28, "channels": 1, "classes": list("0123456789")})
    convolutions = (9 * 1 * 32 + 32) + (9 * 32 * 64 + 64) + (9 * 64 * 64 + 64)
    # 28 -> 26 -> 13 -> 11 -> 5 -> 3
    assert parameters(seed) == convolutions + (64 * 3 * 3 * 64 + 64) + (64 * 10 + 10)
    assert parameters(build("mlp", PICTURES, hidden=[7])) == 360 * 7 + 7 + 7 * 3 + 3
    assert parameters(build("linear", PICTURES)) == 360 * 3 + 3
    # Two numbers with a flag each; embeddings of half the categories, at most as wide as there are classes.
    assert parameters(build("linear", TABLE)) == 5 * 3 + 2 * 1 + (4 + 3 + 1) * 3 + 3
    assert parameters(build("gru", TEXTS, embedding=4, hidden=5)) == 20 * 4 + 3 * (4 * 5 + 5 * 5 + 2 * 5) + 5 * 3 + 3


def test_a_picture_too_small_is_a_recipe_error() -> None:
    with pytest.raises(RecipeError, match="nothing is left of a 12 x 10 picture after convolution 3"):
        build("cnn", PICTURES, channels=[4, 4, 4])


TEXT_NETWORKS = [
    *(
        (kind, {"embedding": 4, "hidden": 5, "pooling": pooling, "bidirectional": both, "layers": layers})
        for kind in ("rnn", "lstm", "gru")
        for pooling in ("last", "mean", "max")
        for both, layers in ((False, 1), (True, 2))
    ),
    ("transformer", {"width": 8, "heads": 4, "layers": 1}),
    ("convolution", {"embedding": 4, "channels": 3}),
    ("convolution", {"embedding": 4, "channels": 3, "widths": [9]}),
    ("bag", {"buckets": 7, "ngrams": 1}),
    ("bag", {"buckets": 7, "ngrams": 5}),
]


@pytest.mark.parametrize(("kind", "settings"), TEXT_NETWORKS)
def test_texts_become_logits_and_padding_is_not_seen(kind: str, settings: dict[str, Any]) -> None:
    network = build(kind, TEXTS, **settings)
    one, two = [3, 4, 5, 6], [7]
    alone = network(**tokens(one, width=4))
    assert alone.shape == (1, 3)
    together = network(**tokens(one, two, width=9))
    torch.testing.assert_close(together[:1], alone, atol=1e-6, rtol=1e-5)
    # What stands in the padding, should it ever be something else, is not seen either.
    spoilt = tokens(one, two, width=9)
    spoilt["tokens"][0, 4:] = 11
    torch.testing.assert_close(network(**spoilt), together, atol=1e-6, rtol=1e-5)
    assert not torch.allclose(network(**tokens([6, 5, 4, 4], width=4)), alone, atol=1e-4)


def test_last_pooling_ends_where_the_text_ends() -> None:
    network = build("gru", TEXTS, embedding=4, hidden=5, pooling="last")
    states = network.recurrent(network.embedding(torch.tensor([[3, 4, 5]])))[0]
    torch.testing.assert_close(network(**tokens([3, 4, 5])), network.head(states[:, -1]), atol=1e-6, rtol=1e-5)


def test_order_matters_to_all_but_the_bag_of_single_tokens() -> None:
    for kind, settings in TEXT_NETWORKS:
        network = build(kind, TEXTS, **settings)
        same = torch.allclose(network(**tokens([3, 4, 5, 6])), network(**tokens([4, 3, 6, 5])), atol=1e-6)
        assert same == (kind == "bag" and settings["ngrams"] == 1), (kind, settings)


def test_pooling_by_hand() -> None:
    states = torch.tensor([[[1.0, -5.0], [3.0, -1.0], [100.0, 100.0]]])
    mask = mask_of(torch.tensor([2]), 3)
    assert mask.tolist() == [[True, True, False]]
    assert mean_pool(states, mask).tolist() == [[2.0, -3.0]]
    assert max_pool(states, mask).tolist() == [[3.0, -1.0]]


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "transformer", "convolution"])
def test_the_embedding_of_padding_never_learns(kind: str) -> None:
    network = build(kind, TEXTS)
    network(**tokens([3, 4], [5])).square().sum().backward()
    embedding = network.tokens if kind == "transformer" else network.embedding
    assert float(embedding.weight.grad[0].abs().sum()) == 0.0
    assert float(embedding.weight.grad[3].abs().sum()) > 0.0


@pytest.mark.parametrize("kind", ["cnn", "mlp", "rnn", "lstm", "gru", "transformer", "convolution", "bag"])
def test_dropout_acts_in_training_alone(kind: str) -> None:
    learnt: dict[str, Any] = {**PICTURES, "height": 28, "width": 28} if kind in ("cnn", "mlp") else TEXTS
    inputs = {"image": torch.randn(2, 3, 28, 28)} if kind in ("cnn", "mlp") else tokens([3, 4, 5], [6, 7])
    network = build(kind, learnt, dropout=0.5)
    assert torch.equal(network(**inputs), network(**inputs))
    network.train()
    assert not torch.equal(network(**inputs), network(**inputs))


def test_a_table_of_numbers_alone_and_of_categories_alone() -> None:
    for learnt in ({**TABLE, "cardinalities": []}, {**TABLE, "numbers": 0}):
        for kind in ("mlp", "linear"):
            network = build(kind, learnt)
            numbers = torch.zeros(4, learnt["numbers"])
            codes = torch.zeros(4, len(learnt["cardinalities"]), dtype=torch.int64)
            assert network(numbers=numbers, missing=numbers, codes=codes).shape == (4, 3)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="expected heads that divide the width"):
        build("transformer", TEXTS, width=10, heads=4)
