"""The peer: Keras's ImageDataGenerator as its tutorials set it, on random pictures; images a second of processor time.

Runs under an interpreter of its own that has tensorflow, and writes one JSON object as the last line of its standard output.

Usage: python keras_augment.py --shape 28 28 1 --seconds 2
"""

import argparse
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy
from keras.src.legacy.preprocessing.image import ImageDataGenerator

BATCH, ROWS = 128, 1280


def main() -> None:
    """Augment until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=3, default=[28, 28, 1])
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    generator = ImageDataGenerator(
        rotation_range=20,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.2,
        zoom_range=0.2,
        horizontal_flip=True,
        fill_mode="nearest",
    )
    images = numpy.random.default_rng(1).random((ROWS, *options.shape), dtype=numpy.float32)
    batches = generator.flow(images, batch_size=BATCH, seed=1)
    next(batches)
    made, began = 0, time.process_time()
    while time.process_time() < began + options.seconds:
        made += len(next(batches))
    print(json.dumps({"images_per_second": made / (time.process_time() - began)}))


if __name__ == "__main__":
    main()
