"""Checkpoints that cannot lie: complete or absent, every file under its digest, no format that can execute."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ..core.digest import digest_of
from ..core.errors import DamagedArtifact, RecipeError
from ..core.files import as_bytes, explained, new_folder, remove_folder, remove_unfinished
from ..core.formats import check_safetensors
from ..core.sealing import Key, seal_bytes, unseal_bytes
from ..methods.optimisation.eight_bit import MARK, pack_state, unpack_state
from .sharded_tensors import joined, like
from .turn import Turn

STATE, MANIFEST = "state.json", "manifest.json"
NAME = re.compile(r"step-(\d{9})")
# Where the checkpoint of a step waits while another one of the same step takes its place.
REPLACED = ".replaced-"
SHARD_BYTES = 1 << 30
Tensors = dict[str, torch.Tensor]
# Options that decide which tensors an optimiser remembers.
REMEMBERING = ("amsgrad", "centered", "momentum")


@dataclass(frozen=True)
class Checkpoint:
    """The state after `step` steps: named tensors, and plain data."""

    step: int
    tensors: Tensors
    state: dict[str, Any]

    @property
    def nbytes(self) -> int:
        """The bytes of all tensors."""
        return sum(tensor.nbytes for tensor in self.tensors.values())


def save_checkpoint(
    folder: Path, checkpoint: Checkpoint, keep: int, shard_bytes: int = SHARD_BYTES, key: Key | None = None
) -> Path:
    """Write a checkpoint, then remove those of later steps, which were given up, and all but the newest `keep`.

    No file of tensors holds more than `shard_bytes`, unless a single tensor does. With a key the files are sealed.

    Raises:
        BudgetError: the disk is full; the older checkpoints are untouched.
    """
    with opened_checkpoint(folder, checkpoint, keep) as place:
        files: dict[str, dict[str, Any]] = {}
        shards = list(_shards(checkpoint.tensors, shard_bytes))
        for number, shard in enumerate(shards, 1):
            name = f"tensors-{number:05d}-of-{len(shards):05d}.safetensors"
            files[name] = write_file(place / name, save(set_apart(shard)), key)
        write_listed(place, files, checkpoint, key)
    return _place(folder, checkpoint)


@contextmanager
def opened_checkpoint(folder: Path, checkpoint: Checkpoint, keep: int) -> Iterator[Path]:
    """Give a folder to fill, which becomes the checkpoint when the block ends well; then those that are not kept go."""
    final = _place(folder, checkpoint)
    needed = len(_state_of(checkpoint)) + checkpoint.nbytes
    with explained(final, needed):
        _settle(folder)
        try:
            with new_folder(final, needed) as place:
                yield place
                if final.exists():
                    os.replace(final, folder / f"{REPLACED}{final.name}")
        except BaseException:
            _settle(folder)
            raise
        _settle(folder)
        saved = _saved(folder)
        older = [path for path in saved if path.name <= final.name]
        for path in [path for path in saved if path.name > final.name] + older[keep:]:
            remove_folder(path)


def write_listed(place: Path, files: dict[str, dict[str, Any]], checkpoint: Checkpoint, key: Key | None = None) -> None:
    """Write what is no tensor, and the list of all files, which makes the checkpoint whole."""
    files[STATE] = write_file(place / STATE, _state_of(checkpoint), key)
    write_file(place / MANIFEST, _manifest(files))


def _place(folder: Path, checkpoint: Checkpoint) -> Path:
    return folder / f"step-{checkpoint.step:09d}"


def _state_of(checkpoint: Checkpoint) -> bytes:
    return as_bytes(json.dumps({"step": checkpoint.step, **checkpoint.state}, allow_nan=True))


def _shards(tensors: Tensors, shard_bytes: int) -> Iterator[Tensors]:
    """Yield the tensors in their order, as many at a time as fit."""
    shard: Tensors = {}
    room = shard_bytes
    for name, tensor in tensors.items():
        if shard and tensor.nbytes > room:
            yield shard
            shard, room = {}, shard_bytes
        shard[name] = tensor
        room -= tensor.nbytes
    yield shard


def set_apart(shard: Tensors) -> Tensors:
    """Return the tensors with memory of their own, as the format demands: weights that are tied share theirs."""
    seen: set[int] = set()
    found: Tensors = {}
    for name, tensor in shard.items():
        place = tensor.untyped_storage().data_ptr()
        found[name] = tensor.detach().clone() if place in seen else tensor.detach()
        found[name] = found[name].contiguous()
        seen.add(place)
    return found


def write_file(path: Path, content: bytes, key: Key | None = None) -> dict[str, Any]:
    """Write one file; return what the manifest says of it."""
    path.write_bytes(content if key is None else seal_bytes(content, key))
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _manifest(files: Any) -> bytes:
    return as_bytes(json.dumps({"files": files, "digest": digest_of(files)}, indent=1))


def load_newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest undamaged checkpoint, if there is one, and what was wrong with newer ones.

    Raises:
        DamagedArtifact: there are checkpoints, and all of them are damaged.
    """
    _settle(folder)
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


