"""The model that every side of the serving benchmark answers with: the release's own predictor, slowed where the run asks for it."""

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

from modelwright.engine.predictor import open_predictor
from modelwright.tasks.task import Examples


def open_pixels(release, seconds):
    """Return a function pixels (n, height, width, channels) uint8 -> probabilities; each example takes `seconds` more."""
    import torch

    torch.set_num_threads(1)
    predictor = open_predictor(Path(release))

    def answer(pixels):
        time.sleep(seconds * len(pixels))
        unknown = np.full(len(pixels), -1)
        return predictor.predict(Examples({"image": pixels, "target": unknown}, predictor.learnt))

    return answer


def pixels_of(request):
    """Return the pixels of a request in the Open Inference Protocol, of one example."""
    (tensor,) = request["inputs"]
    return np.array(tensor["data"], dtype=np.uint8).reshape(tensor["shape"])[0]


def told(probabilities, labels):
    """Return what every side says of one answer, as plain data."""
    return {
        "outputs": [
            {
                "name": "probabilities",
                "datatype": "FP64",
                "shape": [1, len(probabilities)],
                "data": probabilities.tolist(),
            },
            {"name": "label", "datatype": "BYTES", "shape": [1], "data": [labels[int(probabilities.argmax())]]},
        ]
    }
