"""The step `low_rank`: linear layers become products of two thin ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...engine.network_folder import read_network, write_network
from ...methods.compression.settings import LowRank
from ...methods.compression.thin import factor_layers
from .bench import Bench, train_on
from .prune import count_operations


def run(settings: LowRank, bench: Bench, before: Path, after: Path) -> dict[str, Any]:
    """Write the model with thin layers; say their ranks.

    Raises:
        RecipeError: no layer would become smaller.
    """
    stored = read_network(before)
    example = bench.task.collate(bench.validation, np.arange(1)).inputs
    facts: dict[str, Any] = {"operations_before": count_operations(stored.network, example)}
    ranks = factor_layers(stored.network, settings.rank)
    stored = stored.changed("thin", ranks)
    facts["fine_tuning_steps"] = train_on(stored.network, settings, bench)
    write_network(after, stored)
    return {**facts, "ranks": ranks, "operations": count_operations(stored.network, example)}
