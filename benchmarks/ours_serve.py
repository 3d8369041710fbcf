"""Our side of the serving benchmark. Usage: python ours_serve.py RELEASE PORT BATCH SECONDS"""

import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from modelwright.stages.serve.opening import open_model
from modelwright.stages.serve.run import serve

RELEASE, PORT, BATCH, SECONDS = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])


def slowed(folder, threads):
    """Open the model; each example takes some seconds more."""
    predictor = open_model(folder, threads)
    if not SECONDS:
        return predictor

    def predict(examples):
        time.sleep(SECONDS * len(examples))
        return predictor.predict(examples)

    return replace(predictor, predict=predict)


if __name__ == "__main__":
    state = Path(sys.argv[5])
    serve(Path(RELEASE), (f"port={PORT}", f"batch={BATCH}", "queue=128"), state, None, lambda address: None, slowed)
