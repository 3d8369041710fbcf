"""Model folders and benches on made data, without a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from modelwright.core import registry
from modelwright.engine.predictor import build_task, save_model
from modelwright.sources.rows import Rows
from modelwright.stages.compress.bench import Bench
from modelwright.tasks.task import Examples, Task

COUNT = 60


def rows_of(task: str) -> Rows:
    """Return rows that can be learnt: the label is written all over them."""
    dice = np.random.default_rng(3)
    labels = [row % 3 for row in range(COUNT)]
    if task == "image":
        images = dice.integers(0, 60, (COUNT, 12, 12, 1), dtype=np.uint8)
        for row, label in enumerate(labels):
            images[row, 4 * label : 4 * label + 4] += 150
        columns: dict[str, Any] = {"image": images}
    elif task == "text":
        words = ["red", "green", "blue"]
        columns = {
            "text": [" ".join([words[label]] * (1 + row % 5) + ["and"] * (row % 4)) for row, label in enumerate(labels)]
        }
    else:
        columns = {
            "number": [float(label) + dice.normal() / 9 for label in labels],
            "colour": ["ab"[row % 2] for row in range(COUNT)],
        }
    return Rows({**columns, "label": labels}, [str(row) for row in range(COUNT)], (), {})


def make(task_name: str) -> tuple[Task, Any, Examples]:
    """Return a task, its settings, and examples."""
    settings = registry.settings_of("task", task_name)()
    task = build_task(settings)
    return task, settings, task.examples(rows_of(task_name), None)


def make_bench(task: Task, examples: Examples) -> Bench:
    """Return a bench whose training and validation part are the two halves."""
    half = COUNT // 2
    return Bench(
        task,
        examples.take(np.arange(half)),
        examples.take(np.arange(half, COUNT)),
        seed=1,
        tell=lambda step, total, message: None,
        place="compress.steps[0]",
    )


def store(folder: Path, task_name: str, model: dict[str, Any]) -> Bench:
    """Write a model folder with first weights; return the bench that belongs to it."""
    task, task_settings, examples = make(task_name)
    model_settings = registry.settings_of("model", model["kind"]).model_validate(model)
    torch.manual_seed(1)
    network = registry.function_of("model", model["kind"])(model_settings, examples.learnt)
    folder.mkdir()
    save_model(folder, network, task_settings, model_settings, examples.learnt)
    return make_bench(task, examples)


def step(settings: dict[str, Any], bench: Bench, before: Path, after: Path) -> dict[str, Any]:
    """Take one step of compression from a folder to a new one."""
    chosen = registry.settings_of("compression", settings["kind"]).model_validate(settings)
    after.mkdir()
    facts: dict[str, Any] = registry.function_of("compression", settings["kind"])(chosen, bench, before, after)
    return facts
