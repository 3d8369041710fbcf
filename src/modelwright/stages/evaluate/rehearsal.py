"""The evaluation of a recipe, walked through on tensors that are only shapes: a stored network is opened and answers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...core import registry
from ...core.recipe import Recipe
from ...engine.dataset import read_part
from ...engine.predictor import build_task, torch_predictor
from ...engine.tracing.longest import ask, blank, longest_chunk
from ...engine.tracing.outside import outside_weights
from ...engine.tracing.tracer import Tracer
from ...tasks.task import Examples


def rehearse(recipe: Recipe, dataset: Path, threads: int, tracer: Tracer) -> dict[str, Any]:
    """Walk through the answers to the test part, of which the lengths are looked at and no value is read."""
    section: Any = recipe.sections["model"]
    if getattr(type(section), "at_once", False):
        return {}
    test = read_part(dataset, "test")
    rows, chunk = len(test), blank(longest_chunk(test))
    task = build_task(recipe.sections["task"])
    pretrained = outside_weights(recipe)
    # What the training stored with the network; the weights themselves come from its file.
    learnt = {**test.learnt, **(pretrained.facts if pretrained else {})}
    del pretrained
    with tracer.tracing():
        tracer.phase("evaluation")
        network = registry.function_of("model", section.kind)(section, learnt)
        tracer.hold("parameters", [*network.parameters(), *network.buffers()])
        network.load_state_dict({name: torch.empty_like(tensor) for name, tensor in network.state_dict().items()})
        predictor = torch_predictor(network, task, learnt)
        numbers = _numbers_of_an_answer(learnt)
        others = torch.empty((rows - len(chunk)) * numbers, dtype=torch.float32)
        ask(predictor, chunk)
        # The answers to all of it, first as they came, then in one piece, then as the measures want them.
        own = torch.empty(len(chunk) * numbers, dtype=torch.float32)
        joined = torch.cat([others, own]).double()
        del others, own, joined, predictor, network
        if "pixels" in learnt:
            _look(test, read_part(dataset, "train"))
    return {"test_rows": rows}


def _numbers_of_an_answer(learnt: dict[str, Any]) -> int:
    if "pixels" in learnt:
        return math.prod(learnt[name] for name in ("channels", "height", "width"))
    return len(learnt.get("classes", (0,)))


def _look(test: Examples, training: Examples) -> None:
    """Do as the judge of style transfer: an encoder sees the pictures of both parts."""
    from ...models.perception import Perception

    eye = Perception()
    pictures = np.zeros_like(test.columns["image"])
    eye.features(np.zeros_like(training.columns["image"]))
    if np.asarray(test.columns["paired"]).all():
        eye.distances(pictures, pictures)
    eye.textures(pictures)
