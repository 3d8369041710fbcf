"""Objectives that know groups: what they make of the losses of a batch, and that training with them goes on after a kill."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from modelwright.core.errors import DataError
from modelwright.engine.group_objectives import build_group_robust, build_reweighing
from modelwright.engine.groups import group_column
from modelwright.methods.fairness.settings import GroupRobust, Reweighing
from modelwright.methods.fairness.weights import reweighing
from modelwright.tasks.task import Batch, Examples

TARGETS = np.array([1, 1, 1, 0, 1, 0, 0, 0])
SEXES = ["man"] * 4 + ["woman"] * 4


def training(values: Any = SEXES) -> Examples:
    return Examples({"target": TARGETS}, {"classes": ["bad", "good"]}, groups={"sex": group_column(values)})


def batch(indices: list[int]) -> Batch:
    rows = np.array(indices)
    return Batch({}, torch.from_numpy(TARGETS[rows]), rows)


def test_reweighing_weighs_each_row_by_its_group_and_class() -> None:
    objective = build_reweighing(Reweighing(column="sex"), training())
    weights = reweighing(np.array([0] * 4 + [1] * 4), TARGETS)
    losses = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    weighed = objective(losses, batch([0, 4, 3]))
    torch.testing.assert_close(
        weighed.detach(), torch.tensor([weights[0, 1], 2 * weights[1, 1], 3 * weights[0, 0]]).float()
    )
    weighed.mean().backward()
    assert losses.grad is not None
    unweighed = build_reweighing(Reweighing(column="sex", strength=0.0), training())
    torch.testing.assert_close(unweighed(losses, batch([0, 4, 3])), losses)


def test_the_mean_is_the_weighted_sum_of_the_groups_mean_losses() -> None:
    objective = build_group_robust(GroupRobust(column="sex", step=0.5, by_class=False), training())
    losses = torch.tensor([1.0, 3.0, 8.0])
    found = objective(losses, batch([0, 1, 4])).mean()
    raised = torch.exp(torch.tensor([0.5 * 2.0, 0.5 * 8.0])) / 2
    expected = (raised / raised.sum() * torch.tensor([2.0, 8.0])).sum()
    assert float(found) == pytest.approx(float(expected))
    assert objective.weights_G[1] > 0.9, "the group that fares worse counts for more"


def test_groups_by_class_and_small_groups() -> None:
    by_class = build_group_robust(GroupRobust(column="sex"), training())
    assert len(by_class.weights_G) == 4
    small = [*SEXES[:-1], "other"]
    adjusted = build_group_robust(GroupRobust(column="sex", by_class=False, adjustment=2.0, step=1.0), training(small))
    adjusted(torch.ones(3), batch([0, 4, 7]))
    # Names in the order of the alphabet: man (4 rows), other (1), woman (3).
    assert adjusted.weights_G.argmax() == 1
    plain = build_group_robust(GroupRobust(column="sex", by_class=False, step=1.0), training(small))
    plain(torch.ones(3), batch([0, 4, 7]))
    assert plain.weights_G.tolist() == pytest.approx([1 / 3] * 3)


def test_a_loss_that_is_no_number_does_not_spoil_the_weights() -> None:
    objective = build_group_robust(GroupRobust(column="sex", by_class=False), training())
    objective(torch.tensor([float("nan"), 1.0]), batch([0, 4]))
    assert objective.weights_G.tolist() == [0.5, 0.5]


def test_the_weights_go_on_from_a_checkpoint() -> None:
    first = build_group_robust(GroupRobust(column="sex", step=0.5), training())
    losses, rows = torch.tensor([0.5, 2.0, 1.0]), batch([0, 4, 7])
    first(losses, rows)
    saved = first.state()
    undisturbed = first(losses, rows)
    second = build_group_robust(GroupRobust(column="sex", step=0.5), training())
    second.restore(*saved)
    assert torch.equal(second(losses, rows), undisturbed)
    assert not torch.equal(
        build_group_robust(GroupRobust(column="sex", step=0.5), training())(losses, rows), undisturbed
    )


@pytest.mark.parametrize("build", [build_reweighing, build_group_robust])
def test_rows_without_groups_are_refused(build: Any) -> None:
    settings = Reweighing(column="race") if build is build_reweighing else GroupRobust(column="race")
    with pytest.raises(DataError, match="the training rows have no groups of 'race'"):
        build(settings, training())
    many = training([float(number) for number in range(8)] * 1)
    assert many.groups["sex"].names, "eight codes are groups"
    endless = Examples(
        {"target": np.zeros(30, int)}, {"classes": ["bad"]}, groups={"race": group_column(np.arange(30.0).tolist())}
    )
    with pytest.raises(DataError, match="the column 'race' holds more than 20 distinct numbers"):
        build(settings, endless)


def test_groups_of_a_column() -> None:
    named = group_column(["b ", "a[1]", None, "a[1]", "x,y"])
    assert named.names == ("a(1)", "b", "x;y", "(missing)")
    assert named.codes.tolist() == [1, 0, 3, 0, 2]
    codes = group_column([10, 9, 10])
    assert codes.names == ("9", "10"), "numbers in the order of numbers"
    ages = group_column([*range(30), None])
    assert ages.names == ()
    assert np.isnan(ages.codes[-1])
