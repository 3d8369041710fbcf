"""The blocks of a model: the equal children, one after the other, that hold most of its activations."""

from __future__ import annotations

from torch import nn

from ..core.errors import RecipeError

# What a model's settings say instead of a path where the list of blocks has another name in every encoder.
LONGEST = "*"


def find_blocks(network: nn.Module, path: str, kind: str) -> list[nn.Module]:
    """Return the children of the list that `path` names; `encoder.*` is the longest list of blocks below `encoder`.

    Raises:
        RecipeError: the model has no blocks.
    """
    found: list[nn.Module] = []
    if path.endswith(LONGEST):
        inner = network.get_submodule(path.removesuffix(LONGEST).rstrip("."))
        lists = [module for module in inner.modules() if isinstance(module, (nn.ModuleList, nn.Sequential))]
        found = list(max(lists, key=len, default=nn.ModuleList()))
    elif path:
        found = list(network.get_submodule(path).children())
    if not found:
        raise RecipeError(
            f"the model '{kind}' has no blocks whose activations could be computed again",
            where="train.checkpointing",
            expected="a model with blocks: transformer, residual, backbone or hf",
            next_step="set train.checkpointing: none, and train.micro_batch to save memory",
        )
    return found
