"""Linear layers with weights in int8: chosen by torchao, held and computed with plain tensors.

Dimensions: B batch, O outputs, I inputs.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from modelwright.core.errors import MissingExtra, RecipeError

# Half of the 255 steps from the lowest to the highest int8.
HALF_RANGE = 127.5
# torchao's floor of a scale: the smallest step of float32 at one.
SMALLEST_SCALE = torch.finfo(torch.float32).eps


class Int8Linear(nn.Module):
    """State: the weight as int8 with one scale per output, and the bias. Computes what torchao's tensors compute.

    Source: Jacob et al. 2018, section 2; the symmetric scales of torchao's Int8DynamicActivationInt8WeightConfig and
        Int8WeightOnlyConfig, one per row.
    """

    weight: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self, weight_OI: torch.Tensor, scale_O: torch.Tensor, bias: nn.Parameter | None, dynamic: bool
    ) -> None:
        super().__init__()
        self.dynamic = dynamic
        self.register_buffer("weight", weight_OI)
        self.register_buffer("scale", scale_O)
        self.bias = bias

    def forward(self, input_BI: torch.Tensor) -> torch.Tensor:
        """Apply the layer.

        Shapes: input (..., i) float -> (..., o) float
        """
        flat_BI = input_BI.reshape(-1, input_BI.shape[-1])
        product_BO = self._in_integers(flat_BI) if self.dynamic else flat_BI @ self.weight.t().to(flat_BI.dtype)
        scaled_BO = product_BO * self.scale
        if self.bias is not None:
            scaled_BO = scaled_BO + self.bias
        return scaled_BO.reshape(*input_BI.shape[:-1], -1)

    def _in_integers(self, input_BI: torch.Tensor) -> torch.Tensor:
        scale_B1 = (input_BI.abs().amax(dim=1, keepdim=True) / HALF_RANGE).clamp(min=SMALLEST_SCALE)
        rounded_BI = (input_BI * (1.0 / scale_B1)).round().clamp(-128, 127).to(torch.int8)
        return torch._int_mm(rounded_BI, self.weight.t()).to(input_BI.dtype) * scale_B1


def quantise_by_torchao(network: nn.Module, dynamic: bool) -> nn.Module:
    """Let torchao quantise every plain linear layer of a network, in place; this is the reference of `Int8Linear`.

    Raises:
        MissingExtra: torchao is not installed.
        RecipeError: there is no linear layer.
    Source: Jacob et al. 2018, section 2; torchao's quantize_.
    """
    # It speaks at import of libraries for other machines that it did not find.
    logging.getLogger("torchao").setLevel(logging.ERROR)
    logging.getLogger("torch.utils._pytree").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig, quantize_
    except ImportError:
        raise MissingExtra(
            "quantise needs the package torchao",
            where="compress.steps",
            expected="torchao",
            next_step="pip install 'modelwright[compress]'",
        ) from None
    if not linear_layers(network):
        raise RecipeError(
            "the model has no linear layer that could be quantised",
            where="compress.steps",
            expected="a model with linear layers",
            next_step="use how: static, which also covers convolutions",
        )
    config = Int8DynamicActivationInt8WeightConfig() if dynamic else Int8WeightOnlyConfig()
    quantize_(network, config, filter_fn=lambda module, name: type(module) is nn.Linear)
    return network


def plain_int8(network: nn.Module, dynamic: bool) -> dict[str, str]:
    """Put an `Int8Linear` in the place of every layer that torchao quantised, in place; return how each computes, by name.

    Source: torchao's Int8Tensor: `qdata` and `scale` are all there is to it.
    """
    how = "dynamic" if dynamic else "weight_only"
    layers = linear_layers(network)
    for name, layer in layers.items():
        held: Any = layer.weight
        weight_OI, scale_O = held.qdata, held.scale.flatten()
        _put(network, name, Int8Linear(weight_OI.clone(), scale_O.clone(), layer.bias, dynamic))
    return dict.fromkeys(layers, how)


def rebuild_int8(network: nn.Module, layers: Mapping[str, str]) -> None:
    """Give a network layers of int8 to be filled, by name, in place.

    Source: the other half of `plain_int8`.
    """
    for name, how in layers.items():
        layer: Any = network.get_submodule(name)
        weight_OI = torch.zeros(layer.weight.shape, dtype=torch.int8)
        _put(network, name, Int8Linear(weight_OI, torch.ones(len(weight_OI)), layer.bias, how == "dynamic"))


def linear_layers(network: nn.Module) -> dict[str, nn.Linear]:
    """Return the plain linear layers by name; subclasses use their weight in ways of their own.

    Source: none; a list.
    """
    return {name: module for name, module in network.named_modules() if type(module) is nn.Linear and name}


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)
