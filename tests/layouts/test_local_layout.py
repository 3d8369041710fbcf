"""The layout of one process: how a batch is cut, how losses weigh, in what precision it computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelwright.engine.turn import Turn
from modelwright.layouts.local import Local
from modelwright.tasks.task import Batch


def make_batch(count: int) -> Batch:
    torch.manual_seed(1)
    return Batch({"x": torch.randn(count, 4)}, torch.arange(count) % 3, np.arange(100, 100 + count))


def make_turn(sizes: torch.Tensor | None = None) -> Turn:
    torch.manual_seed(2)
    model = torch.nn.Linear(4, 3)

    def losses(part: Batch) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(model(part.inputs["x"]).float(), part.targets, reduction="none")

    def weigh(part: Batch) -> torch.Tensor:
        return torch.ones(len(part)) if sizes is None else sizes[torch.from_numpy(part.indices - 100)]

    return Turn("model", model, losses, weigh, torch.optim.SGD(model.parameters(), lr=0.1), lambda step: 1.0)


@pytest.mark.parametrize(
    ("count", "micro_batch", "parts"), [(7, 0, [7]), (7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 9, [2]), (1, 1, [1])]
)
def test_split_keeps_order_and_loses_nothing(count: int, micro_batch: int, parts: list[int]) -> None:
    batch = make_batch(count)
    split = Local(micro_batch=micro_batch).split(batch)
    assert [len(part) for part in split] == parts
    assert torch.equal(torch.cat([part.inputs["x"] for part in split]), batch.inputs["x"])
    assert torch.equal(torch.cat([part.targets for part in split]), batch.targets)
    assert np.concatenate([part.indices for part in split]).tolist() == batch.indices.tolist()


@pytest.mark.parametrize("micro_batch", [0, 2])
def test_examples_count_by_their_size(micro_batch: int) -> None:
    """A document of nine tokens weighs nine times one of a single token, however the batch is cut."""
    sizes = torch.tensor([9.0, 1.0, 2.0, 4.0, 1.0])
    turn, layout, batch = make_turn(sizes), Local(micro_batch=micro_batch), make_batch(5)
    losses = layout.backward(turn, layout.split(batch), lambda losses, part: losses)
    found = turn.model.weight.grad.clone()
    turn.model.zero_grad()
    own = turn.losses(batch)
    ((own * sizes).sum() / sizes.sum()).backward()
    torch.testing.assert_close(found, turn.model.weight.grad, atol=1e-7, rtol=1e-6)
    torch.testing.assert_close(losses, own.detach(), atol=1e-7, rtol=1e-6)


def test_the_objective_shapes_the_gradient_and_not_the_losses_that_are_reported() -> None:
    turn, layout, batch = make_turn(), Local(), make_batch(6)
    plain = layout.backward(turn, layout.split(batch), lambda losses, part: losses)
    gradient = turn.model.weight.grad.clone()
    turn.model.zero_grad()
    doubled = layout.backward(turn, layout.split(batch), lambda losses, part: 2 * losses)
    assert torch.equal(plain, doubled)
    torch.testing.assert_close(turn.model.weight.grad, 2 * gradient)


def test_bfloat16_computes_in_bfloat16_and_keeps_weights_and_losses_in_float32() -> None:
    turn, batch = make_turn(), make_batch(6)
    seen: list[torch.dtype] = []
    turn.model.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    layout = Local(precision="bfloat16")
    losses = layout.backward(turn, layout.split(batch), lambda losses, part: losses)
    assert seen == [torch.bfloat16]
    assert losses.dtype == turn.model.weight.dtype == turn.model.weight.grad.dtype == torch.float32
    plain = Local().backward(make_turn(), [batch], lambda losses, part: losses)
    torch.testing.assert_close(losses, plain, atol=0.05, rtol=0.05)


def test_convolutions_are_placed_with_channels_last() -> None:
    placed = Local().place(torch.nn.Conv2d(3, 8, 3))
    assert placed.weight.is_contiguous(memory_format=torch.channels_last)


def test_one_process_is_its_own_mean_and_all_there_is() -> None:
    value = torch.tensor([1.0, 2.0])
    assert torch.equal(Local().mean(value), value)
    assert torch.equal(Local().gather(value), value)
    assert {"whole-batch", "example-losses", "global-gradients", "whole-parameters"} <= Local().provides
