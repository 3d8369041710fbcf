"""What a layer makes of examples: its answers, as one row of numbers for each example.

Dimensions: B batch, T tokens, F features, H height, W width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import RecipeError
from ...core.registry import did_you_mean
from ...tasks.task import Examples
from .subject import Subject

if TYPE_CHECKING:
    import torch

BATCH = 256
AUTO, ANSWERS = "auto", "answers"
# What probabilities of 0 count as, in their logarithm.
SMALLEST = 1e-6


def features_of(subject: Subject, layer: str, examples: Examples) -> tuple[np.ndarray, str]:
    """Return one row of features for each example, and what they are: a layer's name, or `answers`.

    `auto` is what the last layer with weights is given: the last hidden state.

    Shapes: -> (n, f) float, name

    Raises:
        RecipeError: there is no such layer.
    """
    if layer == ANSWERS or (layer == AUTO and subject.network is None):
        return np.log(np.maximum(subject.predictor.predict(examples), SMALLEST)), ANSWERS
    network = subject.inside(f"the layer '{layer}'")
    modules = {name: module for name, module in network.named_modules() if name}
    if layer == AUTO:
        name = _last_with_weights(subject, modules, examples)
        return _watch(subject, modules[name], examples, given=True), f"{name} (what it is given)"
    if layer not in modules:
        raise RecipeError(
            f"the model has no layer '{layer}'{did_you_mean(layer, list(modules))}",
            where="explain.layer",
            expected=f"auto, answers or one of {', '.join(modules)}",
        )
    return _watch(subject, modules[layer], examples, given=False), layer


def _last_with_weights(subject: Subject, modules: dict[str, Any], examples: Examples) -> str:
    called: list[str] = []
    leaves = {
        name: module
        for name, module in modules.items()
        if not list(module.children()) and (list(module.parameters()) or list(module.buffers()))
    }
    hooks = [
        module.register_forward_hook(lambda _module, _given, _answer, name=name: called.append(name))
        for name, module in leaves.items()
    ]
    try:
        subject.predictor.predict(examples.take(np.arange(1)))
    finally:
        for hook in hooks:
            hook.remove()
    return called[-1]


def _watch(subject: Subject, module: Any, examples: Examples, given: bool) -> np.ndarray:
    """Let the network answer, and keep what one of its modules is given or gives."""
    import torch

    kept: list[Any] = []
    hook = module.register_forward_hook(lambda _module, inputs, answer: kept.append(inputs[0] if given else answer))
    rows: list[np.ndarray] = []
    task, network = subject.predictor.task, subject.inside("a layer")
    try:
        with torch.inference_mode():
            for start in range(0, len(examples), BATCH):
                batch = task.collate(examples, np.arange(start, min(start + BATCH, len(examples))))
                task.predict(network, batch)
                rows.append(_flat(kept[-1], batch.inputs.get("length")).double().numpy())
                kept.clear()
    finally:
        hook.remove()
    return np.concatenate(rows)


def _flat(found: Any, length: torch.Tensor | None) -> torch.Tensor:
    """Return one row an example: the mean over the places of a map, or over the tokens of a text."""
    import torch
    from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

    if isinstance(found, tuple) and not isinstance(found, PackedSequence):
        found = found[0]
    if isinstance(found, PackedSequence):
        found = pad_packed_sequence(found, batch_first=True)[0]
    if found.dim() == 4:
        mean_BF: torch.Tensor = found.mean(dim=(2, 3))
        return mean_BF
    if found.dim() == 3 and length is not None:
        mask_BT1 = (torch.arange(found.shape[1]) < length[:, None])[..., None]
        mean_BF = (found * mask_BT1).sum(dim=1) / length[:, None]
        return mean_BF
    flat_BF: torch.Tensor = found.flatten(start_dim=1)
    return flat_BF
