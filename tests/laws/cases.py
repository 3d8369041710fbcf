"""Every built-in network with every task it serves, at the smallest sizes that still have all their parts."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from modelwright.core import registry
from modelwright.sources.rows import Rows
from modelwright.tasks.task import Batch, Examples, Task

COUNT = 12
CLASSES = ["blue", "green", "red"]
TINY: dict[str, dict[str, Any]] = {
    "cnn": {"channels": [3, 4, 4], "padding": "same", "dense": 5},
    "mlp": {"hidden": [7, 5], "embedding": 3},
    "linear": {},
    "residual": {"widths": [4, 6], "blocks": 1},
    "rnn": {"embedding": 4, "hidden": 5, "layers": 2, "bidirectional": True, "pooling": "last"},
    "lstm": {"embedding": 4, "hidden": 5, "bidirectional": True, "pooling": "mean"},
    "gru": {"embedding": 4, "hidden": 5, "pooling": "last"},
    "transformer": {"width": 8, "heads": 2, "layers": 2, "widening": 2},
    "convolution": {"embedding": 4, "widths": [2, 3], "channels": 3},
    "bag": {"embedding": 5, "ngrams": 3, "buckets": 11},
    "decoder": {"layers": 2, "width": 16, "heads": 2, "key_value_heads": 1, "hidden": 24, "query_key_norm": True},
    "residual_generator": {"channels": 4, "halvings": 1, "blocks": 1},
    "unet": {"channels": 4, "halvings": 2},
}
# What a task needs said so that twelve rows are twelve examples.
WORDS: dict[str, dict[str, Any]] = {"language": {"tokens": "characters", "length": 80}}
# Their weights or their code come from outside; tests/models has their own tests.
FROM_OUTSIDE = ("backbone", "hf", "open_weights")
# One example's answer depends on the others of its batch while these are trained.
BATCH_STATISTICS = ("residual",)


def all_cases() -> list[tuple[str, str]]:
    """Return (model, task) for every built-in network that is trained by steps."""
    found = []
    for name in registry.names("model"):
        settings = registry.settings_of("model", name)
        if not getattr(settings, "at_once", False) and name not in FROM_OUTSIDE:
            found += [(name, task) for task in settings.serves]  # type: ignore[attr-defined]
    return found


CASES = all_cases()
CLASSIFYING = [case for case in CASES if case[1] not in ("language", "style")]


@dataclass(frozen=True)
class Case:
    """A task, its examples, and a network for them."""

    task: Task
    examples: Examples
    network: torch.nn.Module

    def batch(self, indices: list[int] | np.ndarray) -> Batch:
        """Return a batch of some examples."""
        return self.task.collate(self.examples, np.asarray(indices))

    def losses(self, indices: list[int] | np.ndarray) -> torch.Tensor:
        """Return the losses of some examples, as one batch."""
        with torch.no_grad():
            return self.task.losses(self.network, self.batch(indices))


def make_case(model: str, task: str, seed: int = 0, **settings: Any) -> Case:
    """Build a case; another seed gives other weights, and the same examples."""
    stated = registry.settings_of("task", task).model_validate({"kind": task, **WORDS.get(task, {})})
    words: Task = registry.function_of("task", task)(stated)
    examples = words.examples(make_rows(task), None)
    chosen = registry.settings_of("model", model).model_validate({"kind": model, **TINY[model], **settings})
    torch.manual_seed(seed)
    return Case(words, examples, registry.function_of("model", model)(chosen, examples.learnt))


def make_rows(task: str) -> Rows:
    """Return twelve rows of random content for a task: texts of 1 to 12 words, tables with gaps."""
    dice = random.Random(7)
    labels = [CLASSES[row % 3] for row in range(COUNT)]
    columns: dict[str, Any]
    if task == "image":
        columns = {"image": np.random.default_rng(7).integers(0, 256, (COUNT, 8, 8, 1), dtype=np.uint8)}
    elif task == "style":
        made = np.random.default_rng(7).integers(0, 256, (2, COUNT, 16, 16, 3), dtype=np.uint8)
        columns = {"image": made[0], "style": made[1], "paired": np.zeros(COUNT, dtype=np.int64)}
    elif task in ("text", "language"):
        words = ["sun", "moon", "star", "sky", "sea", "sand"]
        columns = {"text": [" ".join(dice.choices(words, k=row + 1)) for row in range(COUNT)]}
    else:
        columns = {
            "size": [dice.gauss(0, 2) for _ in range(COUNT)],
            "weight": [None if row % 4 == 0 else dice.random() for row in range(COUNT)],
            "shape": [None if row % 5 == 0 else dice.choice("abc") for row in range(COUNT)],
        }
    return Rows({**columns, "label": labels}, [f"made:{row}" for row in range(COUNT)], (), {})
