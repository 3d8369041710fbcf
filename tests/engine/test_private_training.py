"""Private training at the level of the loop: its gradients, its resume, and what canaries tell of right and wrong noise."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from private_parts import train_privately

from modelwright.core.errors import RecipeError
from modelwright.engine import private
from modelwright.engine.loop import Verdict
from modelwright.engine.private_accountant import Accountant
from modelwright.engine.private_gradients import ClippedGradients, choose_how
from modelwright.engine.private_noise import Noise
from modelwright.engine.private_sampler import Poisson
from modelwright.engine.turn import Turn
from modelwright.layouts.local import Local
from modelwright.methods.privacy.auditing import epsilon_lower_bound, guess_by_rank
from modelwright.methods.privacy.noise import system_noise

sys.path.insert(0, str(Path(__file__).parents[1] / "laws"))
from cases import BATCH_STATISTICS, CLASSIFYING, COUNT, make_case

ALL = np.arange(COUNT)
# A training that spends epsilon 1: the audit of such a claim can be refuted by 1,000 canaries.
STEPS, NOISE, DELTA = 60, 3.2, 1e-5


def build(model: str, task: str) -> tuple[Any, Turn]:
    case = make_case(model, task, **({"normalisation": "group"} if model in BATCH_STATISTICS else {}))
    optimiser = torch.optim.SGD(case.network.parameters(), lr=1.0)
    losses = lambda part: case.task.losses(case.network, part)
    return case, Turn("model", case.network, losses, case.task.sizes, optimiser, lambda step: 1.0)


@pytest.mark.parametrize(("model", "task"), CLASSIFYING)
def test_without_clipping_and_noise_it_is_plain_training(model: str, task: str, tmp_path: Path) -> None:
    """Noise 0, no limit, the batch that is expected: the gradient of the mean loss, whole and in parts."""
    case, turn = build(model, task)
    plain = Local()
    batch = case.batch(ALL)
    expected_losses = plain.backward(turn, [batch], lambda losses, part: losses)
    expected = [parameter.grad.clone() for parameter in turn.parameters()]
    for micro_batch in (0, 5):
        turn.optimiser.zero_grad()
        layout = Local(micro_batch=micro_batch, example_gradients=ClippedGradients(1e9, choose_how(case.network)))
        losses = layout.backward(turn, layout.split(batch), lambda losses, part: losses)
        accountant = Accountant(tmp_path / "ledger", noise=0.0, rate=1.0, clip=1e9)
        assert Noise(accountant, COUNT)(turn, losses) is Verdict.APPLY
        torch.testing.assert_close(losses, expected_losses, atol=2e-6, rtol=1e-5)
        for found, gradient in zip(turn.parameters(), expected, strict=True):
            torch.testing.assert_close(found.grad, gradient, atol=2e-6, rtol=1e-4)


@pytest.mark.parametrize(("model", "task"), [("mlp", "tabular"), ("cnn", "image"), ("transformer", "text")])
def test_both_ways_give_the_same_clipped_sum(model: str, task: str) -> None:
    case, turn = build(model, task)
    found = []
    for how in ("vmap", "one_by_one"):
        turn.optimiser.zero_grad()
        ClippedGradients(0.05, how)(turn, [case.batch(ALL)], lambda losses, part: losses)
        found.append(torch.cat([parameter.grad.flatten() for parameter in turn.parameters()]))
    torch.testing.assert_close(found[0], found[1], atol=1e-6, rtol=1e-4)
    assert float(found[0].norm()) <= 0.05 * COUNT
    assert choose_how(case.network) == "vmap"


def test_recurrent_layers_are_taken_one_by_one_and_vmap_says_why_not() -> None:
    case, turn = build("lstm", "text")
    assert choose_how(case.network) == "one_by_one"
    with pytest.warns(UserWarning, match="performance drop"), pytest.raises(RecipeError, match="one_by_one"):
        ClippedGradients(1.0, "vmap")(turn, [case.batch(ALL)], lambda losses, part: losses)


def test_frozen_parameters_get_neither_gradient_nor_noise(tmp_path: Path) -> None:
    case, _ = build("mlp", "image")
    frozen = next(case.network.parameters())
    frozen.requires_grad_(False)
    learning = [parameter for parameter in case.network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(learning, lr=1.0)
    turn = Turn(
        "m", case.network, lambda p: case.task.losses(case.network, p), case.task.sizes, optimiser, lambda s: 1.0
    )
    losses = ClippedGradients(1.0, "vmap")(turn, [case.batch(ALL)], lambda losses, part: losses)
    Noise(Accountant(tmp_path / "ledger", noise=1.0, rate=0.1, clip=1.0), COUNT)(turn, losses)
    assert frozen.grad is None
    assert all(bool(parameter.grad.any()) for parameter in learning)


def test_the_poisson_sampler_starts_anywhere() -> None:
    sampler = Poisson(50, 5, 0.1, key=1 << 100)
    whole = [(step, indices.tolist()) for step, indices in sampler.batches(0, 40)]
    assert whole[13:] == [(step, indices.tolist()) for step, indices in sampler.batches(13, 40)]
    assert sampler.steps_per_epoch == 10
    assert sampler.order(1).tolist() == [index for _, indices in whole[10:20] for index in indices]
    # With probability 0.9^50 nobody is drawn: about ten times in two thousand steps, which are steps all the same.
    sizes = [len(indices) for _, indices in sampler.batches(0, 2000)]
    assert len(sizes) == 2000
    assert 0 < sizes.count(0) < 40


def test_the_accountant_refuses_what_was_private_in_another_way(tmp_path: Path) -> None:
    accountant = Accountant(tmp_path / "ledger", noise=1.0, rate=0.1, clip=1.0)
    accountant.count()
    for changed in ({"noise": 2.0}, {"rate": 0.2}, {"clip": 3.0}):
        with pytest.raises(RecipeError, match="its steps were taken with noise 1, rate 0.1 and clip 1"):
            Accountant(tmp_path / "ledger", **{"noise": 1.0, "rate": 0.1, "clip": 1.0, **changed}).restore(
                *accountant.state()
            )


def test_noise_is_found_again_and_a_number_that_spends_too_much_is_refused(tmp_path: Path) -> None:
    notes: list[dict[str, Any]] = []
    note = lambda event, **facts: notes.append({"event": event, **facts})
    plan = {"examples": 200, "batch": 20, "total": 30, "folder": tmp_path, "note": note}
    chosen = lambda **settings: private.DpSgd.model_validate({"delta": DELTA, **settings})
    first = private.build_dp_sgd(chosen(epsilon=2.0), torch.nn.Linear(2, 2), **plan)
    again = private.build_dp_sgd(chosen(epsilon=2.0), torch.nn.Linear(2, 2), **plan)
    assert first.accountant.noise == again.accountant.noise
    assert first.sampler == again.sampler, "the secret key of the sampler is kept with the unfinished training"
    assert (tmp_path / "sampling.key").stat().st_mode & 0o077 == 0
    assert [item["name"] for item in notes] == ["train.privacy.noise"]
    with pytest.raises(RecipeError, match="with noise 0.5, 30 steps spend epsilon") as caught:
        private.build_dp_sgd(chosen(epsilon=2.0, noise=0.5), torch.nn.Linear(2, 2), **plan)
    assert caught.value.problems[0].expected == "at most epsilon 2"
    with pytest.raises(RecipeError, match="a batch of 300 is expected"):
        private.build_dp_sgd(chosen(noise=9.0), torch.nn.Linear(2, 2), **{**plan, "batch": 300})


def bound(folder: Path) -> tuple[float, float]:
    """Train with 1,000 canaries at a claim of epsilon 1; return the claim and the bound that the canaries prove."""
    folder.mkdir()
    made, turn = train_privately(folder, STEPS, noise=NOISE, epsilon=1.0, canaries=1000)
    heard = made.canaries.record()
    found = guess_by_rank(np.array(heard["scores"]), np.array(heard["included"]), 100)
    claim = private.epsilon_prv(made.accountant.rate, made.accountant.noise, made.accountant.steps, DELTA)
    assert len(turn.model.canaries) == 1000
    return claim, epsilon_lower_bound(found, DELTA, 0.95)


def too_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the noise ten times too small."""
    monkeypatch.setattr(Noise.__init__, "__defaults__", (lambda shape: system_noise(shape) / 10,))


def test_canaries_pass_right_noise_and_refute_noise_ten_times_too_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, proved = bound(tmp_path / "right")
    assert 0.97 <= claim <= 1.0
    assert proved <= claim
    too_quiet(monkeypatch)
    claim, proved = bound(tmp_path / "wrong")
    assert proved > 1.5 * claim


@pytest.mark.full
def test_twenty_of_twenty_pass_and_twenty_of_twenty_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = [bound(tmp_path / f"right-{number}") for number in range(20)]
    assert sum(proved <= claim for claim, proved in right) == 20, right
    too_quiet(monkeypatch)
    wrong = [bound(tmp_path / f"wrong-{number}") for number in range(20)]
    assert sum(proved > claim for claim, proved in wrong) == 20, wrong
