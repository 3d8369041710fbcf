"""The model that is explained, its network where it has one, and the same model with nothing learnt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core import registry
from ...core.errors import RecipeError
from ...core.files import read_json
from ...engine.predictor import CONFIG, LEARNT, Predictor, arrays_predictor, open_predictor, torch_predictor
from ...tasks.task import Examples

if TYPE_CHECKING:
    import torch

# Rows from which a model without weights learns nothing.
ROWS = 2000


@dataclass(frozen=True)
class Subject:
    """A model that is asked why; `network` is None where there is nothing to look into."""

    folder: Path
    kind: str
    format: str
    predictor: Predictor
    network: torch.nn.Module | None = None

    def inside(self, what: str) -> torch.nn.Module:
        """Return the network.

        Raises:
            RecipeError: there is none.
        """
        if self.network is None:
            raise RecipeError(
                f"{what} looks inside a network, and the model '{self.kind}' is stored as {self.format}",
                where="explain",
                expected="occlusion, shapley or permutation, which ask any model",
            )
        return self.network


def open_subject(folder: Path) -> Subject:
    """Open a model folder.

    Raises:
        DamagedArtifact: a file is missing or does not fit the others.
    """
    config = read_json(folder / CONFIG)
    kind, kept_as = config["model"]["kind"], config["format"]
    plain = Subject(folder, kind, kept_as, open_predictor(folder))
    if kept_as != "torch":
        return plain
    from ...engine.network_folder import load_network

    network = load_network(folder, config, read_json(folder / LEARNT)).eval()
    return replace(
        plain, network=network, predictor=torch_predictor(network, plain.predictor.task, plain.predictor.learnt)
    )


def with_nothing_learnt(subject: Subject, training: Examples, seed: int) -> Subject:
    """Return the model as it would be if it had learnt nothing, in the way that its kind allows.

    A network keeps its shape and the distribution of its weights, but every matrix is shuffled; a model that is fitted at
    once is fitted to labels in random order; of an ONNX file every matrix is shuffled.

    Source: Adebayo et al. 2018, Sanity checks for saliency maps, sections 3.1 (model) and 3.2 (labels).
    """
    generator = np.random.default_rng(seed)
    if subject.format == "torch":
        return _shuffled_network(subject, generator)
    if subject.format == "onnx":
        return _shuffled_file(subject, generator)
    return _fitted_to_chance(subject, training, generator, seed)


def _shuffled_network(subject: Subject, generator: np.random.Generator) -> Subject:
    import torch

    other = open_subject(subject.folder)
    network = other.inside("a random model")
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.dim() > 1:
                order = torch.from_numpy(generator.permutation(tensor.numel()))
                tensor.copy_(tensor.flatten()[order].view(tensor.shape))
    return other


def _shuffled_file(subject: Subject, generator: np.random.Generator) -> Subject:
    from ...engine.onnx_network import FILE, load_shuffled
    from ...engine.predictor import answer_in_batches

    network = load_shuffled(subject.folder / FILE, generator)
    task = subject.predictor.task
    predictor = replace(subject.predictor, predict=lambda examples: answer_in_batches(network, task, examples))
    return replace(subject, predictor=predictor)


def _fitted_to_chance(subject: Subject, training: Examples, generator: np.random.Generator, seed: int) -> Subject:
    learnt, config = subject.predictor.learnt, read_json(subject.folder / CONFIG)
    settings: Any = registry.settings_of("model", subject.kind).model_validate(config["model"])
    model: Any = registry.function_of("model", subject.kind)(settings, learnt)
    rows = generator.permutation(len(training))[:ROWS]
    some = training.take(np.sort(rows))
    columns = {name: np.asarray(column) for name, column in some.columns.items() if name != "target"}
    arrays = model.fit(columns, generator.permutation(np.asarray(some.columns["target"])), seed)
    return replace(subject, predictor=arrays_predictor(model, arrays, subject.predictor.task, learnt))
