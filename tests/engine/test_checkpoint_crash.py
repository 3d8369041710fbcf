"""Saving is stopped at every call of the operating system in turn; afterwards there is always a whole checkpoint."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoints import SHARD, copied, make, names, same

from faults import PowerCut, calls_of, failing
from modelwright.core.errors import BudgetError
from modelwright.core.units import parse_quantity
from modelwright.engine.checkpoint import Checkpoint, load_newest, save_checkpoint

# The step that is saved over the checkpoints of steps 3 and 6, how many stay, and which of the old ones may be taken.
SCENES = {"a new step": (9, 2, 6), "only one stays": (9, 1, 6), "the same step again": (6, 1, 6), "back": (5, 1, 6)}


def other(step: int) -> Checkpoint:
    """Make another checkpoint of a step than `make` does."""
    return Checkpoint(step, {name: tensor + 1 for name, tensor in make(step).tensors.items()}, {"another": True})


def stop_everywhere(
    two: Path, place: Path, scene: str, error: Callable[[], BaseException], expected: type[BaseException]
) -> Iterator[tuple[int, Path]]:
    """Stop a save at every call; yield the number of the call and the folder that is left."""
    step, keep, _ = SCENES[scene]
    save = lambda folder: save_checkpoint(folder, other(step), keep, SHARD)
    folder = copied(two, place)
    total = calls_of(lambda: save(folder))
    assert total >= 25
    for fail_at in range(1, total + 1):
        folder = copied(two, place)
        with failing(fail_at, error()), pytest.raises(expected):
            save(folder)
        yield fail_at, folder


@pytest.mark.parametrize("scene", SCENES)
def test_a_power_cut_at_any_call_leaves_the_old_or_the_new_one(two: Path, tmp_path: Path, scene: str) -> None:
    step, keep, before = SCENES[scene]
    seen = set()
    for fail_at, folder in stop_everywhere(two, tmp_path / "copy", scene, PowerCut, PowerCut):
        found, complaints = load_newest(folder)
        assert complaints == [], f"call {fail_at}"
        assert same(found, make(before)) or same(found, other(step)), f"call {fail_at}"
        seen.add(same(found, other(step)))
        save_checkpoint(folder, other(12), keep, SHARD)
        assert all(name.startswith("step-") for name in names(folder)), f"call {fail_at}"
        assert len(names(folder)) == keep
        assert same(load_newest(folder)[0], other(12))
    assert seen == {True, False}, "the cuts do not reach from before the change to after it"


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_an_error_at_any_call_keeps_the_old_one(two: Path, tmp_path: Path, scene: str, number: int) -> None:
    step, _, before = SCENES[scene]
    error = lambda: OSError(number, os.strerror(number))
    for fail_at, folder in stop_everywhere(two, tmp_path / "copy", scene, error, BudgetError):
        left = [name for name in names(folder) if not name.startswith("step-")]
        found, complaints = load_newest(folder)
        assert complaints == [], f"call {fail_at}"
        assert same(found, make(before)) or same(found, other(step)), f"call {fail_at}"
        # Only what could not even be removed may be left, until the next start.
        assert len(left) <= 1, f"call {fail_at}: {left}"
        assert all(name.startswith("step-") for name in names(folder))


def test_a_full_disk_is_named_with_the_size_of_the_checkpoint(two: Path, tmp_path: Path) -> None:
    folder = copied(two, tmp_path / "copy")
    tensors = {"large": torch.zeros(1 << 20), "small": torch.zeros(10)}
    with (
        failing(6, OSError(errno.ENOSPC, "full")),
        pytest.raises(BudgetError, match="the disk is full") as caught,
    ):
        save_checkpoint(folder, Checkpoint(9, tensors, {}), 1)
    (problem,) = caught.value.problems
    assert problem.where == str(folder / "step-000000009")
    said = problem.found.removeprefix("the disk is full: ").split(" needed, ")
    place = save_checkpoint(tmp_path / "else", Checkpoint(9, tensors, {}), 1)
    size = sum(path.stat().st_size for path in place.iterdir())
    assert parse_quantity(said[0], "bytes") == pytest.approx(size, rel=0.02)
    assert said[1].endswith(" free")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB, where mounting one is permitted."""
    place = tmp_path / "tiny"
    place.mkdir()
    command: list[Any] = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if mounted.returncode:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_really_full_keeps_the_old_one(tiny_disk: Path) -> None:
    save_checkpoint(tiny_disk, make(3), keep=1, shard_bytes=SHARD)
    large = Checkpoint(6, {f"t{index}": torch.zeros(10_000) for index in range(9)}, {})
    with pytest.raises(BudgetError, match=r"the disk is full: 35\d\.\d KiB needed, \d+\.\d KiB free"):
        save_checkpoint(tiny_disk, large, keep=1, shard_bytes=50_000)
    assert names(tiny_disk) == ["step-000000003"]
    assert same(load_newest(tiny_disk)[0], make(3))
