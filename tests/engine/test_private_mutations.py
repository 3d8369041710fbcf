"""Twelve ways to break private training without anybody noticing, each noticed.

List H of the plan for reliability. A test plants one bug where the product would have it and shows which check tells of it.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from private_parts import EXAMPLES, EXPECTED, train_privately

from modelwright.core.errors import RecipeError
from modelwright.engine import private, private_checks, private_gradients
from modelwright.engine.loader import Loader
from modelwright.engine.private_accountant import Accountant
from modelwright.engine.private_canaries import Canaries
from modelwright.engine.private_checks import Setting, judge_record, run_checks
from modelwright.engine.private_noise import Noise
from modelwright.engine.samplers import Shuffled
from modelwright.methods.privacy.noise import system_noise
from modelwright.stages.train.private import private_claims

SETTING = Setting(noise=1.3, clip=0.7, rate=0.1, batch=20)


def failing() -> set[str]:
    """Return the names of the checks that fail."""
    return {check.name for check in run_checks(SETTING) if not check.passed}


def test_the_right_code_passes_every_check() -> None:
    for setting in (SETTING, Setting(0.5, 10.0, 0.002, 100), Setting(8.0, 0.01, 0.9, 4)):
        assert {check.name for check in run_checks(setting) if not check.passed} == set(), setting


def test_1_no_clipping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        private_gradients, "clip_each", lambda gradients, limit: ([item.sum(dim=0) for item in gradients], None)
    )
    assert failing() == {"clipping"}


def test_2_a_batch_clipped_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def clip_sum(gradients: list[torch.Tensor], limit: float) -> tuple[list[torch.Tensor], None]:
        sums = [item.sum(dim=0) for item in gradients]
        norm = torch.stack([item.norm() for item in sums]).norm()
        return [item * (limit / norm).clamp(max=1.0) for item in sums], None

    monkeypatch.setattr(private_gradients, "clip_each", clip_sum)
    assert "clipping" in failing()


def test_3_noise_divided_by_the_root_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    too_small = lambda shape: system_noise(shape) / SETTING.batch**0.5
    monkeypatch.setattr(Noise.__init__, "__defaults__", (too_small,))
    assert failing() == {"noise scale"}


def test_4_noise_used_again_after_a_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    salt = 77

    def stored(noise: Noise) -> Any:
        # What a checkpoint with the generator in it would do: the step, and nothing else, decides.
        draw = lambda shape: torch.randn(shape, generator=torch.Generator().manual_seed(salt + noise.accountant.steps))
        return draw

    real = Noise.__call__

    def call(noise: Noise, turn: Any, losses: Any) -> Any:
        noise.draw = stored(noise)
        return real(noise, turn, losses)

    monkeypatch.setattr(Noise, "__call__", call)
    assert "noise of a step taken again" in failing()


def test_5_seeded_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Noise.__init__, "__defaults__", (torch.randn,))
    assert failing() == {"noise under equal seeds"}


class _Shuffled(Shuffled):
    """A shuffled sampler that says it is a Poisson one."""

    def __init__(self, examples: int, batch: int, rate: float, key: int) -> None:
        super().__init__(examples, round(examples * rate), key)


def test_6_shuffling_claimed_as_poisson(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(private_checks, "Poisson", _Shuffled)
        assert failing() == {"batch sizes", "draws of each example"}
    # And where the training itself does it, its own record tells.
    assert "batch sizes of this training" not in wrong(recorded(tmp_path / "right"))
    monkeypatch.setattr(private, "Poisson", _Shuffled)
    assert wrong(recorded(tmp_path / "wrong")) == {"batch sizes of this training"}


def recorded(folder: Path) -> dict[str, Any]:
    """Train, and return what the training says of itself."""
    folder.mkdir()
    made, turn = train_privately(folder, 30, noise=2.0, epsilon=50.0)
    digest = made._order_as_drawn(30)
    return made.record(turn.model, SimpleNamespace(digest=digest))


def wrong(record: dict[str, Any]) -> set[str]:
    """Return the names of the checks of a record that fail."""
    return {check.name for check in judge_record(record) if not check.passed}


def test_7_an_empty_batch_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = Loader._at_once

    def skip(loader: Loader, steps: Any) -> Any:
        return ((step, batch if batch is not None and len(batch) else None) for step, batch in real(loader, steps))

    monkeypatch.setattr(Loader, "_at_once", skip)
    assert failing() == {"empty batch"}
    # The accountant sees it in the training itself.
    monkeypatch.setattr(private_checks, "EXAMPLES", EXAMPLES)
    monkeypatch.setattr(
        private.Poisson, "batches", lambda self, start, stop: ((s, np.empty(0, int)) for s in range(stop))
    )
    with pytest.raises(AssertionError, match="1 steps were taken, and the accountant knows of 0"):
        train_privately(tmp_path, 3, noise=2.0, epsilon=50.0)


def test_8_steps_lost_from_the_accountant_on_resume(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    accountant = Accountant(tmp_path / "ledger", noise=1.0, rate=0.1, clip=1.0)
    monkeypatch.setattr(Accountant, "restore", lambda self, tensors, numbers: None)
    assert failing() == {"count after a resume"}
    with pytest.raises(RecipeError, match="only 0 of its 12 steps were private"):
        accountant.agree(12)


def test_9_two_backward_passes_before_zero_grad(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.SGD, "zero_grad", lambda self: None)
        with pytest.raises(AssertionError, match="was not cleared before a private backward pass"):
            train_privately(tmp_path, 3, noise=2.0, epsilon=50.0)
    monkeypatch.setattr(private_gradients, "_refuse_leftovers", lambda learning: None)
    assert failing() == {"two backward passes"}


def test_10_batch_normalisation_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe is refused before anything is read (test_train_privately.py); here, what comes behind."""
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    with pytest.raises(
        RecipeError, match="the layer '1' of the model normalises by the statistics of its batch"
    ) as caught:
        private_gradients.refuse_batch_statistics(network)
    assert "group" in caught.value.problems[0].next_step
    monkeypatch.setattr(torch.nn, "Linear", lambda *sizes: network)
    with pytest.raises(RecipeError, match="mixes the examples in it"):
        train_privately(tmp_path, 3, noise=2.0, epsilon=50.0)


