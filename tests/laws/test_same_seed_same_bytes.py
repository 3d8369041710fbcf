"""Same seed, same bytes; another seed, other bytes: for every network, with all that is random in training."""

from __future__ import annotations

import pytest
import torch
from cases import CASES, COUNT, TINY, make_case

from modelwright.core.randomness import derive_seed
from modelwright.engine.loop import train
from modelwright.engine.samplers import Shuffled
from modelwright.engine.turn import Turn
from modelwright.layouts.local import Local

# Which of the tiny networks drop activations when asked to.
DROPS = [name for name in TINY if name not in ("linear", "residual_generator", "unet")]


def weights_after(model: str, task: str, seed: int, begin: int = 0) -> dict[str, torch.Tensor]:
    """Train six steps, with dropout where there is any; from the second time on, `begin` steps were done before."""
    case = make_case(model, task, derive_seed(seed, "build"), **({"dropout": 0.3} if model in DROPS else {}))
    optimiser = torch.optim.Adam(case.network.parameters(), lr=0.01)
    turn = Turn(
        "model",
        case.network,
        lambda part: case.task.losses(case.network, part),
        case.task.sizes,
        optimiser,
        lambda step: 1.0,
    )
    sampler = Shuffled(COUNT, 5, seed)
    for start, stop in ((0, begin), (begin, 6)):
        train(
            turns=[turn],
            batches=((step, case.batch(indices)) for step, indices in sampler.batches(start, stop)),
            layout=Local(micro_batch=3),
            objective=lambda losses, batch: losses,
            rules=[],
            observers=[],
            seed_of_step=lambda step: derive_seed(seed, "step", step),
        )
        # What happens between two sittings must not be felt.
        torch.rand(17)
    return {name: tensor.clone() for name, tensor in case.network.state_dict().items()}


@pytest.mark.parametrize(("model", "task"), CASES)
def test_same_seed_same_bytes(model: str, task: str) -> None:
    first, again, in_two, other = (
        weights_after(model, task, 1),
        weights_after(model, task, 1),
        weights_after(model, task, 1, begin=4),
        weights_after(model, task, 2),
    )
    for name, tensor in first.items():
        assert torch.equal(tensor, again[name]), name
        assert torch.equal(tensor, in_two[name]), name
    assert any(not torch.equal(tensor, other[name]) for name, tensor in first.items())
