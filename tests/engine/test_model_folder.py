"""A model folder: what was saved answers alike, golden examples tell when it does not, damage is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from modelwright.core import registry
from modelwright.core.errors import DamagedArtifact
from modelwright.engine.dataset import read_part, write_learnt, write_part
from modelwright.engine.golden import check_golden, write_golden
from modelwright.engine.predictor import Predictor, build_task, open_predictor, save_model, torch_predictor
from modelwright.sources.rows import Rows
from modelwright.tasks.task import Examples


def make() -> tuple[torch.nn.Module, object, object, Examples, Predictor]:
    task_settings = registry.settings_of("task", "image")()
    model_settings = registry.settings_of("model", "mlp").model_validate({"kind": "mlp", "hidden": [6], "dropout": 0.5})
    images = np.random.default_rng(1).integers(0, 256, (40, 5, 4, 3), dtype=np.uint8)
    rows = Rows({"image": images, "label": [row % 3 for row in range(40)]}, [str(row) for row in range(40)], (), {})
    task = build_task(task_settings)
    examples = task.examples(rows, None)
    torch.manual_seed(1)
    network = registry.function_of("model", "mlp")(model_settings, examples.learnt)
    return network, task_settings, model_settings, examples, torch_predictor(network, task, examples.learnt)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Predictor, Examples]:
    """A model folder with golden examples, the predictor in memory, the examples."""
    network, task_settings, model_settings, examples, predictor = make()
    folder = tmp_path / "model"
    folder.mkdir()
    save_model(folder, network, task_settings, model_settings, examples.learnt)
    write_golden(folder, predictor, examples)
    return folder, predictor, examples


def test_it_answers_as_it_did_in_memory(saved: tuple[Path, Predictor, Examples]) -> None:
    folder, predictor, examples = saved
    opened = open_predictor(folder)
    assert np.array_equal(opened.predict(examples), predictor.predict(examples))
    assert opened.parameters == predictor.parameters == 60 * 6 + 6 + 6 * 3 + 3
    assert check_golden(folder, opened) == 0.0


def test_answering_does_not_disturb_training() -> None:
    """Dropout is off for the answer and on again afterwards; no gradient is kept."""
    network, _, _, examples, predictor = make()
    network.train()
    first, second = predictor.predict(examples), predictor.predict(examples)
    assert np.array_equal(first, second)
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    network.eval()
    predictor.predict(examples)
    assert not network.training


def test_golden_answers_tell_other_weights(saved: tuple[Path, Predictor, Examples]) -> None:
    folder, _, examples = saved
    weights = registry.settings_of("model", "mlp").model_validate({"kind": "mlp", "hidden": [6]})
    torch.manual_seed(2)
    other = registry.function_of("model", "mlp")(weights, examples.learnt)
    with pytest.raises(DamagedArtifact, match="the golden answers differ by"):
        check_golden(
            folder, torch_predictor(other, build_task(registry.settings_of("task", "image")()), examples.learnt)
        )


def test_golden_answers_that_are_not_numbers_are_no_agreement(saved: tuple[Path, Predictor, Examples]) -> None:
    folder, predictor, _ = saved
    answers = np.load(folder / "golden/answers.npy")
    answers[0, 0] = np.nan
    np.save(folder / "golden/answers.npy", answers)
    with pytest.raises(DamagedArtifact, match="differ by nan"):
        check_golden(folder, predictor)


def test_fewer_examples_than_golden_ones_is_fine(tmp_path: Path) -> None:
    _, _, _, examples, predictor = make()
    tmp_path.joinpath("preprocessing.json").write_text(json.dumps(examples.learnt))
    write_golden(tmp_path, predictor, examples.take(np.arange(3)))
    assert check_golden(tmp_path, predictor) <= 1e-6


@pytest.mark.parametrize("damage", ["weights cut", "weights gone", "other shape", "config gone", "config no JSON"])
def test_a_damaged_folder_is_named(saved: tuple[Path, Predictor, Examples], damage: str) -> None:
    folder, _, _ = saved
    weights, config = folder / "model.safetensors", folder / "config.json"
    if damage == "weights cut":
        weights.write_bytes(weights.read_bytes()[:-4])
    elif damage == "weights gone":
        weights.unlink()
    elif damage == "other shape":
        config.write_text(config.read_text().replace("6", "7", 1))
    elif damage == "config gone":
        config.unlink()
    else:
        config.write_text("{")
    with pytest.raises(DamagedArtifact) as caught:
        open_predictor(folder)
    assert str(folder) in caught.value.problems[0].where


def test_only_one_part_of_a_dataset_is_read(tmp_path: Path) -> None:
    _, _, _, examples, _ = make()
    write_learnt(tmp_path, examples)
    for part, indices in (("train", [0, 1, 2]), ("test", [3, 4])):
        write_part(tmp_path, part, examples.take(np.array(indices)))
    shutil.rmtree(tmp_path / "train")
    read = read_part(tmp_path, "test")
    assert len(read) == 2
    assert read.learnt == examples.learnt
    for name, column in read.columns.items():
        assert np.array_equal(column, examples.columns[name][[3, 4]])
