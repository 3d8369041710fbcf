"""Dead units: those whose ReLU answers zero to every example, so that no gradient ever reaches them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ..tasks.task import Examples, Task
from .predictor import in_batches

EXAMPLES, BATCH = 512, 128
RELU = {
    nn.functional.relu, nn.functional.relu_, nn.functional.relu6, torch.relu, torch.relu_, torch.Tensor.relu,
    torch.Tensor.relu_,
}  # fmt: skip
# Modules that say along which axis the units of their output lie; the order decides, as a batch norm follows a convolution.
FIRST = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)
LAST = (nn.Linear, nn.LayerNorm, nn.RMSNorm)


class _Listener(TorchFunctionMode):
    """State: the layer that answered last, and for each layer which of its units a ReLU has let through."""

    def __init__(self) -> None:
        # The mode has to be set up by torch itself before it can be entered.
        TorchFunctionMode.__init__(self)
        self.layer, self.axis = "", -1
        self.alive: dict[str, torch.Tensor] = {}

    def hear(self, name: str, axis: int) -> Callable[..., None]:
        def answered(module: nn.Module, inputs: Any, output: Any) -> None:
            self.layer, self.axis = name, axis

        return answered

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if func in RELU and self.layer:
            active = output > 0
            others = [dim for dim in range(active.dim()) if dim != self.axis % active.dim()]
            answered = active.any(dim=others) if others else active
            known = self.alive.get(self.layer)
            self.alive[self.layer] = answered if known is None or known.shape != answered.shape else known | answered
        return output


def count_dead_units(network: nn.Module, task: Task, examples: Examples) -> dict[str, tuple[int, int]]:
    """Return for each layer that ends in ReLU how many of its units are dead, and how many there are.

    At most so many evenly spread examples are looked at; a unit is a channel of a convolution, or an output of a dense layer.
    """
    listener = _Listener()
    hooks = [
        module.register_forward_hook(listener.hear(name, 1 if isinstance(module, FIRST) else -1))
        for name, module in network.named_modules()
        if isinstance(module, (*FIRST, *LAST))
    ]
    chosen = np.linspace(0, len(examples) - 1, min(EXAMPLES, len(examples))).astype(np.int64)
    was_training = network.training
    network.eval()
    # Of large pictures fewer at a time.
    at_once = min(BATCH, max((len(indices) for indices in in_batches(examples)), default=1))
    try:
        with torch.inference_mode(), listener:
            for start in range(0, len(chosen), at_once):
                task.predict(network, task.collate(examples, chosen[start : start + at_once]))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return {name: (int((~alive).sum()), alive.numel()) for name, alive in listener.alive.items()}
