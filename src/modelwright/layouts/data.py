"""Every process holds the whole model and takes its share of each batch; the gradients are summed."""

from __future__ import annotations

import torch.distributed as dist

from .by_example import ByExample, sum_over
from .local import Local
from .pieces import Pieces
from .settings import AutoLayout, DataLayout


def build(settings: DataLayout | AutoLayout, local: Local, pieces: Pieces) -> Local | ByExample:
    """Return the layout over all processes; over one it is the local one."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return local
    group = dist.group.WORLD
    return ByExample(local, group, dist.get_rank(), dist.get_world_size(), DataLayout.provides, after=sum_over(group))
