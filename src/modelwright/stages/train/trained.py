"""What both ways of training hand over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...engine.predictor import Predictor


@dataclass(frozen=True)
class Trained:
    """A trained model, how to store it, and what was measured on the way.

    `kept` holds loss (nats) and accuracy on the validation part; `record` is stored with the model.
    """

    predictor: Predictor
    save: Callable[[Path], None]
    kept: dict[str, float]
    record: dict[str, Any]
    steps: int
    skipped: int
    seconds: float
    examples_seen: int
    # How often training went back, and the seconds that it waited for batches and for checkpoints.
    rewinds: int = 0
    waited: float = 0.0
    saving: float = 0.0
