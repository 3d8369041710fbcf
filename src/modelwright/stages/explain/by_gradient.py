"""Attributions by gradients: the network is followed backwards from the score of a class.

A token or a category has no gradient of its own, but what its embedding gives has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ...core.errors import RecipeError
from ...methods.attribution.grad_cam import grad_cam, last_convolution
from ...methods.attribution.gradients import integrated_gradients
from ...methods.attribution.settings import GradCam, IntegratedGradients
from ...methods.compression.int8 import Int8Linear
from .question import Answer, Question
from .view import Cut


def run_integrated_gradients(settings: IntegratedGradients, question: Question) -> Answer:
    """Sum the gradient of the logit of each class along the way from nothing shown to everything shown.

    Raises:
        MissingExtra: captum is not installed.
        RecipeError: no gradient passes through this model.
    """
    network = _open(question, "integrated_gradients")
    weights, maps, gaps, changes = [], [], [], []
    for number, (cut, target) in enumerate(zip(question.cuts, question.targets.tolist(), strict=True)):
        question.tell(number, len(question.cuts))
        entry = _enter(network, _inputs(question, cut))
        neutral = _enter(network, _inputs(question, cut, hidden=True))

        def score(*values: torch.Tensor, entry: _Entry = entry, target: int = target) -> torch.Tensor:
            return entry.answer(network, values)[:, target]

        found, gap, change = integrated_gradients(score, entry.values, neutral.values, settings.steps)
        named = {name: item.numpy() for name, item in zip(entry.names, found, strict=True)}
        part_weights, pixels = cut.gather(named)
        weights.append(part_weights)
        maps.append(pixels)
        gaps.append(gap)
        changes.append(change)
    return Answer(tuple(weights), tuple(maps), tuple(gaps), tuple(changes))


def run_grad_cam(settings: GradCam, question: Question) -> Answer:
    """Weigh the maps of a convolution.

    Raises:
        MissingExtra: captum is not installed.
        RecipeError: there is no such convolution.
    """
    network = _open(question, "grad_cam")
    name = settings.layer
    if name == "auto":
        name = last_convolution(network, _inputs(question, question.cuts[0]))
    layer = dict(network.named_modules()).get(name)
    if not isinstance(layer, nn.Conv2d):
        known = [found for found, module in network.named_modules() if isinstance(module, nn.Conv2d)]
        raise RecipeError(
            f"'{name}' is not a convolution of the model" if name else "the model has no convolution",
            where="explain.attributions: grad_cam",
            expected=f"one of {', '.join(known)}" if known else "a model with convolutions",
            next_step="name one of them, or leave grad_cam out",
        )
    weights, maps = [], []
    for number, (cut, target) in enumerate(zip(question.cuts, question.targets.tolist(), strict=True)):
        question.tell(number, len(question.cuts))
        found = grad_cam(network, layer, _inputs(question, cut)["image"], target).numpy()
        part_weights, pixels = cut.gather({"image": found[None, None]})
        weights.append(part_weights)
        maps.append(pixels)
    return Answer(tuple(weights), tuple(maps), facts={"layer": name})


def _open(question: Question, what: str) -> nn.Module:
    network = question.subject.inside(what)
    if any(isinstance(module, Int8Linear) and module.dynamic for module in network.modules()):
        raise RecipeError(
            f"{what} needs gradients, and none passes through layers that compute in int8",
            where="explain.attributions",
            expected="occlusion or shapley, which ask any model",
        )
    return network


def _inputs(question: Question, cut: Cut, hidden: bool = False) -> dict[str, torch.Tensor]:
    return question.subject.predictor.task.collate(cut.neutral if hidden else cut.example, np.arange(1)).inputs


@dataclass(frozen=True)
class _Entry:
    """Where numbers enter a network: inputs that are numbers, then what embeddings give; the other inputs are fixed."""

    inputs: dict[str, torch.Tensor]
    embedded: dict[str, torch.Tensor]
    fixed: dict[str, torch.Tensor]

    @property
    def names(self) -> tuple[str, ...]:
        """Inputs by their names; an embedding may have the name of an input, and has a mark."""
        return (*self.inputs, *(f"{name}()" for name in self.embedded))

    @property
    def values(self) -> tuple[torch.Tensor, ...]:
        return (*self.inputs.values(), *self.embedded.values())

    def answer(self, network: nn.Module, values: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Return the logits for other numbers in the places of these."""
        rows, count = len(values[0]), len(self.inputs)
        given = {name: value.expand(rows, *value.shape[1:]) for name, value in self.fixed.items()}
        given |= dict(zip(self.inputs, values[:count], strict=True))
        with _replacing(dict(zip(self.embedded, values[count:], strict=True)), network):
            return network(**given)


def _enter(network: nn.Module, inputs: dict[str, torch.Tensor]) -> _Entry:
    """Find where numbers enter.

    Raises:
        RecipeError: nowhere.
    """
    kept: dict[str, torch.Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda _module, _given, answer, name=name: kept.update({name: answer}))
        for name, module in network.named_modules()
        if isinstance(module, nn.Embedding)
    ]
    try:
        with torch.no_grad():
            network(**inputs)
    finally:
        for hook in hooks:
            hook.remove()
    # Copies: an input may be a view of memory that the next batch uses.
    numbers = {name: value.clone() for name, value in inputs.items() if value.is_floating_point()}
    if not numbers and not kept:
        raise RecipeError(
            "integrated_gradients finds no layer that embeds single tokens",
            where="explain.attributions",
            expected="a model whose tokens are embedded one by one",
            next_step="use occlusion or shapley",
        )
    fixed = {name: value for name, value in inputs.items() if name not in numbers}
    return _Entry(numbers, {name: value.detach() for name, value in kept.items()}, fixed)


@contextmanager
def _replacing(values: dict[str, torch.Tensor], network: nn.Module) -> Iterator[None]:
    """Let embeddings give other numbers than they would."""
    hooks = [
        network.get_submodule(name).register_forward_hook(lambda _module, _given, _answer, value=value: value)
        for name, value in values.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
