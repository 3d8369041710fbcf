"""One door to every kind of trained model: a folder goes in, answers come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..core import registry
from ..core.errors import DamagedArtifact
from ..core.files import read_json, write_json
from ..core.formats import recognise
from ..tasks.pairs import REFERENCE, with_reference
from ..tasks.preferences import likelihoods
from ..tasks.task import Examples, Task

CONFIG, LEARNT, WEIGHTS = "config.json", "preprocessing.json", "model.safetensors"
BATCH = 256
# Of a generator, whose answers are as large as what it is asked.
PIXELS = 1 << 18
# Of a language model, whose examples are many predictions each.
TOKENS = 16_384


@dataclass(frozen=True)
class Predictor:
    """A trained model with its task: examples -> answers (n, classes) float64."""

    task: Task
    learnt: dict[str, Any]
    predict: Callable[[Examples], np.ndarray]
    parameters: int
    # Examples -> the loss of each (nats) and how much it counts, (n,) float64 each; only what torch computes has it.
    losses: Callable[[Examples], tuple[np.ndarray, np.ndarray]] | None = None
    # The network itself, for whoever asks it for more than answers.
    network: Any = None


def build_task(settings: Any) -> Task:
    """Build the task that a recipe's section names."""
    task: Task = registry.function_of("task", settings.kind)(settings)
    return task


def save_model(folder: Path, model: Any, task_settings: Any, model_settings: Any, learnt: dict[str, Any]) -> None:
    """Write a model as plain files: `model.safetensors`, `config.json`, `preprocessing.json`."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    _write_papers(folder, "torch", task_settings, model_settings, learnt)


def save_arrays(
    folder: Path, arrays: dict[str, np.ndarray], task_settings: Any, model_settings: Any, learnt: dict[str, Any]
) -> None:
    """Write a model that is plain arrays, in the same three files."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / WEIGHTS)
    _write_papers(folder, "arrays", task_settings, model_settings, learnt)


def _write_papers(folder: Path, kept_as: str, task_settings: Any, model_settings: Any, learnt: dict[str, Any]) -> None:
    config = {
        "format": kept_as,
        "task": task_settings.model_dump(mode="json"),
        "model": model_settings.model_dump(mode="json"),
    }
    write_json(folder / CONFIG, config)
    write_json(folder / LEARNT, learnt)


def open_predictor(folder: Path) -> Predictor:
    """Open a model folder.

    Raises:
        DamagedArtifact: a file is missing or does not fit the others.
    """
    config, learnt = read_json(folder / CONFIG), read_json(folder / LEARNT)
    task = build_task(registry.settings_of("task", config["task"]["kind"]).model_validate(config["task"]))
    if config["format"] == "arrays":
        model_settings = registry.settings_of("model", config["model"]["kind"]).model_validate(config["model"])
        model = registry.function_of("model", config["model"]["kind"])(model_settings, learnt)
        return arrays_predictor(model, _load_arrays(folder / WEIGHTS), task, learnt)
    if config["format"] == "onnx":
        from .onnx_network import FILE, load_onnx

        network, count = load_onnx(folder / FILE)
        return Predictor(task, learnt, lambda examples: answer_in_batches(network, task, examples), count)
    if config["format"] == "torch":
        from .network_folder import load_network

        return torch_predictor(load_network(folder, config, learnt), task, learnt)
    raise DamagedArtifact(
        f"the model is stored as '{config['format']}'",
        where=folder / CONFIG,
        expected="torch, arrays or onnx",
        next_step="open it with a newer version",
    )


def _load_arrays(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    recognise(path)
    try:
        arrays: dict[str, np.ndarray] = load_file(path)
        return arrays
    except (OSError, SafetensorError) as error:
        raise DamagedArtifact(
            f"the arrays cannot be loaded: {error}", where=path, expected="the arrays of this model"
        ) from None


def arrays_predictor(model: Any, arrays: dict[str, np.ndarray], task: Task, learnt: dict[str, Any]) -> Predictor:
    """Wrap a model that answers from plain arrays (models.at_once.AtOnce)."""

    def predict(examples: Examples) -> np.ndarray:
        answers: np.ndarray = model.predict(
            arrays, {name: np.asarray(column) for name, column in examples.columns.items() if name != "target"}
        )
        return answers

    return Predictor(task, learnt, predict, sum(array.size for array in arrays.values()))


def torch_predictor(model: Any, task: Task, learnt: dict[str, Any]) -> Predictor:
    """Wrap a torch model; answers are computed in float32, whatever precision it was trained in."""

    def asked(ask: Callable[[Any, Task, Examples], Any], examples: Examples) -> Any:
        was_training = model.training
        model.eval()
        answers = ask(model, task, examples)
        model.train(was_training)
        return answers

    return Predictor(
        task,
        learnt,
        partial(asked, answer_in_batches),
        count_weights(model),
        partial(asked, losses_in_batches),
        model,
    )


def count_weights(model: Any) -> int:
    """Return how many numbers a network has learnt; weights in int8 are buffers, as they cannot learn."""
    import torch

    integers = sum(buffer.numel() for buffer in model.buffers() if buffer.dtype == torch.int8)
    return integers + sum(parameter.numel() for parameter in model.parameters())


def answer_in_batches(network: Any, task: Task, examples: Examples) -> np.ndarray:
    """Ask whatever can be called as a network is.

    Shapes: n examples -> (n, classes) float64
    """
    import torch

    with torch.inference_mode():
        answers = [task.predict(network, task.collate(examples, indices)) for indices in in_batches(examples)]
    return torch.cat(answers).double().numpy()


def losses_in_batches(network: Any, task: Task, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Return the loss of each example and how much it counts.

    Shapes: n examples -> (n,) float64, (n,) float64
    """
    import torch

    losses, sizes = [], []
    with torch.inference_mode():
        for indices in in_batches(examples):
            batch = task.collate(examples, indices)
            losses.append(task.losses(network, batch))
            sizes.append(task.sizes(batch))
    return torch.cat(losses).double().numpy(), torch.cat(sizes).double().numpy()


def likelihoods_in_batches(
    network: Any, task: Task, pairs: Examples, heed: Callable[[int], object] = lambda done: None
) -> np.ndarray:
    """Return what a network finds of both answers of each pair; `heed` hears how many are done, and may raise.

    Shapes: n pairs -> (n, 2) float64
    Units: nats
    """
    import torch

    # Whatever stands for a reference lets batches hold both answers.
    both = with_reference(pairs, np.zeros((len(pairs), 2)))
    found = [torch.zeros(0, 2)]
    with torch.inference_mode():
        for indices in in_batches(both):
            heed(int(indices[0]))
            found.append(likelihoods(network, task.collate(both, indices)))
    return torch.cat(found).double().numpy()


def in_batches(examples: Examples) -> Iterator[np.ndarray]:
    """Yield the indices of all examples, as many at a time as are answered at once."""
    learnt, at_once = examples.learnt, BATCH
    if "end" in learnt:
        sequences = 2 if REFERENCE in examples.columns else 1
        at_once = max(1, min(BATCH, TOKENS // learnt["length"]) // sequences)
    if "pixels" in learnt:
        at_once = max(1, min(BATCH, PIXELS // (learnt["height"] * learnt["width"])))
    for start in range(0, len(examples), at_once):
        yield np.arange(start, min(start + at_once, len(examples)))
