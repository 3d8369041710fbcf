"""Two players: what each minimises, what passes between them, and that nobody learns out of turn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from modelwright.engine.adversarial import Game, build_discriminators
from modelwright.engine.guard import Guard
from modelwright.engine.loop import Moment, Verdict
from modelwright.engine.pictures import FRAMES, Film, Pool
from modelwright.engine.tiles import restyle
from modelwright.engine.turn import Turn
from modelwright.methods.adversarial.losses import (
    apart,
    contrast,
    gradient_penalty,
    judge_generated,
    middle,
    tell_apart,
)
from modelwright.methods.adversarial.seeing import adapt_probability, change_pictures
from modelwright.methods.adversarial.settings import Gan
from modelwright.methods.adversarial.structure import structure_apart
from modelwright.methods.diagnosis.players import judge_players
from modelwright.models.gan import build_residual
from modelwright.models.gan_settings import ResidualGenerator
from modelwright.tasks.task import Batch, Examples


def pictures(count: int = 3, side: int = 12, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_losses_by_hand() -> None:
    logits = torch.tensor([[0.0, 2.0]])
    assert judge_generated(logits, "least_squares").item() == pytest.approx((1 + 1) / 2)
    assert judge_generated(logits, "hinge").item() == pytest.approx(-1)
    expected = (math.log(2) + math.log1p(math.exp(-2))) / 2
    assert judge_generated(logits, "non_saturating").item() == pytest.approx(expected)
    for loss in ("least_squares", "hinge", "non_saturating"):
        sure = torch.full((1, 2), 5.0 if loss != "least_squares" else 1.0)
        wrong = -sure if loss != "least_squares" else torch.zeros(1, 2)
        assert tell_apart(sure, wrong, loss) < tell_apart(wrong, sure, loss)
        lost = torch.full((1, 2), middle(loss))
        assert tell_apart(lost, lost, loss) > tell_apart(sure, wrong, loss)


def test_the_penalty_is_half_the_squared_gradient() -> None:
    real = pictures(2).requires_grad_()
    weights = torch.arange(3.0).view(1, 3, 1, 1)
    # The mean over one answer: the gradient is the weight of each channel.
    found = gradient_penalty((real * weights).sum(dim=(1, 2, 3), keepdim=True), real)
    assert found.tolist() == pytest.approx([(0 + 1 + 4) * 144 / 2] * 2)


def test_places_that_agree_are_found() -> None:
    seen = torch.randn(2, 8, 16, generator=torch.Generator().manual_seed(1))
    assert (contrast(seen, seen) < 0.1).all()
    assert (contrast(seen, seen.flip(1)) > 1).all()
    assert apart(seen, seen + 1).tolist() == pytest.approx([1, 1])


def test_structure_ignores_colour_and_contrast_and_sees_places() -> None:
    images = pictures(2, 32)
    assert structure_apart(images, images * 0.5 + 0.2).max() < 0.05
    assert structure_apart(images, images.flip(3)).min() > 0.1


def test_changes_leave_shape_and_gradient_and_off_is_off() -> None:
    images = pictures(4).requires_grad_()
    assert change_pictures(images, 0.0) is images
    torch.manual_seed(0)
    changed = change_pictures(images, 1.0)
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)
    changed.sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert adapt_probability(0.5, 0.9, 0.1) == pytest.approx(0.6)
    assert adapt_probability(0.5, 0.1, 0.1) == pytest.approx(0.4)
    assert adapt_probability(0.0, 0.1, 0.1) == 0.0


def game(**said: Any) -> Game:
    torch.manual_seed(0)
    settings = Gan.model_validate(
        {"kind": "gan", "content": "features", "discriminator": {"channels": 4, "layers": 1}, **said}
    )
    return Game(settings, nn.Conv2d(3, 3, 1), nn.ModuleDict(), build_discriminators(settings), every=1)


def test_the_discriminator_is_not_shown_the_margin() -> None:
    played = game(margin=3)
    images = pictures(2, 24)
    framed = images.clone()
    framed[:, :, :3] = framed[:, :, -3:] = 1
    framed[..., :3] = framed[..., -3:] = 1
    played.players.eval()
    assert torch.equal(played._judge("style", images), played._judge("style", framed))
    assert not torch.equal(played._judge("style", images), played._judge("style", images.flip(3)))


def keeping(played: Game) -> tuple[torch.Tensor, int]:
    """Return the generator's losses, and how many bytes are kept for their gradient."""
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        losses = played.generator_losses(batch())
    return losses, sum(kept)


def test_where_memory_is_tight_less_is_kept_and_the_gradient_is_the_same() -> None:
    settings = Gan.model_validate(
        {"kind": "gan", "content": "cycle", "identity": 1.0, "discriminator": {"channels": 4, "layers": 1}}
    )
    found = {}
    for tight in (False, True):
        torch.manual_seed(0)
        build = lambda: build_residual(ResidualGenerator(channels=4, blocks=2, change=False), {})
        network, companions = build(), nn.ModuleDict({"back": build()})
        played = Game(settings, network, companions, build_discriminators(settings), 1, tight)
        losses, held = keeping(played)
        losses.sum().backward()
        found[tight] = held, [parameter.grad for parameter in [*network.parameters(), *companions.parameters()]]
    assert found[True][0] < found[False][0] / 3
    assert all(torch.equal(*pair) for pair in zip(found[False][1], found[True][1], strict=True))


