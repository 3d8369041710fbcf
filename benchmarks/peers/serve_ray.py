"""Ray Serve as a side of the serving benchmark. Usage: python serve_ray.py RELEASE PORT BATCH SECONDS"""

import json
import signal
import sys
from pathlib import Path

import numpy as np
import ray
from ray import serve

RELEASE, PORT, BATCH, SECONDS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
HERE = str(Path(__file__).resolve().parent)
# As many as may wait in the other servers, when batches are made; one at a time with a bounded queue, when they are not.
ONGOING = 128 if BATCH > 1 else 1


@serve.deployment(max_ongoing_requests=ONGOING, max_queued_requests=-1 if BATCH > 1 else 16)
class Model:
    """State: the model, in the replica."""

    def __init__(self, release, seconds):
        from serve_model import open_pixels

        self.labels = json.loads((Path(release) / "preprocessing.json").read_text())["classes"]
        self.answer = open_pixels(release, seconds)

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=0.0)
    async def together(self, pixels):
        return list(self.answer(np.stack(pixels)))

    async def __call__(self, request):
        from serve_model import pixels_of, told

        pixels = pixels_of(json.loads(await request.body()))
        answer = await self.together(pixels) if BATCH > 1 else self.answer(pixels[None])[0]
        return told(answer, self.labels)


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": HERE}})
    serve.start(http_options={"host": "127.0.0.1", "port": PORT, "access_log": False})
    serve.run(Model.bind(str(Path(RELEASE).resolve()), SECONDS), route_prefix="/")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()
