"""Tensors of which several processes hold parts: which part is written by whom, and how whole ones come back.

A part lies in a file under the name of its tensor, `@`, and the place of its first entry: `head.weight@8,0`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch

from ..core.crew import Crew
from ..methods.optimisation.parameter_groups import is_sharded

Tensors = dict[str, torch.Tensor]
MARK = "@"


def held_parts(tensors: Tensors) -> Tensors:
    """Return what this process holds, under names by which equal parts in several processes are known."""
    found: Tensors = {}
    for name, tensor in tensors.items():
        if not is_sharded(tensor):
            found[name] = tensor
            continue
        first = _first_entry(tensor)
        if first is not None:
            found[f"{name}{MARK}{','.join(map(str, first))}"] = tensor.to_local()  # type: ignore[attr-defined]
    return found


def _first_entry(tensor: Any) -> tuple[int, ...] | None:
    """Return where the part of this process begins; nothing where it is empty."""
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    shape, offset = compute_local_shape_and_global_offset(tensor.shape, tensor.device_mesh, tensor.placements)
    return None if 0 in shape else tuple(offset)


def owners_of(names: Sequence[Sequence[str]]) -> dict[str, int]:
    """Return which process answers for each name: the first that has it."""
    found: dict[str, int] = {}
    for rank, own in enumerate(names):
        for name in own:
            found.setdefault(name, rank)
    return found


def joined(tensors: Tensors) -> Tensors:
    """Return whole tensors, those that lie in parts put together."""
    found: Tensors = {}
    parts: dict[str, list[tuple[list[int], torch.Tensor]]] = defaultdict(list)
    for name, tensor in tensors.items():
        whole, mark, first = name.partition(MARK)
        if not mark:
            found[name] = tensor
        else:
            parts[whole].append(([int(at) for at in first.split(",") if at], tensor))
    for name, pieces in parts.items():
        ends = [[at + size for at, size in zip(begin, piece.shape, strict=True)] for begin, piece in pieces]
        together = pieces[0][1].new_empty([max(along) for along in zip(*ends, strict=True)])
        if sum(piece.numel() for _, piece in pieces) != together.numel():
            raise ValueError(f"the parts of {name} do not make up a whole")
        for (begin, piece), end in zip(pieces, ends, strict=True):
            together[tuple(slice(at, stop) for at, stop in zip(begin, end, strict=True))] = piece
        found[name] = together
    return found


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return all of a tensor; the processes that hold parts of it do so together."""
    gathered: torch.Tensor = tensor.full_tensor() if is_sharded(tensor) else tensor  # type: ignore[attr-defined]
    return gathered


@torch.no_grad()
def gather_into(plain: torch.nn.Module, laid_out: torch.nn.Module, crew: Crew) -> torch.nn.Module:
    """Put the weights of a network that is laid out over processes into a plain one, in the first of them; return that."""
    wanted, here = plain.state_dict(), laid_out.state_dict()
    owners = owners_of(crew.collect(list(here)))
    for name, place in wanted.items():
        owner = owners[name]
        gathered = whole(here[name]) if name in here else torch.empty_like(place)
        if owner == crew.rank != 0:
            torch.distributed.send(gathered.contiguous(), 0)
        elif crew.rank == 0:
            if owner:
                gathered = gathered.contiguous()
                torch.distributed.recv(gathered, owner)
            place.copy_(gathered)
    return plain


def like(template: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return a whole value as this process holds the template: in its order of memory, or the same part of it."""
    if not is_sharded(template):
        return torch.empty_like(template, dtype=value.dtype).copy_(value)
    from torch.distributed.tensor import distribute_tensor

    mesh, placements = template.device_mesh, template.placements  # type: ignore[attr-defined]
    # Every process has the whole value, so nothing need be sent.
    return distribute_tensor(value, mesh, placements, src_data_rank=None)
