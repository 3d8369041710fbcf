"""Gradient rules bound, pull and guard; observers count, watch and keep."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from modelwright.engine.loop import Moment, Verdict
from modelwright.engine.observers import LossHistory, Validation, measure
from modelwright.engine.predictor import Predictor
from modelwright.engine.rules import clip_norm, clip_value, l1
from modelwright.engine.turn import Turn
from modelwright.tasks.task import Examples

LOSSES = torch.ones(2)


def make_turn(lr: float = 0.1) -> Turn:
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.LayerNorm(3))
    optimiser = torch.optim.SGD(model.parameters(), lr=lr)
    return Turn("model", model, lambda batch: LOSSES, lambda batch: LOSSES, optimiser, lambda step: 1.0)


def norm(turn: Turn) -> float:
    return math.sqrt(sum(float((parameter.grad.double() ** 2).sum()) for parameter in turn.parameters()))


@pytest.mark.parametrize("limit", [0.01, 0.5, 3.0])
def test_clipping_bounds_the_norm_over_all_parameters(limit: float) -> None:
    turn = make_turn()
    for parameter in turn.parameters():
        parameter.grad = torch.randn_like(parameter)
    before = norm(turn)
    direction = [parameter.grad / before for parameter in turn.parameters()]
    assert clip_norm(limit)(turn, LOSSES) is Verdict.APPLY
    assert norm(turn) == pytest.approx(min(limit, before), rel=1e-5)
    for parameter, unit in zip(turn.parameters(), direction, strict=True):
        torch.testing.assert_close(parameter.grad, unit * min(limit, before), rtol=1e-4, atol=1e-7)


def test_l1_adds_the_sign_to_matrices_alone() -> None:
    turn = make_turn()
    with torch.no_grad():
        turn.model[0].weight[0, 0] = 0.0
    for parameter in turn.parameters():
        parameter.grad = torch.zeros_like(parameter)
    assert l1(0.3)(turn, LOSSES) is Verdict.APPLY
    assert torch.equal(turn.model[0].weight.grad, 0.3 * turn.model[0].weight.detach().sign())
    assert all(float(parameter.grad.abs().sum()) == 0 for parameter in turn.parameters() if parameter.dim() < 2)


def test_l1_alone_shrinks_a_weight_to_nearly_nothing() -> None:
    turn = make_turn(lr=0.01)
    for _ in range(200):
        for parameter in turn.parameters():
            parameter.grad = torch.zeros_like(parameter)
        l1(0.5)(turn, LOSSES)
        turn.optimiser.step()
    # The subgradient steps over zero by at most one step, lr times weight.
    assert float(turn.model[0].weight.detach().abs().max()) <= 0.01 * 0.5 + 1e-6


def test_clipping_by_value_bounds_every_entry() -> None:
    turn = make_turn()
    for parameter in turn.parameters():
        parameter.grad = torch.randn_like(parameter)
    before = [parameter.grad.clone() for parameter in turn.parameters()]
    assert clip_value(0.3)(turn, LOSSES) is Verdict.APPLY
    for parameter, old in zip(turn.parameters(), before, strict=True):
        assert torch.equal(parameter.grad, old.clamp(-0.3, 0.3))


def moment(step: int, losses: Any, turns: Any = ()) -> Moment:
    return Moment(step, turns, torch.as_tensor(losses), Verdict.APPLY, None)


def test_the_loss_history_is_the_mean_over_the_examples_of_an_epoch() -> None:
    """The last batch of an epoch is smaller, so the mean of the batches' means would be wrong."""
    history = LossHistory(2)
    history(moment(0, [1.0, 2.0, 3.0]))
    assert history.recent == 2.0
    history(moment(1, [10.0]))
    history(moment(2, [5.0, 7.0]))
    history(Moment(2, (), torch.tensor([math.nan, 99.0]), Verdict.SKIP, None))
    assert history.recent == 6.0
    history(moment(3, [0.0]))
    assert history.points == [{"step": 2, "loss": 4.0}, {"step": 4, "loss": 4.0}]


def test_the_loss_history_goes_on_from_the_middle_of_an_epoch() -> None:
    whole, begun, resumed = LossHistory(3), LossHistory(3), LossHistory(3)
    losses = [[1.0, 4.0], [2.0], [9.0], [3.0], [1.5], [0.25]]
    for step, values in enumerate(losses):
        whole(moment(step, values))
    for step in range(4):
        begun(moment(step, losses[step]))
    resumed.restore(*begun.state())
    for step in range(4, 6):
        resumed(moment(step, losses[step]))
    assert resumed.points == whole.points


