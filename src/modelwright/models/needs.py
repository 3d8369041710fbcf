"""What a model needs of the layout it is trained on."""

from __future__ import annotations

from torch import nn

WHOLE_BATCH = "whole-batch"
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def needs_of(network: nn.Module) -> frozenset[str]:
    """Return `whole-batch` if the model normalises by the statistics of its batch; parts that are all frozen do not."""
    for part in network.children():
        learns = any(parameter.requires_grad for parameter in part.parameters())
        if learns and any(isinstance(module, BATCH_NORMS) for module in part.modules()):
            return frozenset({WHOLE_BATCH})
    return frozenset()
