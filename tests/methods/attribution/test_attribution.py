"""Attributions against what is known of them: exact on functions simple enough to say what each part is worth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from modelwright.methods.attribution.curves import area, curve, shown_by_step, weightiest_first
from modelwright.methods.attribution.grad_cam import grad_cam, last_convolution
from modelwright.methods.attribution.gradients import integrated_gradients
from modelwright.methods.attribution.occlusion import occlude
from modelwright.methods.attribution.parts import boxes, spans
from modelwright.methods.attribution.permutation import permutation_importance
from modelwright.methods.attribution.rollout import roll_out
from modelwright.methods.attribution.shapley import by_kernel, by_sampling
from modelwright.methods.attribution.similarity import beyond_chance, rank_similarity

WORTH = np.array([0.5, -0.25, 0.125, 0.0, 0.0625])


def additive(masks: np.ndarray) -> np.ndarray:
    return masks @ WORTH


def pair(masks: np.ndarray) -> np.ndarray:
    """One where both of the first two parts are shown: each is worth a half, though neither does anything alone."""
    return (masks[:, 0] & masks[:, 1]).astype(float)


def test_what_each_part_adds_is_found_by_all_that_only_ask() -> None:
    assert np.allclose(occlude(additive, 5), WORTH)
    assert np.allclose(by_sampling(additive, 5, 3, seed=1), WORTH, atol=1e-6)
    assert np.allclose(by_kernel(additive, 5, 500, seed=1), WORTH, atol=0.02)


def test_shapley_shares_what_parts_do_together_and_occlusion_counts_it_twice() -> None:
    assert np.allclose(by_sampling(pair, 3, 400, seed=1), [0.5, 0.5, 0], atol=0.08)
    assert by_sampling(pair, 3, 1, seed=1).sum() == pytest.approx(1), "the shares add up whatever the number of orders"
    assert occlude(pair, 3).tolist() == [1, 1, 0]


def test_the_seed_decides_the_orders_and_nobody_elses_numbers_are_drawn() -> None:
    np.random.seed(3)
    torch.manual_seed(3)
    found = [by_sampling(pair, 3, 5, seed=seed).tolist() for seed in (1, 1, 2, 3, 4)]
    kernel = [by_kernel(pair, 6, 20, seed=seed).tolist() for seed in (1, 1, 2)]
    drawn = np.random.random(), float(torch.rand(()))
    np.random.seed(3)
    torch.manual_seed(3)
    assert drawn == (np.random.random(), float(torch.rand(())))
    assert found[0] == found[1]
    assert len({str(one) for one in found}) > 1
    assert kernel[0] == kernel[1] != kernel[2]


def test_integrated_gradients_are_complete_and_exact_for_a_product() -> None:
    def product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return left[:, 0] * right[:, 0]

    inputs = torch.tensor([[3.0]]), torch.tensor([[4.0, 9.0]])
    neutral = torch.tensor([[1.0]]), torch.tensor([[0.0, 5.0]])
    found, gap, change = integrated_gradients(product, inputs, neutral, 20)
    # Along the straight way, the product's share of a factor is its change times the mean of the other.
    assert torch.allclose(found[0], torch.tensor([[4.0]]))
    assert torch.allclose(found[1], torch.tensor([[8.0, 0.0]]))
    assert (gap, change) == (pytest.approx(0, abs=1e-5), 12)


def test_too_few_steps_are_seen_in_the_gap() -> None:
    def steep(values: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(200 * (values[:, 0] - 0.51))

    gaps = [integrated_gradients(steep, (torch.ones(1, 1),), (torch.zeros(1, 1),), steps)[1] for steps in (2, 400)]
    assert gaps[0] > 0.9
    assert gaps[1] < 0.01


class Spot(nn.Module):
    """Two classes: what the left and what the right half of a picture add up to."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 2, 3, padding=1)
        self.coarse = nn.Conv2d(2, 2, 4, stride=4)
        nn.init.constant_(self.convolution.weight, 0.1)
        nn.init.zeros_(self.convolution.bias)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        seen = self.convolution(image)
        self.coarse(seen)
        return torch.stack([seen[..., :4].mean(dim=(1, 2, 3)), seen[..., 4:].mean(dim=(1, 2, 3))], dim=1)


