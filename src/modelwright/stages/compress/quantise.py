"""The step `quantise`: int8 by torchao for linear layers, by ONNX Runtime for everything."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...engine.network_folder import read_network, write_network
from ...engine.predictor import open_predictor, torch_predictor
from ...methods.compression.int8 import plain_int8, quantise_by_torchao
from ...methods.compression.settings import Quantise
from .bench import Bench, require_parity
from .static import quantise_statically

# Too small to matter: biases and normalisations.
WORTH_NAMING = 64


def run(settings: Quantise, bench: Bench, before: Path, after: Path) -> dict[str, Any]:
    """Write the quantised model; say which layers were covered, and which with weights were not.

    Raises:
        DamagedArtifact: what was written does not answer as the library's own model does.
    """
    if settings.how == "static":
        return quantise_statically(settings, bench, before, after)
    stored = read_network(before)
    dynamic = settings.how == "dynamic"
    reference = quantise_by_torchao(stored.network.eval(), dynamic)
    # The layers of torchao cannot be copied part by part, so what is stored is taken from a copy of the whole.
    network = copy.deepcopy(reference)
    layers = plain_int8(network, dynamic)
    write_network(after, replace(stored, network=network).changed("int8", layers))
    parity = require_parity(
        bench,
        open_predictor(after),
        torch_predictor(reference, bench.task, stored.learnt),
        "the quantised file",
    )
    left = [
        name
        for name, parameter in network.named_parameters()
        if parameter.dim() > 1 and parameter.numel() >= WORTH_NAMING
    ]
    return {"layers": len(layers), "left": left, "parity": parity}
