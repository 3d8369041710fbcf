"""All that a training is at one moment, as named tensors and plain data: its turns, and every part that remembers."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Protocol

import torch

from .checkpoint import Checkpoint, misfit, tensors_to_turns, turns_to_tensors
from .sharded_tensors import whole
from .turn import Turn


class Remembers(Protocol):
    """A part whose state belongs in the checkpoint."""

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]: ...
    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None: ...


def take_state(step: int, turns: list[Turn], memories: dict[str, Remembers]) -> Checkpoint:
    """Return the state after `step` steps."""
    tensors, numbers = turns_to_tensors(turns)
    state: dict[str, Any] = {"turns": numbers}
    for name, memory in memories.items():
        own, state[name] = memory.state()
        tensors.update({f"{name}/memory/{key}": tensor for key, tensor in own.items()})
    return Checkpoint(step, tensors, state)


def put_state(checkpoint: Checkpoint, turns: list[Turn], memories: dict[str, Remembers]) -> None:
    """Put everything back as it was, in place. A part that was not there then begins now: somebody allowed the change.

    Raises:
        RecipeError: the state is that of another model, optimiser or part.
    """
    tensors_to_turns(turns, checkpoint.tensors, checkpoint.state["turns"])
    for name, memory in memories.items():
        if name not in checkpoint.state:
            continue
        prefix = f"{name}/memory/"
        own = {key[len(prefix) :]: tensor for key, tensor in checkpoint.tensors.items() if key.startswith(prefix)}
        try:
            memory.restore(own, checkpoint.state[name])
        except (KeyError, RuntimeError) as error:
            raise misfit(f"what it says of '{name}' cannot be used: {error}") from error


def digest_of_state(checkpoint: Checkpoint) -> str:
    """Return one SHA-256 over every tensor's name, type, shape and bytes, and over the plain data."""
    seen = hashlib.sha256(json.dumps([checkpoint.step, checkpoint.state], sort_keys=True).encode())
    for name, part in sorted(checkpoint.tensors.items()):
        tensor = whole(part)
        seen.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        seen.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return seen.hexdigest()
