"""A network as plain files: the recipe's architecture, what was changed of it since, and weights without their zeros."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..core import registry
from ..core.errors import DamagedArtifact, RecipeError
from ..core.files import read_json, write_json
from ..core.formats import recognise
from ..methods.compression.sparsity import pack, unpack
from .predictor import CONFIG, LEARNT, WEIGHTS


@dataclass(frozen=True)
class Stored:
    """A network with the papers that it is stored with.

    `changes` of the configuration names, in order, what has to be done to the network of the recipe before weights fit it.
    """

    network: torch.nn.Module
    config: dict[str, Any]
    learnt: dict[str, Any]

    def changed(self, kind: str, details: Any) -> Stored:
        """Return the same network with one more change in its papers."""
        changes = [*self.config.get("changes", []), {"kind": kind, "details": details}]
        return replace(self, config={**self.config, "changes": changes})


def read_network(folder: Path) -> Stored:
    """Open a folder whose model can be changed further.

    Raises:
        RecipeError: it holds no network.
        DamagedArtifact: a file is missing or does not fit the others.
    """
    config, learnt = read_json(folder / CONFIG), read_json(folder / LEARNT)
    kind = config["model"]["kind"]
    if config["format"] == "arrays":
        raise RecipeError(
            f"the model '{kind}' is fitted at once and has no layers",
            where="compress.steps",
            expected="a model that is trained by steps",
            next_step="use the step distil, whose teacher may be any model",
        )
    if config["format"] == "onnx":
        raise RecipeError(
            "the model is an ONNX file by now",
            where="compress.steps",
            expected="export and static quantisation as the last steps",
            next_step="put the other steps before them",
        )
    return Stored(load_network(folder, config, learnt), config, learnt)


def load_network(folder: Path, config: dict[str, Any], learnt: dict[str, Any]) -> torch.nn.Module:
    """Build the network that the papers describe, and fill it; nothing that could execute is ever read.

    Raises:
        DamagedArtifact: the weights do not fit what the papers describe.
    """
    path = folder / WEIGHTS
    recognise(path)
    settings = registry.settings_of("model", config["model"]["kind"]).model_validate(config["model"])
    network: torch.nn.Module = registry.function_of("model", config["model"]["kind"])(settings, learnt)
    try:
        for change in config.get("changes", []):
            registry.function_of("rebuilding", change["kind"])(network, change["details"])
        shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
        network.load_state_dict(unpack(load_file(path), shapes))
    except (OSError, SafetensorError, RuntimeError, ValueError, AttributeError) as error:
        raise DamagedArtifact(
            f"the weights cannot be loaded: {str(error).splitlines()[0]}",
            where=path,
            expected="the weights of this model",
        ) from None
    return network


def write_network(folder: Path, stored: Stored) -> None:
    """Write a network and its papers; tensors with many zeros are stored without them."""
    tensors = pack(stored.network.state_dict())
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS, metadata={"format": "pt"}
    )
    write_json(folder / CONFIG, stored.config)
    write_json(folder / LEARNT, stored.learnt)
