"""What may be done to a loss or to gradients between backward and step: penalties, norms and clipping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from .parameter_groups import held, is_sharded


def l1_penalty(parameters: Iterable[Tensor]) -> Tensor:
    """Return the sum of the absolute weights, to be added to a loss with a factor.

    Shapes: parameters any float -> () float
    Source: Tibshirani 1996, equation 1 in its Lagrangian form.
    """
    tensors = list(parameters)
    return torch.stack([tensor.abs().sum() for tensor in tensors]).sum() if tensors else torch.zeros(())


@torch.no_grad()
def add_l1_gradient(parameters: Iterable[Tensor], strength: float) -> None:
    """Add the gradient of `strength` times the L1 penalty to the gradients that are there, in place.

    Source: Tibshirani 1996, equation 1; at zero the subgradient 0 is taken.
    """
    present = [parameter for parameter in parameters if parameter.grad is not None]
    if present:
        signs = torch._foreach_sign([held(parameter.detach()) for parameter in present])
        torch._foreach_add_([held(gradient) for gradient in _gradients(present)], signs, alpha=strength)


def gradient_norm(parameters: Iterable[Tensor], order: float = 2.0) -> Tensor:
    """Return the norm of all gradients taken as one vector; 0 when there is none.

    Shapes: parameters any float -> () float
    Source: Pascanu et al. 2013, section 3.2; torch.nn.utils.get_total_norm.
    """
    return torch.nn.utils.get_total_norm(_gradients(parameters), order)


def clip_by_norm(parameters: Iterable[Tensor], limit: float) -> Tensor:
    """Shrink all gradients by one factor so that their joint norm is at most `limit`, in place; return the norm before.

    A norm that is not finite makes every gradient not finite: look at what is returned before a step is taken.

    Shapes: parameters any float -> () float
    Source: Pascanu et al. 2013, algorithm 1; torch.nn.utils.clip_grad_norm_.
    """
    listed = list(parameters)
    gradients = _gradients(listed)
    if not any(is_sharded(gradient) for gradient in gradients):
        return torch.nn.utils.clip_grad_norm_(listed, limit)
    total = tensor_norms(gradients).norm()
    shrink_by(listed, limit, total)
    return total


@torch.no_grad()
def shrink_by(parameters: Iterable[Tensor], limit: float, total: Tensor) -> None:
    """Shrink all gradients, whose joint norm is known, so that it is at most `limit`, in place.

    Source: torch.nn.utils.clip_grads_with_norm_.
    """
    factor = torch.clamp(limit / (total + 1e-6), max=1.0)
    torch._foreach_mul_([held(gradient) for gradient in _gradients(parameters)], factor)


def clip_by_value(parameters: Iterable[Tensor], limit: float) -> None:
    """Cut every entry of every gradient to [-limit, limit], in place.

    Source: Mikolov 2012, thesis, chapter 3; torch.nn.utils.clip_grad_value_.
    """
    gradients = [held(gradient) for gradient in _gradients(parameters)]
    if gradients:
        torch._foreach_clamp_min_(gradients, -limit)
        torch._foreach_clamp_max_(gradients, limit)


@torch.no_grad()
def tensor_norms(tensors: Sequence[Tensor]) -> Tensor:
    """Return the norm of each tensor; of all of it, where other processes hold other parts of it.

    Shapes: n tensors any float -> (n,) float
    Source: torch.distributed.tensor.Shard, whose parts make up the tensor.
    """
    norms = torch.stack(torch._foreach_norm([held(tensor) for tensor in tensors]))
    groups = _groups_of_parts(tensors)
    if not groups:
        return norms
    squares = norms.square()
    for group, places in groups:
        summed = squares[places]
        torch.distributed.all_reduce(summed, group=group)
        squares[places] = summed
    return squares.sqrt()


def _groups_of_parts(tensors: Sequence[Tensor]) -> list[tuple[Any, list[int]]]:
    """Return the groups of processes that hold parts, each with the places of the tensors that are in such parts."""
    found: dict[tuple[int, int], tuple[Any, list[int]]] = {}
    for place, tensor in enumerate(tensors):
        if not is_sharded(tensor):
            continue
        mesh: Any = tensor.device_mesh  # type: ignore[attr-defined]
        for axis, placement in enumerate(tensor.placements):  # type: ignore[attr-defined]
            if placement.is_shard():
                found.setdefault((id(mesh), axis), (mesh.get_group(axis), []))[1].append(place)
    return list(found.values())


def _gradients(parameters: Iterable[Tensor]) -> list[Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]
