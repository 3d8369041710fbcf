"""Points of model x batch x length x precision x checkpointing x optimiser, drawn by seed: one recipe each."""

from __future__ import annotations

import random
from typing import Any

WORDS = ["one", "two", "three", "four", "five", "six", "river", "stone", "light", "cloud", "paper", "glass", "table"]


def write_texts(path: Any, rows: int, longest: int, seed: int) -> None:
    """Write texts of different lengths with labels, as JSON lines."""
    import json

    draw = random.Random(seed)
    with path.open("w") as stream:
        for _ in range(rows):
            words = [draw.choice(WORDS) + str(draw.randrange(40)) for _ in range(draw.randint(3, longest))]
            stream.write(json.dumps({"text": " ".join(words), "label": draw.choice("abc")}) + "\n")


def draw_point(seed: int, texts: str) -> dict[str, Any]:
    """Return the recipe of one point. `texts` is a file of `write_texts`, for the models that read."""
    draw = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    model = {"kind": kind, **MODELS[kind](draw)}
    of_text = kind not in ("cnn", "residual", "mlp", "linear")
    train: dict[str, Any] = {
        "length": f"{draw.choice((3, 4, 5))} steps",
        "batch": draw.choice((16, 32, 48, 64, 96, 128)),
        "threads": 1,
        "workers": 0,
        "validate_every": "2 steps",
        "precision": draw.choice(("float32", "float32", "bfloat16", "bfloat16_parameters")),
        "optimiser": {"kind": draw.choice(("adam", "adamw", "sgd", "lion", "rmsprop"))},
        "keep": draw.choice(("best", "last")),
    }
    train["optimiser"]["lr"] = 1e-3
    normalised = model.get("normalisation") == "batch" or (kind == "residual" and "normalisation" not in model)
    if draw.random() < 0.3 and not normalised:
        train["micro_batch"] = max(1, train["batch"] // draw.choice((2, 3, 4)))
    if kind in ("transformer", "residual"):
        train["checkpointing"] = draw.choice(("none", "blocks", "selective"))
    if kind == "transformer" and draw.random() < 0.3:
        train["low_rank"] = {"kind": "lora", "rank": 4}
    if draw.random() < 0.2:
        train["average"] = {"kind": "ema"}
    if draw.random() < 0.2:
        train["clip_norm"] = 1.0
    return {
        "version": 1,
        "name": f"point{seed}",
        "seed": seed,
        "task": {"kind": "text", "tokens": "words", "length": draw.choice((16, 32, 64))} if of_text else "image",
        "data": {"kind": "jsonl", "path": texts} if of_text else {"kind": "sample", "name": "digits"},
        "model": model,
        "prepare": {"limit": draw.choice((400, 600, 900)), "split": {"test": 0.2, "validation": 0.2}},
        "train": train,
        "plan": {},
        "evaluate": {"resamples": 100, "floor": "none"},
    }


MODELS: dict[str, Any] = {
    "cnn": lambda draw: {
        "channels": draw.choice(([16, 32], [32, 64], [32, 64, 64])),
        "padding": "same",
        "dense": draw.choice((64, 256)),
        "normalisation": draw.choice(("none", "batch", "group")),
    },
    "residual": lambda draw: {
        "widths": draw.choice(([16, 32], [32, 64])),
        "blocks": draw.choice((1, 2)),
        "normalisation": draw.choice(("batch", "group")),
    },
    "mlp": lambda draw: {"hidden": draw.choice(([256], [512, 256])), "dropout": draw.choice((0.0, 0.2))},
    "lstm": lambda draw: {"hidden": draw.choice((64, 96)), "bidirectional": draw.random() < 0.3},
    "gru": lambda draw: {"hidden": draw.choice((48, 64)), "pooling": draw.choice(("max", "mean"))},
    "rnn": lambda draw: {"hidden": draw.choice((64, 128))},
    "transformer": lambda draw: {
        "width": draw.choice((64, 128)),
        "layers": draw.choice((1, 2, 3)),
        "dropout": draw.choice((0.0, 0.1)),
        "normalisation": draw.choice(("layer", "rms")),
    },
    "bag": lambda draw: {"embedding": draw.choice((32, 64)), "buckets": draw.choice((2000, 20000))},
    "convolution": lambda draw: {"channels": draw.choice((50, 100))},
}
KINDS = tuple(MODELS)
