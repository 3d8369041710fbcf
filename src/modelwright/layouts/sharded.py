"""Every process takes its share of each batch and holds its share of every parameter, gradient and optimiser state: FSDP2.

Source: Rajbhandari et al. 2019 (ZeRO), section 5, stage 3; Zhao et al. 2023 (FSDP); torch.distributed.fsdp.fully_shard.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from .by_example import ByExample
from .local import Local
from .pieces import Pieces
from .settings import ShardedLayout


def build(settings: ShardedLayout, local: Local, pieces: Pieces) -> Local | ByExample:
    """Return the layout over all processes; over one it is the local one."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return local
    processes = dist.get_world_size()
    mesh = init_device_mesh(local.device, (processes,), mesh_dim_names=("data",))
    short = local.precision == "bfloat16_parameters"
    policy = (
        MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
        if short
        else MixedPrecisionPolicy()
    )

    def lay_out(model: torch.nn.Module) -> torch.nn.Module:
        for block in pieces.blocks:
            fully_shard(block, mesh=mesh, mp_policy=policy, reshard_after_forward=settings.gather_again)
        fully_shard(model, mesh=mesh, mp_policy=policy)
        return model

    return ByExample(
        local,
        mesh.get_group("data"),
        dist.get_rank(),
        processes,
        ShardedLayout.provides,
        lay_out=lay_out,
        in_step=True,
        # It averages the gradients of the processes.
        scale=float(processes),
    )
