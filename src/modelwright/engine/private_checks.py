"""Direct tests of the parts that make a training private, as they are used: noise, clipping, sampling, counting.

They cost seconds and see what no attack on a trained model could: a wrong factor in the noise, or a batch clipped as one. Each
compares with what follows from the settings alone; where chance has a say, the bound is six standard deviations.
"""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..layouts.local import Local
from ..tasks.task import Batch
from .loader import Loader
from .loop import Verdict, train
from .private_accountant import Accountant
from .private_gradients import ClippedGradients
from .private_noise import Noise
from .private_sampler import Poisson
from .turn import Turn

ENTRIES, DEVIATIONS = 20_000, 6.0
EXAMPLES, STEPS = 2_000, 400
APART, LEFT_OPEN = 0.02, 2e-3


@dataclass(frozen=True)
class Setting:
    """With what a training is private."""

    noise: float
    clip: float
    rate: float
    batch: int


@dataclass(frozen=True)
class Check:
    """What one test found, and what it should have."""

    name: str
    passed: bool
    found: str
    expected: str


class _Scalar(nn.Module):
    """State: one weight for each input; the gradient of an example's loss is the example itself."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(size))


def run_checks(setting: Setting) -> list[Check]:
    """Test every part with the settings of a training."""
    tests: tuple[Callable[[Setting], Check], ...] = (
        check_noise_scale,
        check_noise_of_equal_seeds,
        check_noise_after_resume,
        check_clipping,
        check_micro_batches,
        check_leftover_gradient,
        check_batch_sizes,
        check_each_example,
        check_empty_batch,
        check_resumed_count,
    )
    return [test(setting) for test in tests]


def check_noise_scale(setting: Setting) -> Check:
    """The noise on a mean gradient has standard deviation noise * clip / expected batch."""
    drawn = _noise(setting)
    ratio = float(drawn.double().square().mean().sqrt()) * setting.batch / (setting.noise * setting.clip)
    allowed = DEVIATIONS / math.sqrt(2 * ENTRIES)
    return Check("noise scale", abs(ratio - 1) <= allowed, f"{ratio:.4f} of what is claimed", f"1 +- {allowed:.4f}")


def check_noise_of_equal_seeds(setting: Setting) -> Check:
    """The noise does not follow from any seed of the process."""
    drawn = []
    for _ in range(2):
        _seed_everything()
        drawn.append(_noise(setting))
    return _unrelated("noise under equal seeds", *drawn)


def check_noise_after_resume(setting: Setting) -> Check:
    """A step that is taken again, after a kill, gets other noise than before."""
    return _unrelated("noise of a step taken again", _noise(setting, before=5), _noise(setting, before=5))


def check_clipping(setting: Setting) -> Check:
    """Each example is clipped by itself: a loud one becomes as long as `clip`, a quiet one stays as it is."""
    examples = torch.zeros(9, 3)
    examples[:8, 0] = 100 * setting.clip
    examples[8, 1] = 0.1 * setting.clip
    found = [_clipped(setting, examples, how, [9]) / setting.clip for how in ("vmap", "one_by_one")]
    expected = torch.tensor([8.0, 0.1, 0.0])
    passed = all(torch.allclose(item, expected, atol=1e-4) for item in found)
    return Check("clipping", passed, f"{[round(float(value), 4) for value in found[0]]} times clip", "[8, 0.1, 0]")


def check_micro_batches(setting: Setting) -> Check:
    """How a batch is cut changes nothing."""
    examples = torch.randn(12, 5, generator=torch.Generator().manual_seed(3)) * setting.clip
    whole, parts = (_clipped(setting, examples, "vmap", sizes) for sizes in ([12], [5, 5, 2]))
    off = float((whole - parts).norm() / setting.clip)
    return Check("micro-batches", off < 1e-4, f"{off:.1e} times clip apart", "the sum over the whole batch")


def check_leftover_gradient(setting: Setting) -> Check:
    """A second backward pass into a gradient that was not cleared is noticed."""
    turn = _turn(3)
    seam, batch = ClippedGradients(setting.clip, "vmap"), _batch(torch.ones(2, 3))
    seam(turn, [batch], _plain)
    try:
        seam(turn, [batch], _plain)
    except AssertionError:
        return Check("two backward passes", True, "the second one was refused", "refused")
    return Check("two backward passes", False, "the second one was accepted", "refused")


def check_batch_sizes(setting: Setting) -> Check:
    """Sizes of batches vary as those of independent draws do; those of shuffled data do not."""
    sizes = np.array([len(indices) for _, indices in _sampler(setting).batches(0, STEPS)])
    return judge_sizes(len(sizes), float(sizes.mean()), float(sizes.var(ddof=1)), EXAMPLES, setting.rate)


def judge_sizes(steps: int, mean: float, variance: float, examples: int, rate: float) -> Check:
    """Judge the sizes of the batches of a training, its own or a tried one: mean and variance are those of a binomial."""
    usual = examples * rate * (1 - rate)
    # The fourth moment of a binomial: where batches are small it is larger than that of a normal distribution.
    spread = math.sqrt((2 + 1 / usual) / max(1, steps - 1))
    off_mean = abs(mean - examples * rate) / math.sqrt(usual / steps)
    ratio = variance / usual
    # The logarithm, because few steps leave a wide and skewed distribution; no variance at all is never right.
    passed = off_mean <= DEVIATIONS and ratio > 0 and abs(math.log(ratio)) <= DEVIATIONS * spread * 1.5
    return Check(
        "batch sizes",
        passed,
        f"mean {mean:.2f}, variance {variance:.2f}",
        f"mean {examples * rate:.2f}, variance {usual:.2f} in {steps} steps",
    )


def check_each_example(setting: Setting) -> Check:
    """Every example is drawn by itself, as often as the rate says."""
    counts = np.zeros(EXAMPLES)
    for _, indices in _sampler(setting).batches(0, STEPS):
        counts[indices] += 1
    usual = STEPS * setting.rate * (1 - setting.rate)
    ratio = float(counts.var(ddof=1)) / usual
    allowed = DEVIATIONS * math.sqrt((2 + 1 / usual) / EXAMPLES)
    return Check(
        "draws of each example", abs(ratio - 1) <= allowed, f"{ratio:.3f} of the variance", f"1 +- {allowed:.3f}"
    )


def check_empty_batch(setting: Setting) -> Check:
    """A step without examples is a step: noise is added, and it counts."""
    turn = _turn(50)
    with tempfile.TemporaryDirectory() as folder:
        accountant = _accountant(setting, Path(folder))
        gradients, noise = ClippedGradients(setting.clip, "vmap"), Noise(accountant, setting.batch)
        train(
            turns=[turn],
            batches=Loader(lambda step, indices, room: _batch(torch.empty(0, 50)), 0).batches(
                [(0, np.empty(0, np.int64))]
            ),
            layout=Local(example_gradients=gradients),
            objective=_plain,
            rules=[noise],
            observers=[],
            seed_of_step=lambda step: step,
        )
        counted = accountant.steps
    moved = bool(turn.model.get_parameter("weights").any())
    found = f"{'moved' if moved else 'did not move'} the weights, counted {counted} times"
    return Check("empty batch", moved and counted == 1, found, "moved the weights, counted 1 times")


def check_resumed_count(setting: Setting) -> Check:
    """The accountant goes on from a checkpoint where it stood, and remembers what was begun after it."""
    with tempfile.TemporaryDirectory() as folder:
        before = _accountant(setting, Path(folder))
        for _ in range(5):
            before.count()
        saved = before.state()
        before.count()
        after = _accountant(setting, Path(folder))
        after.restore(*saved)
        after.count()
        found = (after.steps, after.begun)
    return Check("count after a resume", found == (6, 7), f"{found[0]} taken, {found[1]} begun", "6 taken, 7 begun")


def _plain(losses: torch.Tensor, batch: Batch) -> torch.Tensor:
    return losses


def _seed_everything() -> None:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)


def _turn(size: int) -> Turn:
    model = _Scalar(size)
    return Turn(
        "check",
        model,
        lambda batch: (batch.inputs["x"] * model.weights).sum(dim=1),
        lambda batch: torch.ones(len(batch)),
        torch.optim.SGD(model.parameters(), lr=1.0),
        lambda step: 1.0,
    )


def _batch(examples: torch.Tensor) -> Batch:
    count = len(examples)
    return Batch({"x": examples}, torch.zeros(count, dtype=torch.int64), np.arange(count))


def _accountant(setting: Setting, folder: Path) -> Accountant:
    return Accountant(folder / "ledger", noise=setting.noise, rate=setting.rate, clip=setting.clip)


def _noise(setting: Setting, before: int = 0) -> torch.Tensor:
    """Return the noise on a gradient of zeros, in the step after `before` others."""
    turn = _turn(ENTRIES)
    weights = turn.model.get_parameter("weights")
    weights.grad = torch.zeros(ENTRIES)
    with tempfile.TemporaryDirectory() as folder:
        accountant = _accountant(setting, Path(folder))
        accountant.steps = before
        verdict = Noise(accountant, setting.batch)(turn, torch.empty(0))
    assert verdict is Verdict.APPLY
    return weights.grad


def _unrelated(name: str, one: torch.Tensor, other: torch.Tensor) -> Check:
    correlation = float(torch.corrcoef(torch.stack([one, other]))[0, 1])
    allowed = DEVIATIONS / math.sqrt(ENTRIES)
    return Check(name, abs(correlation) <= allowed, f"correlation {correlation:.4f}", f"0 +- {allowed:.4f}")


def _clipped(setting: Setting, examples: torch.Tensor, how: str, sizes: list[int]) -> torch.Tensor:
    turn = _turn(examples.shape[1])
    parts = [_batch(part) for part in examples.split(sizes)]
    ClippedGradients(setting.clip, how)(turn, parts, _plain)
    gradient = turn.model.get_parameter("weights").grad
    assert gradient is not None
    return gradient


def _sampler(setting: Setting) -> Poisson:
    return Poisson(EXAMPLES, setting.batch, setting.rate, key=random.SystemRandom().getrandbits(128))


def judge_accountants(epsilon: float, checked: float) -> Check:
    """Judge whether two accountants that were written apart have counted the same; near 0, what their grids leave open counts."""
    passed = abs(epsilon - checked) <= max(APART * checked, LEFT_OPEN)
    return Check("two accountants", passed, f"epsilon {epsilon:.4g}", f"{checked:.4g} +- {APART:.0%}")


def judge_record(spent: dict[str, Any]) -> list[Check]:
    """Judge what a training wrote down of itself: sizes of its batches, their order, its counts, its delta."""
    sizes = spent["sizes"]
    steps, begun, n, delta = spent["steps"], spent["begun"], spent["examples"], spent["delta"]
    drawn = judge_sizes(sizes["steps"], sizes["mean"], sizes["variance"], spent["drawn_from"], spent["rate"])
    moved = spent["weights_change"]["norm"]
    return [
        replace(drawn, name="batch sizes of this training"),
        Check(
            "order of the examples",
            spent["order_as_drawn"],
            "that of the sampler" if spent["order_as_drawn"] else "another",
            "that of the sampler",
        ),
        Check(
            "steps counted",
            sizes["steps"] == steps <= begun,
            f"{sizes['steps']} taken, {steps} counted, {begun} begun",
            "as many counted as taken",
        ),
        judge_accountants(spent["epsilon"], spent["epsilon_checked"]),
        Check("delta", delta < 1 / n, f"{delta:g}", f"below 1 / {n}"),
        Check("weights moved", moved > 0, f"by {moved:.4g}", "more than 0"),
    ]
