"""Our side of the serving benchmark."""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from modelwright.stages.serve.opening import open_model
from modelwright.stages.serve.run import serve


def slowed(folder, threads, seconds):
    """Open the model; each example takes some seconds more."""
    predictor = open_model(folder, threads)
    if not seconds:
        return predictor

    def predict(examples):
        time.sleep(seconds * len(examples))
        return predictor.predict(examples)

    return replace(predictor, predict=predict)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("batch", type=int)
    parser.add_argument("seconds", type=float, help="of work added to each example")
    parser.add_argument("state", type=Path, help="the folder of keys and feedback")
    asked = parser.parse_args()
    options = (f"port={asked.port}", f"batch={asked.batch}", "queue=128")
    serve(
        asked.release, options, asked.state, None, lambda address: None,
        lambda folder, threads: slowed(folder, threads, asked.seconds),
    )  # fmt: skip