def test_grad_cam_looks_where_the_convolution_spoke() -> None:
    network, image = Spot(), torch.zeros(1, 1, 8, 8)
    image[..., 1:3, 1:3] = 1
    name = last_convolution(network, {"image": image})
    assert name == "convolution", "the last one is called later, and its map is too coarse"
    found = grad_cam(network, network.convolution, image, 0)
    assert found.shape == (8, 8)
    assert float(found.min()) >= 0
    assert float(found[:4, :4].sum()) > 0.99 * float(found.sum()) > 0
    assert last_convolution(nn.Flatten(), {"input": image}) == ""


def test_a_rollout_follows_attention_back_through_the_layers() -> None:
    everybody = np.full((2, 3, 3), 1 / 3)
    first = np.zeros((2, 3, 3))
    first[:, :, 0] = 1
    assert roll_out([everybody]) == pytest.approx([1 / 3] * 3)
    found = roll_out([first, first])
    assert found.sum() == pytest.approx(1)
    assert found == pytest.approx([1 - 2 * 0.25 / 3, 0.25 / 3, 0.25 / 3]), "half stays where it is, twice"
    # Who attends to the first token in the upper layer gets what that token took from the last one below.
    below = np.zeros((1, 3, 3))
    below[:, :, 2] = 1
    assert roll_out([below, first])[2] > roll_out([first, below])[1]


def test_curves_take_parts_in_their_order() -> None:
    order = weightiest_first(np.array([0.1, 0.9, 0.1, 0.5]))
    assert order.tolist() == [1, 3, 0, 2]
    assert shown_by_step(order, insertion=True).tolist() == [
        [False] * 4,
        [False, True, False, False],
        [False, True, False, True],
        [True, True, False, True],
        [True] * 4,
    ]
    assert (shown_by_step(order, insertion=False) == ~shown_by_step(order, insertion=True)).all()
    assert len(shown_by_step(np.arange(100), insertion=True)) == 11
    worth = np.array([0.4, 0.3, 0.2, 0.1])
    best, worst = (curve(lambda masks: masks @ worth, way, False) for way in (np.arange(4), np.arange(4)[::-1]))
    assert best.tolist() == pytest.approx([1, 0.6, 0.3, 0.1, 0])
    assert area(best) == pytest.approx((1 + 2 * 0.6 + 2 * 0.3 + 2 * 0.1) / 8)
    assert area(best) < area(worst)


def test_rank_similarity_is_that_of_scipy_with_ties_and_without() -> None:
    generator = np.random.default_rng(0)
    for _ in range(5):
        one, other = generator.integers(0, 6, 20).astype(float), generator.normal(size=20)
        assert rank_similarity(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert rank_similarity(np.ones(4), np.arange(4.0)) == 0.0


def test_likeness_beyond_chance_knows_no_sign_and_is_nothing_for_strangers() -> None:
    generator = np.random.default_rng(0)
    for parts in (4, 12, 64):
        weights = generator.normal(size=parts)
        assert beyond_chance(weights, 3 * weights) == beyond_chance(weights, -weights) == pytest.approx(1)
        strangers = [beyond_chance(weights, generator.normal(size=parts)) for _ in range(800)]
        assert abs(np.mean(strangers)) < 0.1


def test_parts_cover_everything_once() -> None:
    for height, width, side in ((8, 8, 8), (28, 20, 8), (3, 5, 8)):
        seen = np.zeros((height, width), dtype=int)
        for top, left, bottom, right in boxes(height, width, side):
            seen[top:bottom, left:right] += 1
        assert (seen == 1).all()
    assert boxes(28, 28, 7)[:2] == [(0, 0, 4, 4), (0, 4, 4, 8)]
    text = "good 好吃 day, 𝒳"
    assert [text[start:end] for start, end in spans(text, 64)] == ["good", "好", "吃", "day", "𝒳"]
    assert [text[start:end] for start, end in spans(text, 2)] == ["good 好吃", "day, 𝒳"]
    assert spans("...", 64) == []


def test_permutation_finds_the_column_that_the_score_reads() -> None:
    values = np.random.default_rng(0).normal(size=(200, 3))

    def score(cells: np.ndarray) -> float:
        dealt = values[cells, np.arange(3)]
        return -float(((dealt[:, 1] - values[:, 1]) ** 2).mean())

    mean, deviation = permutation_importance(score, 200, 3, repeats=4, seed=1)
    assert mean[[0, 2]].tolist() == [0, 0]
    # A column dealt out anew differs from itself by twice its variance.
    assert mean[1] == pytest.approx(2 * values[:, 1].var(), rel=0.2)
    assert deviation[1] > 0
    assert permutation_importance(score, 200, 3, 4, seed=2)[0][1] != mean[1]