def load_step(folder: Path, step: int) -> Checkpoint:
    """Return the checkpoint of a step.

    Raises:
        DamagedArtifact: it is not there, or not what was written.
    """
    return _load(folder / f"step-{step:09d}")


def drop_newest(folder: Path) -> bool:
    """Remove the newest checkpoint if an older one stays; say whether it was removed."""
    saved = _saved(folder)
    if len(saved) > 1:
        remove_folder(saved[0])
    return len(saved) > 1


def _settle(folder: Path) -> None:
    """Clear what a killed process left: half a checkpoint goes, one whose successor never came returns to its name."""
    remove_unfinished(folder)
    for path in folder.glob(f"{REPLACED}*"):
        final = folder / path.name.removeprefix(REPLACED)
        if final.exists():
            remove_folder(path)
        else:
            os.replace(path, final)


def _saved(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, newest first."""
    return sorted((path for path in folder.glob("step-*") if NAME.fullmatch(path.name)), reverse=True)


def _load(path: Path) -> Checkpoint:
    """Read each file once: the bytes that are judged are the bytes that are parsed."""
    files = _listed(path)
    tensors: Tensors = {}
    state: dict[str, Any] = {}
    for name, stated in files.items():
        content = unseal_bytes(_read(path / name), path / name)
        if {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} != stated:
            raise DamagedArtifact(
                f"the file was changed: {len(content)} bytes", where=path / name, expected=_short(stated)
            )
        try:
            if name == STATE:
                state = json.loads(content)
            else:
                check_safetensors(io.BytesIO(content), len(content))
                tensors.update(load(content))
        except (SafetensorError, ValueError) as error:
            raise DamagedArtifact(f"the file cannot be read: {error}", where=path / name) from None
    step = state.pop("step", None)
    if path.name != f"step-{step:09d}":
        raise DamagedArtifact(f"this is the checkpoint of step {step}", where=path, expected="that of its name")
    try:
        return Checkpoint(step, joined(tensors), state)
    except ValueError as error:
        raise DamagedArtifact(str(error), where=path) from None


def _listed(path: Path) -> dict[str, dict[str, Any]]:
    """Return what the manifest says of each file; the manifest answers for itself, and for what is not there."""
    content = _read(path / MANIFEST)
    try:
        files: dict[str, dict[str, Any]] = json.loads(content)["files"]
        intact = content == _manifest(files) and STATE in files
    except (ValueError, KeyError, TypeError):
        intact = False
    if not intact:
        raise DamagedArtifact("the manifest was changed", where=path / MANIFEST, expected="what its own digest says")
    for found in sorted(path.iterdir()):
        if found.name not in files and found.name != MANIFEST:
            raise DamagedArtifact("the file does not belong here", where=found, expected="what the manifest names")
    return files


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DamagedArtifact(f"the file cannot be read: {error.strerror}", where=path) from None


def _short(stated: dict[str, Any]) -> str:
    return f"{stated['bytes']} bytes with SHA-256 {str(stated['sha256'])[:16]}..."


def turns_to_tensors(turns: list[Turn]) -> tuple[Tensors, dict[str, Any]]:
    """Return the weights and optimiser states of all turns, tensors and plain numbers apart.

    What an optimiser remembers of a parameter is kept under the parameter's name.
    """
    tensors: Tensors = {}
    numbers: dict[str, Any] = {}
    for turn in turns:
        tensors.update({f"{turn.name}/model/{name}": tensor for name, tensor in turn.model.state_dict().items()})
        numbers[f"{turn.name}/kind"], numbers[f"{turn.name}/options"] = _kind(turn), _options(turn)
        names = _names(turn)
        for index, values in turn.optimiser.state_dict()["state"].items():
            for name, value in unpack_state(values).items():
                key = f"{turn.name}/optimiser/{names[index]}/{name}"
                if isinstance(value, torch.Tensor):
                    tensors[key] = value
                else:
                    numbers[key] = value
    return tensors, numbers


def tensors_to_turns(turns: list[Turn], tensors: Tensors, numbers: dict[str, Any]) -> None:
    """Put back what `turns_to_tensors` took, in place.

    Raises:
        RecipeError: it was taken from another model or another optimiser.
    """
    for turn in turns:
        prefix = f"{turn.name}/model/"
        weights = {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        own = turn.model.state_dict()
        weights = weights if turn.whole else {name: weights[name] for name in weights if name in own}
        _refuse_misfits(turn, weights, numbers)
        turn.model.load_state_dict({name: like(own[name], weight) for name, weight in weights.items()})
        prefix = f"{turn.name}/optimiser/"
        indices = {name: index for index, name in enumerate(_names(turn))}
        state: dict[int, dict[str, Any]] = {}
        for key, value in [*tensors.items(), *numbers.items()]:
            parameter, _, name = key[len(prefix) :].rpartition("/")
            if key.startswith(prefix) and (turn.whole or parameter in indices):
                state.setdefault(indices[parameter], {})[name] = value
        parameters = turn.parameters()
        for index, values in state.items():
            for name, value in values.items():
                # Fused steps want the state to lie in memory as its parameter does (channels last, say).
                plain = isinstance(value, torch.Tensor) and MARK not in name
                if plain and value.shape == parameters[index].shape:
                    values[name] = like(parameters[index], value)
            state[index] = pack_state(values)
        turn.optimiser.load_state_dict({"state": state, "param_groups": turn.optimiser.state_dict()["param_groups"]})


def _names(turn: Turn) -> list[str]:
    """Return the names of a turn's parameters in the optimiser's order, which may change with its settings."""
    named = {id(parameter): name for name, parameter in turn.model.named_parameters()}
    return [named.get(id(parameter), str(index)) for index, parameter in enumerate(turn.parameters())]


def _kind(turn: Turn) -> str:
    """Say which optimiser this is, as far as its memory of the past depends on it."""
    group = turn.optimiser.param_groups[0]
    return " with ".join([type(turn.optimiser).__name__, *(name for name in REMEMBERING if group.get(name))])


def _options(turn: Turn) -> list[str]:
    """Return what can be set of the optimiser, which tells kinds apart that are wrapped in the same way."""
    # The rate that the schedule starts from is written down in the first step.
    return sorted(set(turn.optimiser.param_groups[0]) - {"initial_lr"})


def _refuse_misfits(turn: Turn, weights: Tensors, numbers: dict[str, Any]) -> None:
    """Compare what a checkpoint holds with what is to be filled."""
    saved = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in turn.model.state_dict().items()}
    misfits = [
        f"{name} is {saved.get(name, 'absent')}, the model's is {wanted.get(name, 'absent')}"
        for name in {**wanted, **saved}
        if saved.get(name) != wanted.get(name)
    ]
    kind = numbers.get(f"{turn.name}/kind")
    if kind != _kind(turn):
        misfits.append(f"it was trained by {kind}, and is to go on with {_kind(turn)}")
    elif numbers.get(f"{turn.name}/options") != _options(turn):
        misfits.append(f"the optimiser had other options than {', '.join(_options(turn))}")
    if misfits:
        raise misfit(*misfits)


def misfit(*reasons: str) -> RecipeError:
    """Return the error of a checkpoint that was taken from another kind of training than it is put into."""
    more = f", and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return RecipeError(
        f"the checkpoint does not fit: {'; '.join(reasons[:3])}{more}",
        where="train",
        expected="the model and the optimiser that were saved",
        next_step="take the old recipe back, or start anew with --from-scratch",
    )
