"""Channels that are taken out of a network for good, and the widths that are left, so that it can be built again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from modelwright.core.errors import MissingExtra, RecipeError

LAYERS = (nn.Conv2d, nn.Conv1d, nn.Linear)
# What says how wide a layer is: the attribute beside the shapes of its tensors.
WIDTHS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Conv2d: ("in_channels", "out_channels", "groups"),
    nn.Conv1d: ("in_channels", "out_channels", "groups"),
    nn.Linear: ("in_features", "out_features"),
    nn.BatchNorm1d: ("num_features",),
    nn.BatchNorm2d: ("num_features",),
    nn.GroupNorm: ("num_channels",),
}


def remove_channels(network: nn.Module, inputs: dict[str, torch.Tensor], amount: float) -> None:
    """Remove a share of the channels of each hidden layer, the weakest by their norm over all layers they meet in, in place.

    Raises:
        MissingExtra: torch-pruning is not installed.
        RecipeError: the network is not one whose channels can be traced.
    Source: Fang et al. 2023, section 3 (which channels go together); Li et al. 2017, section 3.1 (which are weakest).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch_pruning
    except ImportError:
        raise MissingExtra(
            "prune: structured needs the package torch-pruning",
            where="compress.steps",
            expected="torch-pruning",
            next_step="pip install 'modelwright[compress]'",
        ) from None
    _refuse_untraceable(network)
    last = [module for module in network.modules() if isinstance(module, LAYERS)][-1]
    # Groups of a normalisation must stay whole.
    groups = max([module.num_groups for module in network.modules() if isinstance(module, nn.GroupNorm)], default=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pruner = torch_pruning.pruner.BasePruner(
            network,
            inputs,
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            pruning_ratio=amount,
            ignored_layers=[last, *(module for module in network.modules() if isinstance(module, nn.Embedding))],
            round_to=groups if groups > 1 else None,
        )
        pruner.step()


def _refuse_untraceable(network: nn.Module) -> None:
    known = (*WIDTHS, nn.Embedding)
    strange = sorted(
        {
            type(module).__name__
            for module in network.modules()
            if not isinstance(module, known) and any(True for _ in module.parameters(recurse=False))
        }
    )
    layers = [module for module in network.modules() if isinstance(module, LAYERS)]
    if strange or len(layers) < 2:
        what = f"layers of kind {', '.join(strange)}" if strange else f"{len(layers)} layer"
        raise RecipeError(
            f"the channels of this model cannot be removed: it has {what}",
            where="compress.steps",
            expected="a network of convolutions and linear layers, two at least, such as cnn, residual or mlp",
            next_step="use how: unstructured, or the step low_rank",
        )


def widths_of(network: nn.Module) -> dict[str, dict[str, int]]:
    """Return how wide each layer is, by name.

    Source: none; a list.
    """
    return {
        name: {width: int(getattr(module, width)) for width in WIDTHS[type(module)]}
        for name, module in network.named_modules()
        if type(module) in WIDTHS
    }


def rebuild_widths(network: nn.Module, widths: Mapping[str, Mapping[str, int]]) -> None:
    """Give the layers of a network other widths, to be filled, in place.

    Source: the other half of `widths_of`.
    """
    for name, wanted in widths.items():
        module = network.get_submodule(name)
        if set(wanted) != set(WIDTHS.get(type(module), ())):
            raise ValueError(f"{name} has no widths {', '.join(wanted)}")
        for width, value in wanted.items():
            setattr(module, width, int(value))
        for own, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            shape = _shape(module, own, tensor)
            _replace(module, own, tensor, shape)


def _shape(module: Any, name: str, tensor: torch.Tensor) -> tuple[int, ...]:
    """Return the shape that a tensor of a layer has now."""
    if not tensor.dim():
        return ()
    if isinstance(module, nn.Linear):
        return (module.out_features, module.in_features) if name == "weight" else (module.out_features,)
    if isinstance(module, (nn.Conv1d, nn.Conv2d)):
        inner = (module.out_channels, module.in_channels // module.groups, *tensor.shape[2:])
        return inner if name == "weight" else (module.out_channels,)
    return (module.num_channels if isinstance(module, nn.GroupNorm) else module.num_features,)


def _replace(module: nn.Module, name: str, tensor: torch.Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) == shape:
        return
    empty = torch.zeros(shape, dtype=tensor.dtype)
    if isinstance(tensor, nn.Parameter):
        setattr(module, name, nn.Parameter(empty))
    else:
        module.register_buffer(name, empty)
