"""The test part is opened once per model: what the model said of it is kept, however often it is measured."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import numpy as np

from ...core.artifact import ABOUT, Artifact
from ...core.files import write_json
from ...core.metering import Reading
from ...core.stage import Context


def answer_once(
    context: Context,
    about: dict[str, str],
    message: str,
    ask: Callable[[], tuple[dict[str, np.ndarray], Reading]],
) -> tuple[Artifact, Reading | None]:
    """Return what the model says of the test part, and what asking it cost: nothing where it was asked before.

    `ask` gives arrays by name, and what it drew; each array is kept as a file of that name.
    """
    found = context.find("predictions", about)
    if found is not None:
        context.outputs["predictions"] = found
        return found, None
    context.note("test part opened", **about)
    context.check_interrupt(message=message)
    arrays, drawn = ask()
    folder = context.work / "predictions"
    # A killed process may have left a part of it.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    write_json(folder / ABOUT, about)
    return context.give("predictions", folder), drawn
