"""Laws of the one word that carries everything: the loss of each example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cases import BATCH_STATISTICS, CASES, CLASSIFYING, COUNT, TINY, Case, make_case

from modelwright.core import registry
from modelwright.engine.turn import Turn
from modelwright.layouts.local import Local

each_case = pytest.mark.parametrize(("model", "task"), CASES)
each_classifying = pytest.mark.parametrize(("model", "task"), CLASSIFYING)
ALL = np.arange(COUNT)


def test_every_network_has_a_tiny_size() -> None:
    assert {model for model, _ in CASES} == set(TINY), "a new network needs a tiny size in cases.py"


@each_case
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_permuting_a_batch_permutes_its_losses(model: str, task: str, mode: str) -> None:
    case = make_case(model, task)
    case.network.train(mode == "train")
    losses = case.losses(ALL)
    assert losses.shape == (COUNT,)
    assert losses.dtype == torch.float32
    assert len(set(losses.tolist())) > COUNT // 2, "losses that are all alike prove nothing"
    order = np.random.default_rng(3).permutation(COUNT)
    torch.testing.assert_close(case.losses(order), losses[order], atol=2e-6, rtol=1e-5)


@each_case
def test_the_loss_of_an_example_ignores_its_neighbours(model: str, task: str) -> None:
    """Also when they are longer, so that more padding stands behind it, and when one of them comes twice."""
    case = make_case(model, task)
    case.network.train(model not in BATCH_STATISTICS)
    together = case.losses(ALL)
    for index in range(COUNT):
        torch.testing.assert_close(case.losses([index])[0], together[index], atol=2e-6, rtol=1e-5)
        torch.testing.assert_close(case.losses([index, COUNT - 1, index])[2], together[index], atol=2e-6, rtol=1e-5)


@each_classifying
def test_the_content_of_a_neighbour_is_not_felt(model: str, task: str) -> None:
    """The gradient of one example's loss with respect to another example's input is zero."""
    case = make_case(model, task)
    case.network.train(model not in BATCH_STATISTICS)
    before = case.losses(ALL)
    for name, column in case.examples.columns.items():
        if name not in ("target", "length", "excerpt"):
            # Codes and tokens stay in range: they are only dealt out anew.
            column[COUNT // 2 :] = column[COUNT // 2 :][::-1].copy()
    after = case.losses(ALL)
    torch.testing.assert_close(after[: COUNT // 2], before[: COUNT // 2], atol=2e-6, rtol=1e-5)
    assert not torch.allclose(after[COUNT // 2 :], before[COUNT // 2 :], atol=1e-4)


def gradients(case: Case, micro_batch: int, objective: Callable[..., torch.Tensor]) -> list[torch.Tensor]:
    """Return the gradient of a whole batch, accumulated in micro-batches."""
    optimiser = torch.optim.SGD(case.network.parameters(), lr=1.0)
    turn = Turn(
        "model",
        case.network,
        lambda part: case.task.losses(case.network, part),
        case.task.sizes,
        optimiser,
        lambda step: 1.0,
    )
    optimiser.zero_grad()
    layout = Local(micro_batch=micro_batch)
    losses = layout.backward(turn, layout.split(case.batch(ALL)), objective)
    assert losses.shape == (COUNT,)
    return [parameter.grad.clone() for parameter in case.network.parameters() if parameter.grad is not None]


OBJECTIVES: dict[str, dict[str, Any]] = {
    "mean": {},
    "class_weights": {"how": "effective", "beta": 0.7},
    "focal": {"gamma": 1.5},
}


@pytest.mark.parametrize(
    ("model", "task", "objective"),
    [(*case, objective) for case in CASES for objective in OBJECTIVES if case in CLASSIFYING or objective == "mean"],
)
def test_micro_batches_give_the_gradient_of_the_whole_batch(model: str, task: str, objective: str) -> None:
    case = make_case(model, task)
    # Batch statistics of a part are not those of the whole; without them the law holds for these networks, too.
    case.network.train(model not in BATCH_STATISTICS)
    settings = registry.settings_of("objective", objective).model_validate({"kind": objective, **OBJECTIVES[objective]})
    chosen = registry.function_of("objective", objective)(settings, np.array([8, 3, 1]))
    whole = gradients(case, 0, chosen)
    assert sum(float(gradient.abs().sum()) for gradient in whole) > 1e-3
    for micro_batch in (1, 5, COUNT):
        for one, other in zip(gradients(case, micro_batch, chosen), whole, strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


@each_classifying
def test_the_gradient_is_that_of_the_mean_loss(model: str, task: str) -> None:
    case = make_case(model, task)
    case.network.train(model not in BATCH_STATISTICS)
    found = gradients(case, 0, lambda losses, batch: losses)
    case.network.zero_grad()
    torch.nn.functional.cross_entropy(case.network(**case.batch(ALL).inputs), case.batch(ALL).targets).backward()
    expected = [parameter.grad for parameter in case.network.parameters() if parameter.grad is not None]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


@each_classifying
def test_probabilities_are_probabilities_and_agree_with_the_losses(model: str, task: str) -> None:
    case = make_case(model, task)
    case.network.eval()
    with torch.inference_mode():
        answers = case.task.predict(case.network, case.batch(ALL))
    torch.testing.assert_close(answers.sum(dim=1), torch.ones(COUNT))
    right = answers[torch.arange(COUNT), case.batch(ALL).targets]
    torch.testing.assert_close(-right.log(), case.losses(ALL), atol=1e-5, rtol=1e-5)
