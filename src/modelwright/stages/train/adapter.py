"""What a low-rank training of outside weights has learnt, kept apart before it is added to them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from ...core import registry
from ...core.stage import Context
from ...methods.low_rank.peft_folder import write_adapter

FOLDER = "adapter"


def keep_adapter(context: Context, network: torch.nn.Module, trained: torch.nn.Module) -> Path | None:
    """Write the low-rank layers of a network that began with outside weights, in the layout of PEFT; return the folder, if there
    are any. `trained` knows which parameters were to learn.
    """
    section: Any = context.recipe.sections["model"]
    if context.settings.low_rank.kind != "lora" or section.kind not in registry.names("outside_name"):
        return None
    folder: Path = context.work / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    learning = [name for name, parameter in trained.named_parameters() if parameter.requires_grad]
    their_name = registry.function_of("outside_name", section.kind)
    tensors = write_adapter(folder, network, learning, their_name, section.path)
    context.note("adapter kept", tensors=tensors, bytes=sum(file.stat().st_size for file in folder.iterdir()))
    return folder
