"""A checkpoint that several processes write: all of it is there, or none, and everybody knows which."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from modelwright.core.errors import BudgetError, DamagedArtifact, ModelwrightError
from modelwright.engine import saving
from modelwright.engine.checkpoint import Checkpoint, load_newest
from modelwright.engine.saving import save_together


class Thread:
    """State: the rank. One of a crew whose processes are threads of this one."""

    size = 2

    def __init__(self, rank: int, common: dict[str, Any]) -> None:
        self.rank, self.common = rank, common

    def share(self, make: Callable[[], Any]) -> Any:
        if self.rank == 0:
            try:
                self.common["said"] = (make(), None)
            except ModelwrightError as error:
                self.common["said"] = (None, error)
        self.common["barrier"].wait()
        value, error = self.common["said"]
        self.common["barrier"].wait()
        if error:
            raise error
        return value

    def collect(self, value: Any) -> list[Any]:
        self.common[self.rank] = value
        self.common["barrier"].wait()
        found = [self.common[rank] for rank in range(self.size)]
        self.common["barrier"].wait()
        return found

    def together(self, context: Any) -> Any:
        return nullcontext()

    watched = together
    sign = together


def save(folder: Path, step: int) -> list[BaseException | None]:
    """Save in two threads, of which each has one tensor more than the other; return what each of them met."""
    met: list[BaseException | None] = [None, None]
    common: dict[str, Any] = {"barrier": threading.Barrier(2, timeout=20)}

    def work(rank: int) -> None:
        tensors = {"both": torch.full((2,), float(step)), f"of {rank}": torch.arange(3.0) + 10 * rank}
        checkpoint = Checkpoint(step, tensors, {"turns": {f"number of {rank}": rank}, "other": step})
        try:
            save_together(folder, checkpoint, 2, Thread(rank, common))  # type: ignore[arg-type]
        except ModelwrightError as error:
            met[rank] = error

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return met


def test_what_each_has_comes_back_and_what_both_have_is_written_once(tmp_path: Path) -> None:
    assert save(tmp_path, 3) == [None, None]
    checkpoint, complaints = load_newest(tmp_path)
    assert checkpoint is not None
    assert not complaints
    assert sorted(checkpoint.tensors) == ["both", "of 0", "of 1"]
    assert checkpoint.tensors["of 1"].tolist() == [10.0, 11.0, 12.0]
    assert checkpoint.state == {"turns": {"number of 0": 0, "number of 1": 1}, "other": 3}
    names = sorted(path.name for path in (tmp_path / "step-000000003").glob("tensors-*"))
    assert names == ["tensors-00001-of-00002.safetensors", "tensors-00002-of-00002.safetensors"]


@pytest.mark.parametrize("rank", [0, 1])
def test_where_one_cannot_write_nobody_calls_it_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    assert save(tmp_path, 3) == [None, None]
    real = saving.write_file

    def full(path: Path, content: bytes, key: Any = None) -> dict[str, Any]:
        if path.name.startswith(f"tensors-0000{rank + 1}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, content, key)

    monkeypatch.setattr(saving, "write_file", full)
    for error in save(tmp_path, 6):
        assert isinstance(error, BudgetError)
        assert f"rank {rank}: " in str(error)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000003"]
    checkpoint, _ = load_newest(tmp_path)
    assert checkpoint is not None
    assert checkpoint.step == 3


@pytest.mark.parametrize("part", ["tensors-00001-of-00002.safetensors", "tensors-00002-of-00002.safetensors"])
def test_a_missing_or_swapped_part_is_noticed(tmp_path: Path, part: str) -> None:
    save(tmp_path, 3)
    save(tmp_path, 6)
    newest = tmp_path / "step-000000006" / part
    newest.write_bytes((tmp_path / "step-000000003" / part).read_bytes() + b"x")
    checkpoint, complaints = load_newest(tmp_path)
    assert checkpoint is not None
    assert checkpoint.step == 3
    assert part in complaints[0]
    (tmp_path / "step-000000003" / part).unlink()
    with pytest.raises(DamagedArtifact, match="every checkpoint is damaged"):
        load_newest(tmp_path)
