"""Rows of a class, made by a generator that learnt from a table: the one loop with two players, as for pictures.

The generator is told which class its row belongs to, and the value of one of its categories.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ..core.randomness import derive_seed
from ..layouts.local import Local
from ..methods.adversarial.losses import gradient_penalty, judge_generated, tell_apart
from ..methods.balance.modes import Modes, find_modes, tell_by_mode, value_of
from ..methods.balance.settings import BalancedSamplingSettings, GanRowsSettings
from ..methods.balance.table import Table
from ..methods.optimisation.optimisers import build_adam
from ..methods.optimisation.schedules import build_linear
from ..methods.optimisation.settings import AdamSettings, LinearSettings
from ..models.rows_gan import Block, RowCritic, RowGenerator
from ..tasks.task import Batch
from .adversarial import frozen
from .fine_tuning import only_finite
from .loader import Loader
from .loop import train
from .samplers import build_balanced
from .turn import Turn

# The mixtures are learnt from so many rows, drawn so that classes are alike: the modes of a rare class count.
ROWS_FOR_MODES = 4000


class RowGame:
    """State: the two players, and what the generator made in this step of what was asked."""

    def __init__(self, settings: GanRowsSettings, table: Table, blocks: list[Block]) -> None:
        self.settings, self.table = settings, table
        condition = table.classes + sum(table.cardinalities)
        self.generator = RowGenerator(settings.noise, condition, blocks, settings.width)
        self.critic = RowCritic(sum(block.width for block in blocks) + condition, settings.width)
        self._made = self._asked = torch.empty(0)

    def generator_losses(self, batch: Batch) -> torch.Tensor:
        """Return what the generator minimises for each row, and leave its rows for the critic's turn.

        Shapes: batch of b -> (b,) float
        Source: Xu et al. 2019 (CTGAN), section 4.3: beside the critic's word, the value that was asked for must come.
        """
        codes = batch.inputs["codes"]
        chosen = self._choose(len(codes))
        self._asked = self._condition(batch.targets, codes, chosen)
        made, logits = self._make(self._asked)
        self._made = made.detach()
        with frozen(self.critic):
            losses = judge_generated(self.critic(torch.cat([made, self._asked], dim=1)), self.settings.loss)
        first = len(logits) - codes.shape[1]
        for column in range(codes.shape[1]):
            missed = functional.cross_entropy(logits[first + column], codes[:, column], reduction="none")
            losses = losses + missed * (chosen == column)
        return losses

    def critic_losses(self, batch: Batch) -> torch.Tensor:
        """Return what the critic minimises for each pair of a real row and a made one.

        Shapes: batch of b -> (b,) float
        """
        rows = batch.inputs["row"].detach().requires_grad_(self.settings.r1 > 0)
        real, made = (self.critic(torch.cat([side, self._asked], dim=1)) for side in (rows, self._made))
        losses = tell_apart(real, made, self.settings.loss)
        return losses + self.settings.r1 * gradient_penalty(real, rows) if self.settings.r1 else losses

    def make(self, label: int, count: int, generator: np.random.Generator) -> np.ndarray:
        """Return rows of a class; the categories asked for are those of its real rows.

        Shapes: -> (count, width) float32
        """
        like = generator.choice(np.flatnonzero(self.table.targets == label), count)
        codes = torch.from_numpy(self.table.codes[like].astype(np.int64))
        torch.manual_seed(int(generator.integers(2**62)))
        asked = self._condition(torch.full((count,), label), codes, self._choose(count))
        with torch.inference_mode():
            made: np.ndarray = self._make(asked)[0].numpy()
        return made

    def _make(self, asked: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        found: tuple[torch.Tensor, list[torch.Tensor]] = self.generator(
            torch.randn(len(asked), self.settings.noise), asked
        )
        return found

    def _choose(self, rows: int) -> torch.Tensor:
        """Draw the column of each row whose category is asked for."""
        columns = self.table.codes.shape[1]
        return torch.randint(columns, (rows,)) if columns else torch.zeros(rows, dtype=torch.int64)

    def _condition(self, targets: torch.Tensor, codes: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Return the class, and the category of one column, as zeros and ones."""
        parts = [functional.one_hot(targets, self.table.classes)]
        for column, size in enumerate(self.table.cardinalities):
            parts.append(functional.one_hot(codes[:, column], size) * (chosen == column)[:, None])
        return torch.cat(parts, dim=1).float()


