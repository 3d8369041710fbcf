"""Ways to save memory leave the gradient of the whole batch as it is, or as near as their precision says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import BATCH_STATISTICS, CASES, COUNT, Case, make_case

from modelwright.engine.turn import Turn
from modelwright.layouts.local import Local
from modelwright.methods.memory.checkpointing import checkpoint_blocks
from modelwright.models.blocks import find_blocks
from modelwright.models.needs import needs_of

# Normalisations of one example at a time: in training, too, an example ignores its neighbours.
WITHOUT_STATISTICS = [
    ("residual", "image", "group"),
    ("residual", "image", "layer"),
    ("residual", "image", "none"),
    ("cnn", "image", "group"),
    ("cnn", "image", "layer"),
    ("mlp", "image", "layer"),
    ("mlp", "tabular", "rms"),
    ("transformer", "text", "rms"),
]
WITH_STATISTICS = [("residual", "image", "batch"), ("cnn", "image", "batch"), ("mlp", "tabular", "batch")]


def gradients(case: Case, layout: Local) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return losses and gradients of all examples as one batch, in training."""
    case.network.train()
    case.network.zero_grad()
    optimiser = torch.optim.SGD(case.network.parameters(), lr=1.0)
    turn = Turn(
        "model",
        case.network,
        lambda part: case.task.losses(case.network, part),
        case.task.sizes,
        optimiser,
        lambda step: 1.0,
    )
    losses = layout.backward(turn, layout.split(case.batch(np.arange(COUNT))), lambda losses, part: losses)
    return losses, {
        name: weight.grad.clone() for name, weight in case.network.named_parameters() if weight.grad is not None
    }


@pytest.mark.parametrize(("model", "task", "normalisation"), WITHOUT_STATISTICS)
@pytest.mark.parametrize("micro_batch", [1, 5])
def test_micro_batches_add_up_in_training(model: str, task: str, normalisation: str, micro_batch: int) -> None:
    case = make_case(model, task, normalisation=normalisation)
    assert needs_of(case.network) == frozenset()
    losses, whole = gradients(case, Local())
    parts_losses, parts = gradients(case, Local(micro_batch=micro_batch))
    torch.testing.assert_close(parts_losses, losses, atol=1e-6, rtol=1e-5)
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("model", "task", "normalisation"), WITH_STATISTICS)
def test_batch_normalisation_needs_the_whole_batch_and_says_so(model: str, task: str, normalisation: str) -> None:
    case = make_case(model, task, normalisation=normalisation)
    assert needs_of(case.network) == {"whole-batch"}
    assert needs_of(case.network) <= Local().provides
    assert not needs_of(case.network) <= Local(micro_batch=5).provides
    _, whole = gradients(case, Local())
    _, parts = gradients(case, Local(micro_batch=5))
    assert any(not torch.allclose(parts[name], gradient, atol=1e-4) for name, gradient in whole.items())


def test_a_frozen_batch_normalisation_needs_nothing() -> None:
    case = make_case("residual", "image")
    case.network.requires_grad_(False)
    assert needs_of(case.network) == frozenset()


@pytest.mark.parametrize(("model", "task"), CASES)
@pytest.mark.parametrize("micro_batch", [0, 5])
def test_short_parameters_compute_in_bfloat16_and_learn_in_float32(model: str, task: str, micro_batch: int) -> None:
    if micro_batch and model in BATCH_STATISTICS:
        pytest.skip("micro-batches have statistics of their own")
    case = make_case(model, task)
    plain_losses, plain = gradients(case, Local())
    seen: list[torch.dtype] = []
    matrices = [name for name, weight in case.network.named_parameters() if weight.ndim > 1]
    case.network.register_forward_pre_hook(
        lambda module, given: seen.extend(dict(module.named_parameters())[name].dtype for name in matrices)
    )
    losses, short = gradients(case, Local(precision="bfloat16_parameters", micro_batch=micro_batch))
    assert set(seen) == {torch.bfloat16}
    assert {weight.dtype for weight in case.network.parameters()} == {torch.float32}
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses, plain_losses, atol=0.05, rtol=0.05)
    assert short.keys() == plain.keys()
    size = torch.cat([gradient.flatten() for gradient in plain.values()]).norm()
    error = torch.cat([(short[name] - gradient).flatten() for name, gradient in plain.items()]).norm()
    assert 0 < error < 0.1 * size


@pytest.mark.parametrize("how", ["blocks", "selective"])
@pytest.mark.parametrize("layout", [Local(micro_batch=5), Local(precision="bfloat16_parameters", micro_batch=5)])
def test_checkpointing_adds_nothing_to_the_error(how: Any, layout: Local) -> None:
    case = make_case("transformer", "text", dropout=0.0)
    losses, plain = gradients(case, layout)
    checkpoint_blocks(find_blocks(case.network, "blocks", "transformer"), how)
    other_losses, found = gradients(case, layout)
    assert torch.equal(losses, other_losses)
    for name, gradient in plain.items():
        assert torch.equal(gradient, found[name]), name
