"""LitServe as a side of the serving benchmark. Usage: python serve_litserve.py RELEASE PORT BATCH SECONDS"""

import json
import sys
from pathlib import Path

import litserve
import numpy as np
from serve_model import open_pixels, pixels_of, told


class Api(litserve.LitAPI):
    """State: the model, in the worker process."""

    def setup(self, device):
        self.labels = json.loads((Path(RELEASE) / "preprocessing.json").read_text())["classes"]
        self.answer = open_pixels(RELEASE, SECONDS)

    def decode_request(self, request):
        return pixels_of(request)

    def batch(self, inputs):
        return np.stack(inputs)

    def predict(self, pixels):
        return self.answer(pixels if BATCH > 1 else pixels[None])

    def unbatch(self, output):
        return list(output)

    def encode_response(self, output):
        return told(output if output.ndim == 1 else output[0], self.labels)


RELEASE, PORT, BATCH, SECONDS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
if __name__ == "__main__":
    api = Api(max_batch_size=BATCH, batch_timeout=0.0)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=PORT, num_api_servers=1, log_level="error", generate_client_file=False)
