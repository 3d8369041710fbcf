"""Some processes share every example: each has some of the columns or rows of the large matrices. The rest share the examples.

What is not cut, each process has whole, and computes alike. Processes are numbered so that neighbours share matrices.

Source: Shoeybi et al. 2019 (Megatron-LM), section 3; torch.distributed.tensor (DTensor).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

from ..core.errors import LayoutError
from .by_example import ByExample
from .gradients import sum_gradients
from .local import Local
from .pieces import Pieces
from .settings import TensorLayout

# By which dim each parameter of a layer is cut, where the layer is cut by columns or by rows; what is not named is whole.
# `base`, `up` and `down` are those of a layer with a low-rank addition (methods.low_rank).
CUT = {
    "columns": {"weight": 0, "bias": 0, "base.weight": 0, "base.bias": 0, "up": 0},
    "rows": {"weight": 1, "base.weight": 1, "down": 1},
}


def build(settings: TensorLayout, local: Local, pieces: Pieces) -> Local | ByExample:
    """Return the layout over all processes; over one it is the local one.

    Raises:
        LayoutError: the processes are no whole number of times those that share an example.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return local
    processes = dist.get_world_size()
    wrong = settings.misfit(processes)
    if wrong:
        raise LayoutError(wrong, where="train.layout.size", expected=f"a divisor of {processes}")
    size = settings.size or processes
    mesh = init_device_mesh(local.device, (processes // size, size), mesh_dim_names=("data", "tensor"))
    data, tensor = mesh.get_group("data"), mesh.get_group("tensor")

    def after(turn: Any) -> None:
        summed = [turn.model.get_parameter(name) for name in _summed_names(turn.model, pieces)]
        sum_gradients([parameter for parameter in summed if parameter.requires_grad], tensor)
        for parameter in turn.parameters():
            if isinstance(parameter.grad, DTensor) and parameter.grad.placements != parameter.placements:
                parameter.grad = parameter.grad.redistribute(placements=parameter.placements)
        if processes > size:
            sum_gradients(turn.parameters(), data)

    return ByExample(
        local,
        data,
        dist.get_rank(data),
        processes // size,
        TensorLayout.provides,
        lay_out=partial(_cut, pieces=pieces, mesh=mesh["tensor"]),
        after=after,
    )


def _summed_names(model: nn.Module, pieces: Pieces) -> list[str]:
    """Return the full names of the parameters that each process uses for its part of the work."""
    blocks = {id(block) for block in pieces.blocks}
    return [
        f"{name}.{own}"
        for name, module in model.named_modules()
        if id(module) in blocks
        for own, _ in module.named_parameters()
        if own in pieces.summed
    ]


def _cut(model: nn.Module, pieces: Pieces, mesh: DeviceMesh) -> nn.Module:
    for block in pieces.blocks:
        for name, how in pieces.cuts.items():
            layer = block.get_submodule(name)
            _cut_parameters(layer, CUT[how], mesh, name)
            before, behind = (Replicate(), Shard(-1)) if how == "columns" else (Shard(-1), Replicate())
            layer.register_forward_pre_hook(partial(_enter, mesh, before))
            layer.register_forward_hook(partial(_leave, behind))
    return model


def _cut_parameters(layer: nn.Module, dims: dict[str, int], mesh: DeviceMesh, where: str) -> None:
    for name, parameter in list(layer.named_parameters()):
        dim = dims.get(name)
        if dim is not None and parameter.shape[dim] % mesh.size():
            raise LayoutError(
                f"{where}.{name} has {parameter.shape[dim]} along dim {dim}, for {mesh.size()} processes",
                where="train.layout",
                expected="a multiple of the processes that share it",
                next_step="change the width or heads of the model, or train.layout.size",
            )
        placement = Replicate() if dim is None else Shard(dim)
        owner, _, own = name.rpartition(".")
        # Every process has the whole parameter, so nothing need be sent.
        cut = distribute_tensor(parameter.detach(), mesh, [placement], src_data_rank=None)
        setattr(layer.get_submodule(owner), own, nn.Parameter(cut, requires_grad=parameter.requires_grad))


def _enter(mesh: DeviceMesh, placement: Any, layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    return (DTensor.from_local(inputs[0], mesh, [placement], run_check=False), *inputs[1:])


def _leave(placement: Any, layer: nn.Module, inputs: Any, output: Any) -> torch.Tensor:
    local: torch.Tensor = output.redistribute(placements=[placement]).to_local()
    return local
