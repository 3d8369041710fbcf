"""Checkpoints that cannot lie: complete or absent, every file under its digest, no format that can execute."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ..core.digest import sha256_of
from ..core.errors import DamagedArtifact
from ..core.files import new_folder, read_json, remove_unfinished, write_json
from .turn import Turn

TENSORS, STATE, MANIFEST = "tensors.safetensors", "state.json", "manifest.json"
NAME = re.compile(r"step-(\d{9})")


@dataclass(frozen=True)
class Checkpoint:
    """The state after `step` steps: named tensors, and plain data."""

    step: int
    tensors: dict[str, torch.Tensor]
    state: dict[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write a checkpoint, then remove all but the newest `keep`.

    Raises:
        BudgetError: the disk is full; the older checkpoints are untouched.
    """
    final = folder / f"step-{checkpoint.step:09d}"
    if final.exists():
        shutil.rmtree(final)
    with new_folder(final) as place:
        (place / TENSORS).write_bytes(
            save({name: tensor.detach().contiguous() for name, tensor in checkpoint.tensors.items()})
        )
        (place / STATE).write_text(json.dumps({"step": checkpoint.step, **checkpoint.state}, allow_nan=True))
        write_json(place / MANIFEST, {name: sha256_of(place / name) for name in (TENSORS, STATE)})
    for path in _saved(folder)[keep:]:
        shutil.rmtree(path)
    return final


def load_newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest undamaged checkpoint, if there is one, and what was wrong with newer ones.

    Raises:
        DamagedArtifact: there are checkpoints, and all of them are damaged.
    """
    remove_unfinished(folder)
    complaints: list[str] = []
    for path in _saved(folder):
        try:
            return _load(path), complaints
        except DamagedArtifact as error:
            complaints.append(str(error))
    if complaints:
        raise DamagedArtifact(
            "every checkpoint is damaged: " + "; ".join(complaints),
            where=folder,
            expected="at least one whole checkpoint",
            next_step="start anew with --from-scratch",
        )
    return None, complaints


def _saved(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, newest first."""
    return sorted((path for path in folder.glob("step-*") if NAME.fullmatch(path.name)), reverse=True)


def _load(path: Path) -> Checkpoint:
    try:
        manifest = read_json(path / MANIFEST)
    except OSError as error:
        raise DamagedArtifact(f"the file cannot be read: {error.strerror}", where=path / MANIFEST) from None
    if not isinstance(manifest, dict) or set(manifest) != {TENSORS, STATE}:
        raise DamagedArtifact(
            "the manifest was changed", where=path / MANIFEST, expected=f"the digests of {TENSORS} and {STATE}"
        )
    contents = {}
    for name, expected in manifest.items():
        try:
            contents[name] = (path / name).read_bytes()
        except OSError as error:
            raise DamagedArtifact(f"the file cannot be read: {error.strerror}", where=path / name) from None
        if sha256_of(path / name) != expected:
            raise DamagedArtifact(
                "the file was changed", where=path / name, expected=f"SHA-256 {str(expected)[:16]}..."
            )
    try:
        state = json.loads(contents[STATE])
        return Checkpoint(state.pop("step"), load(contents[TENSORS]), state)
    except (SafetensorError, ValueError, KeyError) as error:
        raise DamagedArtifact(f"the checkpoint cannot be read: {error}", where=path) from None


def turns_to_tensors(turns: list[Turn]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the weights and optimiser states of all turns, tensors and plain numbers apart.

    A model that stands in two turns is stored once, under the first.
    """
    tensors: dict[str, torch.Tensor] = {}
    numbers: dict[str, Any] = {}
    for turn in turns:
        tensors.update({f"{turn.name}/model/{name}": tensor for name, tensor in turn.model.state_dict().items()})
        saved = turn.optimiser.state_dict()
        for index, values in saved["state"].items():
            for name, value in values.items():
                key = f"{turn.name}/optimiser/{index}/{name}"
                if isinstance(value, torch.Tensor):
                    tensors[key] = value
                else:
                    numbers[key] = value
    return tensors, numbers


def tensors_to_turns(turns: list[Turn], tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
    """Put back what `turns_to_tensors` took, in place."""
    for turn in turns:
        prefix = f"{turn.name}/model/"
        turn.model.load_state_dict(
            {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        )
        prefix = f"{turn.name}/optimiser/"
        state: dict[int, dict[str, Any]] = {}
        for key, value in [*tensors.items(), *numbers.items()]:
            if key.startswith(prefix):
                number, name = key[len(prefix) :].split("/", 1)
                state.setdefault(int(number), {})[name] = value
        parameters = turn.parameters()
        for index, values in state.items():
            for name, value in values.items():
                # Fused steps want the state to lie in memory as its parameter does (channels last, say).
                if isinstance(value, torch.Tensor) and value.shape == parameters[index].shape:
                    values[name] = torch.empty_like(parameters[index], dtype=value.dtype).copy_(value)
        turn.optimiser.load_state_dict({"state": state, "param_groups": turn.optimiser.state_dict()["param_groups"]})
