"""What is served answers as what was trained: from disk, in any batch, for every network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modelwright.core import registry
from modelwright.engine import predictor as predictors
from modelwright.engine.predictor import build_task, open_predictor, save_model, torch_predictor
from modelwright.sources.rows import Rows
from modelwright.tasks.task import Examples

FROM_OUTSIDE = ("backbone", "hf", "open_weights")
COUNT = 40
SMALL: dict[str, dict[str, Any]] = {
    "cnn": {"padding": "same", "normalisation": "batch", "dropout": 0.3},
    "transformer": {"width": 16, "heads": 4},
    "bag": {"buckets": 50},
    "decoder": {"layers": 2, "width": 16, "heads": 2, "hidden": 24},
    "residual_generator": {"channels": 4, "blocks": 1},
    "unet": {"channels": 4},
}


def rows_of(task: str) -> Rows:
    dice = np.random.default_rng(5)
    labels = [row % 3 for row in range(COUNT)]
    columns: dict[str, Any] = {"image": dice.integers(0, 256, (COUNT, 8, 8, 3), dtype=np.uint8)}
    if task in ("text", "language"):
        columns = {"text": [" ".join(dice.choice(list("abcdefgh"), row + 1)) for row in range(COUNT)]}
    elif task == "style":
        made = dice.integers(0, 256, (2, COUNT, 16, 16, 3), dtype=np.uint8)
        columns = {"image": made[0], "style": made[1], "paired": np.zeros(COUNT, dtype=np.int64)}
    elif task == "tabular":
        columns = {"x": dice.normal(size=COUNT).tolist(), "y": [None, "p", "q", "r"] * (COUNT // 4)}
    return Rows({**columns, "label": labels}, [str(row) for row in range(COUNT)], (), {})


def networks() -> list[tuple[str, str]]:
    return [
        (name, task)
        for name in registry.names("model")
        if name not in FROM_OUTSIDE and not getattr(registry.settings_of("model", name), "at_once", False)
        for task in registry.settings_of("model", name).serves
    ]


@pytest.mark.parametrize(("model", "task"), networks())
def test_from_disk_as_in_memory_in_any_batch(
    model: str, task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_settings = registry.settings_of("task", task)()
    words = build_task(task_settings)
    examples: Examples = words.examples(rows_of(task), None)
    settings = registry.settings_of("model", model).model_validate({"kind": model, **SMALL.get(model, {})})
    torch.manual_seed(1)
    network = registry.function_of("model", model)(settings, examples.learnt)
    # Running statistics, where there are any, should not be those of a new network.
    with torch.no_grad():
        words.losses(network, words.collate(examples, np.arange(COUNT)))
    expected = torch_predictor(network, words, examples.learnt).predict(examples)
    save_model(tmp_path, network, task_settings, settings, examples.learnt)
    opened = open_predictor(tmp_path)
    assert expected.dtype == np.float64
    assert expected.std() > 1e-3, "answers that are all alike prove nothing"
    assert np.abs(opened.predict(examples) - expected).max() <= 1e-6
    for batch in (1, 3, 17):
        monkeypatch.setattr(predictors, "BATCH", batch)
        assert np.abs(opened.predict(examples) - expected).max() <= 1e-5, batch