def batch() -> Batch:
    return Batch({"image": pictures(seed=1)}, pictures(seed=2), np.arange(3))


def test_nobody_learns_out_of_turn() -> None:
    played = game()
    losses = played.generator_losses(batch())
    assert losses.shape == (3,)
    losses.sum().backward()
    assert all(parameter.grad is None for parameter in played.players.parameters())
    mine = [parameter.grad.clone() for parameter in played.network.parameters()]
    played.discriminator_losses(batch()).sum().backward()
    assert all(torch.equal(*pair) for pair in zip(mine, (p.grad for p in played.network.parameters()), strict=True))
    assert any(parameter.grad is not None for parameter in played.players.parameters())


def test_a_picture_that_is_alone_is_looked_at_too() -> None:
    played = game()
    single = Batch({"image": pictures(1, 32)}, pictures(1, 32, seed=2), np.arange(1))
    played.generator_losses(single)
    played.discriminator_losses(single)
    played(Moment(0, [], torch.zeros(1), Verdict.APPLY, single))
    assert math.isfinite(played.points[0]["diversity"])


def test_the_probability_adapts_to_how_surely_real_pictures_are_known() -> None:
    played = game(augment="adaptive")
    moment = Moment(0, [], torch.zeros(3), Verdict.APPLY, batch())
    for right, rises in ((1.0, True), (0.5, False)):
        before = played.probability
        played._seen = [torch.tensor(1.0), torch.tensor(2.0), torch.tensor([right, 1.0])]
        played(moment)
        assert (played.probability > before) is rises
    assert played.points[0]["diversity"] == 0.5


def test_the_pool_shows_earlier_outputs_and_comes_back() -> None:
    pool = Pool(4)
    first = pictures(4, seed=3)
    assert torch.equal(pool.exchange(first), first)
    torch.manual_seed(0)
    shown = pool.exchange(pictures(4, seed=4))
    known = [any(torch.equal(image, old) for old in first) for image in shown]
    assert any(known)
    assert not all(known)
    assert len(pool.kept) == 4


def test_the_guard_keeps_a_history_for_each_player() -> None:
    turns = [
        Turn(
            name,
            model,
            lambda batch: torch.zeros(1),
            lambda batch: torch.ones(1),
            torch.optim.SGD(model.parameters()),
            lambda step: 1.0,
        )  # type: ignore[arg-type]
        for name, model in (("one", nn.Linear(1, 1)), ("other", nn.Linear(1, 1)))
    ]
    guard = Guard(spike=3.0, window=2, patience=2, then="stop")
    for _ in range(2):
        assert guard(turns[0], torch.tensor([1.0])) is Verdict.APPLY
        assert guard(turns[1], torch.tensor([100.0])) is Verdict.APPLY
    assert guard(turns[1], torch.tensor([120.0])) is Verdict.APPLY
    assert guard(turns[0], torch.tensor([50.0])) is Verdict.SKIP
    # A good turn of the other player between two bad ones of the first.
    assert guard(turns[1], torch.tensor([100.0])) is Verdict.APPLY
    assert guard(turns[0], torch.tensor([50.0])) is Verdict.STOP


class Halving:
    """State: none; a predictor that halves every pixel, and remembers the largest picture it was asked about."""

    learnt: dict[str, Any] = {"pixels": True, "height": 12, "width": 12}

    def __init__(self) -> None:
        self.largest = 0

    def predict(self, examples: Examples) -> np.ndarray:
        image = np.asarray(examples.columns["image"])
        self.largest = max(self.largest, *image.shape[1:3])
        answers: np.ndarray = (image.transpose(0, 3, 1, 2) / 127.5 - 1.0) / 2
        return answers


def test_tiles_agree_with_the_whole() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (50, 37, 3), dtype=np.uint8)
    predictor: Any = Halving()
    whole = restyle(predictor, picture, tile=64, overlap=8)
    predictor.largest = 0
    tiled = restyle(predictor, picture, tile=20, overlap=8)
    assert predictor.largest == 20
    assert np.abs(whole.astype(int) - tiled.astype(int)).max() <= 1


def test_a_film_is_thinned_and_comes_back() -> None:
    columns = {"image": np.zeros((3, 12, 12, 3), np.uint8), "target": np.full(3, -1)}
    predictor: Any = Halving()
    film = Film(predictor, Examples(columns, Halving.learnt))
    for step in range(3 * FRAMES):
        film.hear({"step": step})
    assert len(film.frames) <= FRAMES
    gaps = np.diff(film.steps)
    assert (gaps == gaps[0]).all()
    again = Film(predictor, Examples(columns, Halving.learnt))
    again.restore(*film.state())
    for both in (film, again):
        both.hear({"step": 3 * FRAMES})
    assert again.steps == film.steps


def test_collapse_and_imbalance_are_said() -> None:
    def codes(right: float, diversity: float, count: int = 12) -> list[str]:
        points = [{"step": step, "right": right, "diversity": diversity} for step in range(count)]
        return [finding.code for finding in judge_players(points)]

    assert codes(0.7, 0.9) == []
    assert codes(0.99, 0.9) == ["discriminator_wins"]
    assert codes(0.2, 0.9) == ["discriminator_loses"]
    assert codes(0.7, 0.1) == ["collapse"]
    assert codes(0.99, 0.1, count=3) == []