def make_rows(
    settings: GanRowsSettings, table: Table, lacking: dict[int, int], seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train both players on a table, and make as many rows of each class as it lacks.

    In one thread, whatever the machine: a resumed training must meet the same rows.

    Shapes: -> numbers (made, k) float32, codes (made, m) int32, targets (made,) int64
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            return _make_rows(settings, table, lacking, seed)
    finally:
        torch.set_num_threads(threads)


def _make_rows(
    settings: GanRowsSettings, table: Table, lacking: dict[int, int], seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dice = np.random.default_rng(derive_seed(seed, "modes"))
    modes = _modes_of(settings, table, derive_seed(seed, "mixtures"), dice)
    blocks = [*(Block(1, len(mode)) for mode in modes), *(Block(0, size) for size in table.cardinalities)]
    told = [tell_by_mode(table.numbers[:, number].astype(np.float64), mode, dice) for number, mode in enumerate(modes)]
    torch.manual_seed(derive_seed(seed, "players"))
    game = RowGame(settings, table, blocks)
    _play(settings, game, _encode(table, told, modes), seed)
    made = {label: game.make(label, count, dice) for label, count in lacking.items()}
    rows = np.concatenate(list(made.values()))
    numbers, codes = _decode(rows, blocks, modes)
    targets = np.repeat(np.array(list(made), dtype=np.int64), [len(part) for part in made.values()])
    return numbers.astype(table.numbers.dtype), codes.astype(table.codes.dtype), targets


def _modes_of(settings: GanRowsSettings, table: Table, seed: int, dice: np.random.Generator) -> list[Modes]:
    counts = np.bincount(table.targets, minlength=table.classes)
    chances = 1 / counts[table.targets]
    some = dice.choice(len(table.targets), min(ROWS_FOR_MODES, len(table.targets)), p=chances / chances.sum())
    # The range is that of all rows, so that the ends of each column are among those drawn.
    ends = [table.numbers.argmin(axis=0), table.numbers.argmax(axis=0)] if table.numbers.shape[1] else []
    return [
        find_modes(
            table.numbers[[*some, *(end[number] for end in ends)], number].astype(np.float64), settings.modes, seed
        )
        for number in range(table.numbers.shape[1])
    ]


def _encode(table: Table, told: list[tuple[np.ndarray, np.ndarray]], modes: list[Modes]) -> torch.Tensor:
    """Return real rows as the critic sees them."""
    parts: list[np.ndarray] = []
    for (distance, which), mode in zip(told, modes, strict=True):
        parts += [distance[:, None], np.eye(len(mode))[which]]
    parts += [np.eye(size)[table.codes[:, column]] for column, size in enumerate(table.cardinalities)]
    return torch.from_numpy(np.concatenate(parts, axis=1).astype(np.float32))


def _decode(rows: np.ndarray, blocks: list[Block], modes: list[Modes]) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers and codes of made rows."""
    numbers, codes = [np.zeros((len(rows), 0))], [np.zeros((len(rows), 0), dtype=np.int64)]
    place = 0
    for number, block in enumerate(blocks):
        choice = rows[:, place + block.numbers : place + block.width].argmax(axis=1)
        if block.numbers:
            numbers.append(value_of(rows[:, place].astype(np.float64), choice, modes[number])[:, None])
        else:
            codes.append(choice[:, None])
        place += block.width
    return np.concatenate(numbers, axis=1), np.concatenate(codes, axis=1)


def _play(settings: GanRowsSettings, game: RowGame, rows: torch.Tensor, seed: int) -> None:
    """Let both players take turns in every step of the loop that trains everything else."""
    table = game.table
    sampler = build_balanced(
        BalancedSamplingSettings(), {"target": table.targets.copy()}, settings.batch, derive_seed(seed, "sampler")
    )
    total = settings.length.steps(sampler.steps_per_epoch)
    codes, targets = (torch.from_numpy(column.astype(np.int64)) for column in (table.codes, table.targets))

    def load(step: int, indices: np.ndarray, room: Any) -> Batch:
        return Batch({"row": rows[indices], "codes": codes[indices]}, targets[indices], indices)

    def turn(name: str, model: torch.nn.Module, losses: Any, rate: float) -> Turn:
        optimiser = build_adam(AdamSettings(lr=rate, beta1=0.5, beta2=0.9), list(model.named_parameters()))
        schedule = build_linear(LinearSettings(), total, sampler.steps_per_epoch)
        return Turn(name, model, losses, lambda batch: torch.ones(len(batch)), optimiser, schedule)

    train(
        turns=[
            turn("model", game.generator, game.generator_losses, settings.lr),
            turn("discriminator", game.critic, game.critic_losses, settings.critic_lr),
        ],
        batches=Loader(load, 0).batches(sampler.batches(0, total)),
        layout=Local(),
        objective=lambda losses, batch: losses,
        rules=[only_finite],
        observers=[],
        seed_of_step=lambda step: derive_seed(seed, "step", step),
    )
    game.generator.eval()
