"""Small checkpoints whose content depends on their step, and how two are compared."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from modelwright.engine.checkpoint import Checkpoint, save_checkpoint

# Small enough that the tensors of `make` fill three files.
SHARD = 1000


def make(step: int) -> Checkpoint:
    """Make the checkpoint of a step; the first tensor fills more than one page."""
    generator = torch.Generator().manual_seed(step)
    tensors = {
        "a": torch.randn(50, 60, generator=generator),
        "b": torch.randn(3, generator=generator),
        "c": torch.randn(200, generator=generator),
        "count": torch.full((60,), float(step)),
    }
    return Checkpoint(step, tensors, {"turns": {"x": step * 1.5}, "note": "é", "none": None})


def save_two(folder: Path) -> Path:
    """Save the checkpoints of steps 3 and 6."""
    for step in (3, 6):
        save_checkpoint(folder, make(step), keep=2, shard_bytes=SHARD)
    return folder


def copied(folder: Path, place: Path) -> Path:
    """Return a copy that may be spoilt; the one that lay there before goes."""
    shutil.rmtree(place, ignore_errors=True)
    return shutil.copytree(folder, place)


def same(one: Checkpoint | None, other: Checkpoint) -> bool:
    """Say whether two checkpoints hold the same."""
    return (
        one is not None
        and one.step == other.step
        and one.state == other.state
        and set(one.tensors) == set(other.tensors)
        and all(torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items())
    )


def names(folder: Path) -> list[str]:
    """Return what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())
