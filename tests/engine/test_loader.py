"""The loader: the same batches at any number of workers, no memory asked for, and no endless wait."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch

from modelwright.core import registry
from modelwright.core.errors import DataError
from modelwright.engine.loader import TRIAL, WARM_UP, Loader
from modelwright.engine.pool import Slot
from modelwright.engine.samplers import Shuffled
from modelwright.tasks.task import Batch, Examples

IMAGES = np.random.default_rng(0).integers(0, 256, size=(50, 6, 6, 1), dtype=np.uint8)
LEARNT = {"mean": [30.0], "deviation": [60.0], "classes": ["a", "b"]}
SAMPLER = Shuffled(50, 8, 3)


def task_and_examples(kind: str) -> tuple[Any, Examples]:
    task = registry.function_of("task", kind)(registry.settings_of("task", kind)())
    target = np.arange(50) % 2
    if kind == "image":
        return task, Examples({"image": IMAGES, "target": target}, LEARNT)
    if kind == "text":
        tokens, length = np.tile(np.arange(9, dtype=np.int32), (50, 1)), (np.arange(50) % 9 + 1).astype(np.int32)
        return task, Examples({"tokens": tokens, "length": length, "target": target}, LEARNT)
    columns = {"numbers": np.ones((50, 3), np.float32), "missing": np.zeros((50, 3), bool)}
    return task, Examples({**columns, "codes": np.ones((50, 2), np.int32), "target": target}, LEARNT)


def load_from(kind: str) -> Any:
    task, examples = task_and_examples(kind)
    return lambda step, indices, room: task.collate(examples, indices, room)


def copied(batch: Batch | None) -> Any:
    assert batch is not None
    return [batch.indices.tolist(), batch.targets.tolist(), {name: x.clone() for name, x in batch.inputs.items()}]


@pytest.mark.parametrize("kind", ["image", "text", "tabular"])
@pytest.mark.parametrize("workers", [1, 2, 4, None])
def test_any_number_of_workers_makes_the_same_batches(kind: str, workers: int | None) -> None:
    def batches(number: int | None) -> list[Any]:
        loader = Loader(load_from(kind), number)
        return [(step, copied(batch)) for step, batch in loader.batches(SAMPLER.batches(2, 80))]

    plain, other = batches(0), batches(workers)
    assert [step for step, _ in other] == list(range(2, 80))
    for (_, one), (_, two) in zip(plain, other, strict=True):
        assert one[:2] == two[:2]
        assert all(torch.equal(one[2][name], two[2][name]) for name in one[2])


@pytest.mark.parametrize("kind", ["image", "text", "tabular"])
@pytest.mark.parametrize("workers", [0, 2])
def test_after_the_first_batches_no_memory_is_asked_for(kind: str, workers: int) -> None:
    loader = Loader(load_from(kind), workers)
    counts = []
    for _, batch in loader.batches(SAMPLER.batches(0, 60)):
        counts.append(loader.pool.allocations)
        assert batch is not None
        places = [x.untyped_storage().data_ptr() for x in (*batch.inputs.values(), batch.targets)]
        buffers = {buffer.ctypes.data for slot in loader.pool.slots for buffer in slot.buffers.values()}
        assert set(places) <= buffers, "a tensor of the batch lies outside the pool"
    assert counts[-1] == counts[30]


def test_a_batch_is_not_overwritten_while_it_is_in_use() -> None:
    loader = Loader(load_from("image"), 4)
    for _, batch in loader.batches(SAMPLER.batches(0, 30)):
        before = copied(batch)
        time.sleep(0.002)
        after = copied(batch)
        assert torch.equal(before[2]["image"], after[2]["image"])


def test_a_slot_grows_and_then_stays() -> None:
    slot = Slot()
    first = slot("tokens", (2, 3), np.int64)
    assert slot("tokens", (2, 2), np.int64).ctypes.data == first.ctypes.data
    assert slot("tokens", (4, 4), np.int64).shape == (4, 4)
    slot("tokens", (4, 4), np.int64)
    assert slot.allocations == 2


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_what_making_a_batch_meets_is_raised_at_its_step(workers: int) -> None:
    def load(step: int, indices: np.ndarray, room: Slot) -> Batch:
        if step == 4:
            raise DataError("a bad page", where="tokens.npy")
        return Batch({}, torch.zeros(len(indices)), indices)

    coming = Loader(load, workers).batches(SAMPLER.batches(0, 20))
    assert [next(coming)[0] for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(DataError, match="a bad page"):
        next(coming)


def test_a_batch_that_never_comes_ends_the_wait() -> None:
    def load(step: int, indices: np.ndarray, room: Slot) -> Batch:
        time.sleep(0.6 if step == 2 else 0.0)
        return Batch({}, torch.zeros(len(indices)), indices)

    with pytest.raises(DataError, match=r"the batch of step 2, rows \d+(, \d+)*( and \d+ more)?, did not come within"):
        list(Loader(load, 1, patience=0.1).batches(SAMPLER.batches(0, 20)))


def test_auto_takes_a_thread_only_where_batches_take_time() -> None:
    def decisions(seconds_to_load: float, seconds_to_use: float) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        targets = torch.zeros(8)

        def load(step: int, indices: np.ndarray, room: Slot) -> Batch:
            if seconds_to_load:
                time.sleep(seconds_to_load)
            return Batch({}, targets, indices)

        loader = Loader(load, None, decided=lambda workers, why: found.append((workers, why)))
        for _ in loader.batches(SAMPLER.batches(0, WARM_UP + 2 * TRIAL + 2)):
            time.sleep(seconds_to_use)
        return found

    assert decisions(0.0, 0.015)[0][0] == 0
    workers, why = decisions(0.004, 0.004)[0]
    assert workers == 1
    assert "times as fast" in why


def test_steps_to_pass_over_keep_their_place() -> None:
    steps = [(0, np.arange(3)), (1, None), (2, np.arange(3))]
    for workers in (0, 2):
        found = list(Loader(load_from("image"), workers).batches(steps))
        assert [(step, batch is None) for step, batch in found] == [(0, False), (1, True), (2, False)]
