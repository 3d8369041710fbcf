"""The peer: the textbook Keras digit CNN, trained until a test accuracy is reached.

Runs under an interpreter of its own that has tensorflow (or keras with another backend), reads the idx files of a
folder, and writes one JSON object as the last line of its standard output. It shares no code with the other side.

Usage: python keras_digits.py --data FOLDER --seed 0 --accuracy 0.99 --max-epochs 15
"""

import argparse
import gzip
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy


def read_idx(path: Path) -> numpy.ndarray:
    """Read one gzipped idx file of unsigned bytes."""
    with gzip.open(path) as file:
        content = file.read()
    dimensions = content[3]
    shape = [int.from_bytes(content[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(dimensions)]
    return numpy.frombuffer(content, numpy.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_part(folder: Path, part: str) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Read the images of `train` or `t10k`, as float32 in [0, 1] of shape (n, 28, 28, 1), and their labels."""
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    return images[..., None].astype("float32") / 255, labels.astype("int64")


def build_model() -> keras.Model:
    """Build the network of the Keras digit tutorials: 93,322 parameters."""
    model = keras.Sequential(
        [
            keras.layers.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train_until(folder: Path, seed: int, accuracy: float, max_epochs: int, batch: int) -> dict:
    """Train epoch by epoch, look at the test part after each, and stop at the first that reaches the accuracy."""
    keras.utils.set_random_seed(seed)
    train_images, train_labels = read_part(folder, "train")
    test_images, test_labels = read_part(folder, "t10k")
    model = build_model()
    accuracies: list[float] = []
    training_seconds = 0.0
    start, cpu_start = time.perf_counter(), time.process_time()
    for _ in range(max_epochs):
        epoch_start = time.perf_counter()
        model.fit(train_images, train_labels, batch_size=batch, epochs=1, verbose=0)
        training_seconds += time.perf_counter() - epoch_start
        accuracies.append(float(model.evaluate(test_images, test_labels, batch_size=1000, verbose=0)[1]))
        if accuracies[-1] >= accuracy:
            break
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "reached": accuracies[-1] >= accuracy,
        "examples_per_second": len(train_images) * len(accuracies) / training_seconds,
        "accuracies": accuracies,
        "parameters": int(model.count_params()),
    }


def versions() -> dict[str, str]:
    """Name the versions this side ran with."""
    found = {"keras": keras.__version__, "backend": keras.backend.backend()}
    if found["backend"] == "tensorflow":
        import tensorflow

        found["tensorflow"] = tensorflow.__version__
    return found


def main() -> None:
    """Read the command line, train once, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--accuracy", type=float, default=0.99)
    parser.add_argument("--max-epochs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    result = train_until(options.data, options.seed, options.accuracy, options.max_epochs, options.batch)
    sys.stdout.write(json.dumps(result | {"seed": options.seed, "versions": versions()}) + "\n")


if __name__ == "__main__":
    main()
