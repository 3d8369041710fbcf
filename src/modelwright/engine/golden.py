"""Golden examples: inputs with the answers the trainer itself gave, kept with the model so that anybody can check them later."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.errors import DamagedArtifact
from ..core.files import read_json
from ..core.formats import recognise
from ..tasks.ragged import Ragged
from ..tasks.task import Examples
from .dataset import read_columns, write_columns
from .predictor import LEARNT, Predictor

FOLDER, ANSWERS = "golden", "answers.npy"
COUNT = 16
# Float32 kernels may differ in the last digits from machine to machine; a probability may not differ by more than this.
TOLERANCE = 1e-5


def write_golden(folder: Path, predictor: Predictor, examples: Examples) -> None:
    """Store some examples, spread over `examples`, with what the model in memory answers to them."""
    chosen = examples.take(np.unique(np.linspace(0, len(examples) - 1, COUNT).astype(np.int64)))
    place = folder / FOLDER
    place.mkdir()
    write_columns(
        place,
        {name: column.compact() if isinstance(column, Ragged) else column for name, column in chosen.columns.items()},
    )
    np.save(place / ANSWERS, predictor.predict(chosen), allow_pickle=False)


def read_golden(folder: Path) -> tuple[Examples, np.ndarray]:
    """Return the golden examples, and what the trainer answered.

    Raises:
        DamagedArtifact: the answers are missing, or something else lies in their place.
    """
    place = folder / FOLDER
    for path in sorted(place.glob("*.npy")):
        recognise(path)
    columns = read_columns(place, mapped=False)
    if Path(ANSWERS).stem not in columns:
        raise DamagedArtifact(
            "the golden answers are missing", where=place / ANSWERS, expected="what the trainer answered"
        )
    answers = columns.pop(Path(ANSWERS).stem)
    return Examples(columns, read_json(folder / LEARNT)), answers


def check_golden(folder: Path, predictor: Predictor) -> float:
    """Let a predictor answer the golden examples; return the largest difference from the trainer's answers.

    Raises:
        DamagedArtifact: the difference is larger than float32 arithmetic explains.
    """
    place = folder / FOLDER
    examples, expected = read_golden(folder)
    found = predictor.predict(examples)
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE:
        raise DamagedArtifact(
            f"the golden answers differ by {difference:.2g}",
            where=place / ANSWERS,
            expected=f"at most {TOLERANCE:g}, the same answers as in training",
        )
    return difference
