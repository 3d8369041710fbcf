"""A trained low-rank addition as a folder in the layout of PEFT, which puts it on the model that it was trained on."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path

import torch
from torch import nn

from .layers import LoraLinear

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."


def write_adapter(
    folder: Path, model: nn.Module, learning: Collection[str], their_name: Callable[[str], str], base: str
) -> int:
    """Write what a model with low-rank layers has learnt, before it is merged; return how many tensors that is.

    `learning` names the parameters that were trained, `their_name` turns a name into the one it has in the outside model, and
    `base` names that model.

    Source: Mangrulkar et al. 2022, PEFT; its files adapter_config.json and adapter_model.safetensors.
    """
    from safetensors.torch import save_file

    layers = {name: module for name, module in model.named_modules() if isinstance(module, LoraLinear)}
    tensors: dict[str, torch.Tensor] = {}
    for name, layer in layers.items():
        theirs = their_name(f"{name}.weight").removesuffix(".weight")
        tensors[f"{PREFIX}{theirs}.lora_A.weight"] = layer.down.detach().float().contiguous()
        tensors[f"{PREFIX}{theirs}.lora_B.weight"] = layer.up.detach().float().contiguous()
    thin = tuple(f"{name}." for name in layers)
    full = [name for name in learning if not name.startswith(thin)]
    parameters = dict(model.named_parameters())
    for name in full:
        tensors[f"{PREFIX}{their_name(name)}"] = parameters[name].detach().float().contiguous()
    first = next(iter(layers.values()))
    rank = len(first.down)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": first.factor * rank,
        "lora_dropout": first.dropout.p,
        "target_modules": sorted(their_name(f"{name}.weight").removesuffix(".weight") for name in layers),
        "modules_to_save": sorted({their_name(name).rpartition(".")[0] for name in full}) or None,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return len(tensors)
