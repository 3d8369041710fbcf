"""Saving a checkpoint in several processes, each of which writes what it holds: all of it is there, or none."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import save

from ..core.crew import Crew
from ..core.errors import BudgetError
from ..core.sealing import Key
from .checkpoint import Checkpoint, opened_checkpoint, set_apart, write_file, write_listed
from .sharded_tensors import held_parts, owners_of


def save_together(folder: Path, checkpoint: Checkpoint, keep: int, crew: Crew, key: Key | None = None) -> None:
    """Write a checkpoint into a folder that all processes see; the first one makes it appear when every part is there.

    Raises:
        BudgetError: a process could not write its part; the older checkpoints are untouched.
    """
    with ExitStack() as unfinished:
        place = Path(crew.share(lambda: str(unfinished.enter_context(opened_checkpoint(folder, checkpoint, keep)))))
        written = crew.collect(_written(place, checkpoint, crew, key))
        refused = [f"rank {rank}: {part['refused']}" for rank, part in enumerate(written) if "refused" in part]
        if refused:
            raise BudgetError(
                f"a part of the checkpoint could not be written: {'; '.join(refused)}",
                where=folder,
                next_step="free some space and run the same command again; what was stored before is untouched",
            )
        files = {name: stated for part in written for name, stated in part["files"].items()}
        # What an optimiser remembers of a parameter as a plain number stands where the parameter is.
        turns = {
            key: value
            for numbers in reversed(crew.collect(checkpoint.state["turns"]))
            for key, value in numbers.items()
        }
        complete = replace(checkpoint, state={**checkpoint.state, "turns": turns})

        def finish() -> None:
            write_listed(place, files, complete, key)
            unfinished.close()

        crew.share(finish)


def _written(place: Path, checkpoint: Checkpoint, crew: Crew, key: Key | None) -> dict[str, Any]:
    """Write the part of this process; return what the manifest says of it, or why it could not."""
    name = f"tensors-{crew.rank + 1:05d}-of-{crew.size:05d}.safetensors"
    held = held_parts(checkpoint.tensors)
    owners = owners_of(crew.collect(list(held)))
    parts = {part: tensor for part, tensor in held.items() if owners[part] == crew.rank}
    if not parts:
        return {"files": {}}
    try:
        stated = write_file(place / name, save(set_apart(parts)), key)
        with (place / name).open("rb") as stream:
            os.fsync(stream.fileno())
    except OSError as error:
        return {"refused": f"{place / name}: {error.strerror}"}
    return {"files": {name: stated}}