def scripted(losses: list[float], accuracies: list[float] | None = None) -> tuple[Predictor, Examples]:
    """Return a predictor whose measured loss and accuracy follow a script."""
    calls = iter(zip(losses, accuracies or [0.5] * len(losses), strict=True))

    def predict(examples: Examples) -> np.ndarray:
        loss, accuracy = next(calls)
        # Ten examples: the target has probability exp(-loss), and is the largest of three as often as asked.
        right = math.exp(-loss)
        rows = []
        for index in range(10):
            rows.append([right, 0.0, 0.0] if index < round(10 * accuracy) else [right, 2.0, 0.0])
        return np.array(rows)

    return Predictor(None, {"classes": ["0", "1"]}, predict, 0), Examples({"target": np.zeros(10, dtype=np.int64)}, {})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Stopping:
    """The fields of early stopping."""

    measure: str = "loss"
    patience: int = 0
    least: float = 0.0


def watch(
    stopping: Stopping, losses: list[float], accuracies: list[float] | None = None, **more: Any
) -> tuple[Validation, int]:
    """Let a validation look on, once a step; return it and how many steps it allowed."""
    predictor, examples = scripted(losses, accuracies)
    observer = Validation(
        predictor,
        lambda model: model,
        examples,
        stopping,
        **{"every": 1, "total": len(losses), "keep_best": True, **more},
    )
    turn = make_turn()
    for step in range(len(losses)):
        with torch.no_grad():
            turn.model[0].bias.fill_(float(step))
        if observer(moment(step, [1.0], [turn])):
            return observer, step + 1
    return observer, len(losses)


def test_measure_is_the_mean_loss_and_the_share_of_right_answers() -> None:
    answers = np.array([[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]])
    predictor = Predictor(None, {"classes": ["0", "1"]}, lambda examples: answers, 0)  # type: ignore[arg-type]
    found = measure(predictor, Examples({"target": np.array([0, 1, 1])}, {}))
    assert found["loss"] == pytest.approx(-np.log([0.5, 0.75, 0.1]).mean())
    assert found["accuracy"] == pytest.approx(2 / 3)


def test_without_classes_the_loss_is_the_mean_over_all_that_counts() -> None:
    def losses(examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        sizes = examples.columns["sizes"].astype(np.float64)
        return 1 / sizes, sizes

    predictor = Predictor(None, {}, None, 0, losses)  # type: ignore[arg-type]
    heard: list[int] = []
    sizes = np.arange(1, 301)
    found = measure(predictor, Examples({"sizes": sizes}, {}), lambda: heard.append(1))
    assert found == {"loss": pytest.approx(300 / sizes.sum())}
    assert len(heard) == 2


@pytest.mark.parametrize(
    ("stopping", "losses", "steps", "kept"),
    [
        (Stopping(patience=0), [1.0, 0.5, 0.6, 0.7, 0.8], 5, 2),
        (Stopping(patience=2), [1.0, 0.5, 0.6, 0.7, 0.4], 4, 2),
        (Stopping(patience=3), [1.0, 0.5, 0.6, 0.7, 0.4], 5, 5),
        (Stopping(patience=2, least=0.2), [1.0, 0.9, 0.7, 0.65, 0.6], 5, 3),
        (Stopping(patience=1, least=0.2), [1.0, 0.9, 0.7, 0.6], 2, 1),
        (Stopping(patience=2), [1.0, math.nan, math.nan, 0.1], 3, 1),
        (Stopping(patience=1), [0.5, 0.5, 0.1], 2, 1),
    ],
)
def test_early_stopping_stops_and_keeps_the_best(
    stopping: Stopping, losses: list[float], steps: int, kept: int
) -> None:
    observer, done = watch(stopping, losses)
    assert done == steps
    assert observer.kept_step == kept
    assert observer.kept["loss"] == pytest.approx(losses[kept - 1])
    model = make_turn().model
    observer.finish(model)
    assert float(model[0].bias[0].detach()) == kept - 1


def test_early_stopping_on_accuracy_wants_more_of_it() -> None:
    observer, done = watch(Stopping("accuracy", 2), [1.0] * 5, [0.2, 0.6, 0.5, 0.6, 0.9])
    assert (done, observer.kept_step) == (4, 2)


def test_the_last_weights_are_kept_when_asked_for() -> None:
    observer, _ = watch(Stopping(), [0.5, 0.1, 0.9], keep_best=False)
    assert observer.kept_step == 3
    assert observer.best == {}


def test_validation_happens_when_it_is_time_and_at_the_end() -> None:
    observer, _ = watch(Stopping(), [0.5] * 8, every=3)
    assert [point["step"] for point in observer.history] == [3, 6, 8]


def test_patience_is_remembered() -> None:
    observer, _ = watch(Stopping(patience=2), [0.5, 0.6])
    predictor, examples = scripted([0.7])
    resumed = Validation(
        predictor, lambda model: model, examples, Stopping(patience=2), every=1, total=9, keep_best=True
    )
    resumed.restore(*observer.state())
    assert not resumed.exhausted
    assert resumed(moment(2, [1.0], [make_turn()]))
    assert resumed.exhausted
    assert resumed.kept_step == 1
