"""Low-rank layers: they start where the model was, train what they should, and end as plain weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from modelwright.core import registry
from modelwright.core.errors import RecipeError
from modelwright.methods.low_rank.adapt import adapt_lora, adapt_svd, merge
from modelwright.methods.low_rank.layers import LoraLinear, ThinLinear, factor
from modelwright.methods.low_rank.settings import Lora, Svd

LEARNT = {"classes": ["a", "b", "c"], "size": 20, "length": 9}


def transformer() -> nn.Module:
    torch.manual_seed(1)
    settings = registry.settings_of("model", "transformer")(width=16, heads=2, layers=2)
    network: nn.Module = registry.function_of("model", "transformer")(settings, LEARNT)
    return network.eval()


def answers(network: nn.Module) -> torch.Tensor:
    tokens = torch.arange(1, 13).view(2, 6)
    return network(tokens=tokens, length=torch.tensor([6, 4]))  # type: ignore[no-any-return]


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def train(network: nn.Module) -> None:
    """Take some steps, with dropout where there is any."""
    network.train()
    optimiser = torch.optim.Adam([weight for weight in network.parameters() if weight.requires_grad], lr=0.05)
    for _ in range(5):
        nn.functional.cross_entropy(answers(network), torch.tensor([0, 2])).backward()
        optimiser.step()
        optimiser.zero_grad()
    network.eval()


def test_lora_starts_where_the_model_was_and_freezes_it() -> None:
    network = transformer()
    before = answers(network)
    names = set(network.state_dict())
    assert adapt_lora(Lora(rank=3), network, generator()) == 8
    assert torch.equal(answers(network), before)
    learning = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert {name.rpartition(".")[2] for name in learning} == {"down", "up", "weight", "bias"}
    assert {name for name in learning if not name.endswith((".down", ".up"))} == {"head.weight", "head.bias"}
    assert network.blocks[0].mix.down.shape == (3, 16)
    assert set(merge(network).state_dict()) == names


@pytest.mark.parametrize("settings", [Lora(rank=2, dropout=0.2), Svd(rank=0.5), Svd(rank=3)])
def test_what_is_merged_answers_like_what_was_trained(settings: Lora | Svd) -> None:
    network = transformer()
    plain = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    (adapt_lora if isinstance(settings, Lora) else adapt_svd)(settings, network, generator())
    train(network)
    trained = answers(network)
    merge(network)
    assert not any(isinstance(module, (LoraLinear, ThinLinear)) for module in network.modules())
    torch.testing.assert_close(answers(network), trained, atol=1e-5, rtol=0)
    fresh = transformer()
    fresh.load_state_dict(network.state_dict())
    torch.testing.assert_close(answers(fresh), trained, atol=1e-5, rtol=0)
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, plain[name])}
    assert "blocks.1.mix.weight" in changed
    assert ("tokens.weight" in changed) == isinstance(settings, Svd)


def test_the_rank_of_what_was_learnt_is_the_rank_that_was_asked() -> None:
    network = transformer()
    before = network.blocks[0].mix.weight.detach().clone()
    adapt_lora(Lora(rank=2, scale=6.0), network, generator())
    train(network)
    layer = network.blocks[0].mix
    learnt = merge(network).blocks[0].mix.weight.detach() - before
    torch.testing.assert_close(learnt, 3.0 * (layer.up @ layer.down).detach(), atol=1e-6, rtol=1e-5)
    assert int((torch.linalg.svdvals(learnt) > 1e-5).sum()) == 2


def test_the_factors_are_the_nearest_of_their_rank() -> None:
    weight = torch.randn(9, 5, generator=generator())
    values = torch.linalg.svdvals(weight)
    for rank in (1, 3, 5):
        up, down = factor(weight, rank)
        assert (up.shape, down.shape) == ((9, rank), (rank, 5))
        error = (weight - up @ down).square().sum()
        torch.testing.assert_close(error, values[rank:].square().sum(), atol=1e-5, rtol=1e-5)


def test_layers_that_would_not_become_smaller_stay_plain() -> None:
    network = transformer()
    # 3 * (16 + 3) weights are no fewer than the 16 * 3 of the last layer.
    assert adapt_svd(Svd(rank=3), network, generator()) == 8
    assert type(network.head) is nn.Linear
    with pytest.raises(RecipeError, match="none would become smaller"):
        adapt_svd(Svd(rank=16), transformer(), generator())


@pytest.mark.parametrize(
    ("targets", "count"),
    [("", 8), ("mix$", 2), (r"blocks\.1\.", 4), (["mix"], 2), (["blocks.0.mix", "feed.0"], 3), (["ix"], None)],
)
def test_targets_choose_layers(targets: Any, count: int | None) -> None:
    settings = Lora.model_validate({"targets": targets})
    if count is None:
        with pytest.raises(RecipeError, match="some of its linear layers: blocks.0.queries_keys_values"):
            adapt_lora(settings, transformer(), generator())
    else:
        assert adapt_lora(settings, transformer(), generator()) == count


def test_a_layer_that_is_trained_in_full_has_no_addition() -> None:
    network = transformer()
    adapt_lora(Lora(full=r"^head|feed\.0"), network, generator())
    assert type(network.blocks[0].feed[0]) is nn.Linear
    assert network.blocks[0].feed[0].weight.requires_grad
    network = transformer()
    assert adapt_lora(Lora(full=""), network, generator()) == 9


def test_the_same_generator_gives_the_same_layers() -> None:
    first, second = transformer(), transformer()
    for network in (first, second):
        adapt_lora(Lora(), network, generator())
    assert all(torch.equal(one, two) for one, two in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("keys", [{"targets": "("}, {"full": "["}, {"rank": 0}, {"rank": 0.5}])
def test_settings_of_lora_are_checked(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Lora.model_validate(keys)


@pytest.mark.parametrize(("rank", "good"), [(1, True), (0.5, True), ("50 %", True), (0, False), (1.5, False)])
def test_a_rank_is_a_number_or_a_share(rank: Any, good: bool) -> None:
    if good:
        assert Svd.model_validate({"rank": rank}).rank == (0.5 if rank == "50 %" else rank)
    else:
        with pytest.raises(ValidationError):
            Svd.model_validate({"rank": rank})
