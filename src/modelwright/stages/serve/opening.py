"""Opening the model of a release, in the thread that will answer: the only place of a server where torch is loaded."""

from __future__ import annotations

import sys
from pathlib import Path

from ...engine.golden import check_golden
from ...engine.predictor import Predictor, open_predictor


def open_model(folder: Path, threads: int) -> Predictor:
    """Open a model, and let it answer the golden examples: as proof that it is the one released, and to warm it up.

    Raises:
        DamagedArtifact: it does not answer as it did in training.
    """
    predictor = open_predictor(folder)
    # Plain arrays need no torch, and then it is not loaded.
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(threads)
    check_golden(folder, predictor)
    return predictor
