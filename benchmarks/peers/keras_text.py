"""The peer: the textbook Keras LSTM for texts, trained until a validation accuracy is reached.

Runs under an interpreter of its own that has tensorflow, reads the rows that `seed_text.py` has numbered, and writes one
JSON object as the last line of its standard output. It shares no code with the other side.

Usage: python keras_text.py --rows ROWS.npz --seed 0 --accuracy 0.8 --max-epochs 15 --threads 2
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy
import tensorflow

LENGTH, VOCABULARY = 100, 10_000


def read_part(rows: dict, part: str) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return token numbers with the padding in front, as `keras.utils.pad_sequences` puts it, and the targets."""
    tokens, lengths = rows[f"{part}_tokens"], rows[f"{part}_length"]
    texts = [row[:length] for row, length in zip(tokens, lengths, strict=True)]
    return keras.utils.pad_sequences(texts, maxlen=LENGTH), rows[f"{part}_target"]


def build_model(classes: int, jit: bool) -> keras.Model:
    """Build the network of the textbooks: embedding 16, LSTM 128, one dense layer."""
    model = keras.Sequential(
        [
            keras.layers.Input((LENGTH,), dtype="int32"),
            keras.layers.Embedding(VOCABULARY, 16),
            keras.layers.LSTM(128),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=jit,
    )
    return model


def train_until(options: argparse.Namespace) -> dict:
    """Train epoch by epoch, look at the validation part after each, and stop at the first that reaches the accuracy."""
    keras.utils.set_random_seed(options.seed)
    with numpy.load(options.rows) as file:
        rows = dict(file)
    (tokens, targets), validation = read_part(rows, "train"), read_part(rows, "validation")
    model = build_model(int(targets.max()) + 1, options.jit)
    accuracies: list[float] = []
    training_seconds = []
    start, cpu_start = time.perf_counter(), time.process_time()
    for _ in range(options.max_epochs):
        epoch_start = time.perf_counter()
        model.fit(tokens, targets, batch_size=options.batch, epochs=1, verbose=0)
        training_seconds.append(time.perf_counter() - epoch_start)
        accuracies.append(float(model.evaluate(*validation, batch_size=1000, verbose=0)[1]))
        if accuracies[-1] >= options.accuracy:
            break
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    # The first epoch also traces and compiles the step; the rate is that of the others, where there are any.
    steady = training_seconds[1:] or training_seconds
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "reached": accuracies[-1] >= options.accuracy,
        "examples_per_second": len(tokens) * len(steady) / sum(steady),
        "accuracies": accuracies,
        "parameters": int(model.count_params()),
    }


def main() -> None:
    """Read the command line, train once, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--accuracy", type=float, default=0.8)
    parser.add_argument("--max-epochs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as TensorFlow takes by itself")
    parser.add_argument("--jit", action="store_true", help="compile the step with XLA")
    options = parser.parse_args()
    tensorflow.config.threading.set_intra_op_parallelism_threads(options.threads)
    result = train_until(options)
    versions = {"keras": keras.__version__, "tensorflow": tensorflow.__version__}
    about = {"seed": options.seed, "threads": options.threads, "jit": options.jit, "versions": versions}
    sys.stdout.write(json.dumps(result | about) + "\n")


if __name__ == "__main__":
    main()