@pytest.mark.parametrize("delta", [1 / EXAMPLES, 0.1])
def test_11_delta_of_one_in_n_or_more(delta: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeError, match="delta is .* and there are 200 training examples"):
        train_privately(tmp_path, 3, noise=2.0, epsilon=50.0, delta=delta)
    monkeypatch.setattr(private, "_refuse_sizes", lambda settings, examples, batch: None)
    made, turn = train_privately(tmp_path, 3, noise=2.0, epsilon=50.0, delta=delta)
    record = made.record(turn.model, SimpleNamespace(digest=made._order_as_drawn(3)))
    assert wrong(record) >= {"delta"}


def test_12_epsilon_without_delta(tmp_path: Path) -> None:
    """No claim of epsilon can be made of a record without delta, and every one says under which delta it holds."""
    record = recorded(tmp_path / "run")
    claims = {item.name: item for item in private_claims({"privacy": record}, {"model": "x"})}
    assert claims["delta"].value == record["delta"]
    assert claims["epsilon"].method.startswith(f"at delta {record['delta']:g}; ")
    assert claims["epsilon"].high >= claims["epsilon"].value
    del record["delta"]
    with pytest.raises(KeyError, match="delta"):
        private_claims({"privacy": record}, {"model": "x"})


def test_an_accountant_that_promises_too_much_is_noticed(tmp_path: Path) -> None:
    """The Gaussian approximation, where it was measured to say 1.42 instead of 4.66, and a few per cent too."""
    record = recorded(tmp_path / "run")
    assert "two accountants" not in wrong(record)
    for share in (1.42 / 4.66, 0.95, 1.05):
        assert wrong({**record, "epsilon": share * record["epsilon_checked"]}) == {"two accountants"}
    assert private_checks.judge_accountants(0.001, 0.0).passed, "both say next to nothing"


def test_every_bug_of_the_list_has_its_test() -> None:
    numbers = {
        int(name.split("_")[1]) for name in globals() if name.startswith("test_") and name.split("_")[1].isdigit()
    }
    assert numbers == set(range(1, 13))


def test_canaries_are_examples_to_all_these_parts(tmp_path: Path) -> None:
    made, turn = train_privately(tmp_path, 5, noise=2.0, epsilon=50.0, canaries=30)
    assert isinstance(made.canaries, Canaries)
    assert made.sizes.steps == made.accountant.steps == 5
    assert made.sampler.batch == EXPECTED
    assert "canaries" in dict(turn.model.named_parameters())
    made.leave(turn.model, turn.model)
    assert "canaries" not in dict(turn.model.named_parameters())
