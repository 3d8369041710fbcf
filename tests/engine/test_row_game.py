"""Rows made by two players: of the class that lacks them, in the range and categories of the table, decided by the seed alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from test_resampling import table

from modelwright.core import registry
from modelwright.core.errors import RecipeError
from modelwright.engine import row_game
from modelwright.methods.balance.modes import Modes, find_modes, tell_by_mode, value_of
from modelwright.models.rows_gan import Block, RowGenerator
from modelwright.tasks.task import Examples

SHORT = {"length": "60 steps", "batch": 32, "width": 16, "noise": 8, "modes": 3}


def gan(training: Examples, modality: str = "tabular", seed: int = 1, **keys: Any) -> Examples:
    chosen = registry.settings_of("resampling", "gan").model_validate({"kind": "gan", **SHORT, **keys})
    made: Examples = registry.function_of("resampling", "gan")(chosen, training, modality, seed)
    return made


@pytest.mark.parametrize("shape", [{}, {"codes": 2, "missing": True}, {"codes": 2, "numbers": 0}])
def test_the_rare_class_grows_and_what_was_there_stays(shape: dict[str, Any]) -> None:
    training = table(**shape)
    made = gan(training, ratio=0.5)
    assert np.bincount(made.columns["target"]).tolist() == [60, 30]
    for name, column in training.columns.items():
        assert made.columns[name].dtype == column.dtype
        np.testing.assert_array_equal(made.columns[name][: len(training)], column)
    new = {name: column[len(training) :] for name, column in made.columns.items()}
    assert (new["target"] == 1).all()
    assert set(np.unique(new["codes"])) <= {0, 1, 2}
    old = training.columns["numbers"]
    if old.shape[1]:
        assert (new["numbers"] >= old.min(axis=0) - 1e-6).all()
        assert (new["numbers"] <= old.max(axis=0) + 1e-6).all()
    if "missing" in shape:
        assert (new["numbers"][new["missing"][:, 0], 0] == 0.25).all()


def test_the_rows_of_a_class_come_to_lie_where_the_class_lies() -> None:
    """The rare class lies around (5, 5), the frequent one around (0, 0): only whoever heeds the condition knows."""
    training = table()
    made = gan(training, length="400 steps", lr=3e-3, critic_lr=3e-3).columns["numbers"][len(training) :]
    assert np.abs(made.mean(axis=0) - 5).max() < 1.5
    assert len(np.unique(made.round(3), axis=0)) > 40


def test_the_seed_decides_and_nothing_else() -> None:
    """Neither what was drawn before, nor how many threads there are; and nobody's dice are moved."""
    one = gan(table())
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        again = gan(table())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(before, torch.random.get_rng_state())
    other = gan(table(), seed=2**63)
    np.testing.assert_array_equal(one.columns["numbers"], again.columns["numbers"])
    assert not np.array_equal(one.columns["numbers"], other.columns["numbers"])


CHANGES: list[dict[str, Any]] = [
    {"length": "61 steps"}, {"batch": 33}, {"modes": 1}, {"noise": 9}, {"width": 17}, {"loss": "hinge"},
    {"loss": "least_squares"}, {"r1": 0.0}, {"lr": 2e-3}, {"critic_lr": 2e-3},
]  # fmt: skip


def test_every_key_counts() -> None:
    found = {gan(table(), ratio=0.4, **change).columns["numbers"].tobytes() for change in [{}, *CHANGES]}
    assert len(found) == len(CHANGES) + 1
    assert len(gan(table(), ratio=0.3)) == 78


def test_it_is_the_one_loop_that_both_players_take_turns_in(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    loop = row_game.train

    def watched(**parts: Any) -> Any:
        seen.append([turn.name for turn in parts["turns"]])
        return loop(**parts)

    monkeypatch.setattr(row_game, "train", watched)
    gan(table())
    assert seen == [["model", "discriminator"]]


def test_nobody_learns_out_of_turn() -> None:
    chosen = registry.settings_of("resampling", "gan").model_validate({"kind": "gan", **SHORT})
    examples = table(codes=1)
    columns = examples.columns
    from modelwright.methods.balance.table import Table
    from modelwright.tasks.task import Batch

    rows = Table(columns["numbers"], columns["codes"], columns["target"], [3], 2)
    game = row_game.RowGame(chosen, rows, [Block(1, 2), Block(1, 2), Block(0, 3)])
    codes, targets = torch.from_numpy(columns["codes"][:8].astype(np.int64)), torch.from_numpy(columns["target"][:8])
    batch = Batch({"row": torch.randn(8, 9), "codes": codes}, targets, np.arange(8))
    game.generator_losses(batch).sum().backward()
    assert all(parameter.grad is not None for parameter in game.generator.parameters())
    assert all(parameter.grad is None for parameter in game.critic.parameters())
    game.generator.zero_grad()
    game.critic_losses(batch).sum().backward()
    assert all(parameter.grad is None for parameter in game.generator.parameters())
    assert all(parameter.grad is not None for parameter in game.critic.parameters())


def test_modes_are_found_and_tell_values_back() -> None:
    dice = np.random.default_rng(0)
    values = np.concatenate([dice.normal(-5, 0.5, 300), dice.normal(3, 1.0, 700)])
    modes = find_modes(values, 10, 1)
    heavy = modes.shares > 0.2
    np.testing.assert_allclose(np.sort(modes.means[heavy]), [-5, 3], atol=0.3)
    distances, which = tell_by_mode(values, modes, dice)
    assert np.abs(distances).max() <= 1
    inside = np.abs(distances) < 1
    np.testing.assert_allclose(value_of(distances, which, modes)[inside], values[inside], atol=1e-9)
    alone = find_modes(np.full(9, 2.0), 10, 1)
    assert (len(alone), value_of(np.zeros(1), np.zeros(1, np.int64), alone)[0]) == (1, 2.0)
    ends = Modes(np.ones(1), np.zeros(1), np.ones(1), -1.0, 1.0)
    assert value_of(np.ones(1), np.zeros(1, np.int64), ends)[0] == 1.0


def test_a_row_does_not_depend_on_the_others_of_its_batch() -> None:
    torch.manual_seed(0)
    generator = RowGenerator(4, 2, [Block(1, 3), Block(0, 2)], 8)
    noise, asked = torch.randn(5, 4), torch.randn(5, 2)
    together = generator(noise, asked)[1]
    alone = generator(noise[2:3], asked[2:3])[1]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one[2:3], other)


@pytest.mark.parametrize("modality", ["image", "text"])
def test_other_tasks_are_refused_by_name(modality: str) -> None:
    with pytest.raises(RecipeError, match=rf"train\.resample: the task is {modality}"):
        gan(table(), modality)


def test_where_nothing_lacks_nothing_is_made() -> None:
    training = table()
    assert gan(training, ratio=0.2) is training
