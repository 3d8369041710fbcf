"""What may be done to a loss or to gradients between backward and step: penalties, norms and clipping."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


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
        torch._foreach_add_(_gradients(present), torch._foreach_sign(present), alpha=strength)


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
    return torch.nn.utils.clip_grad_norm_(parameters, limit)


def clip_by_value(parameters: Iterable[Tensor], limit: float) -> None:
    """Cut every entry of every gradient to [-limit, limit], in place.

    Source: Mikolov 2012, thesis, chapter 3; torch.nn.utils.clip_grad_value_.
    """
    torch.nn.utils.clip_grad_value_(parameters, limit)


def _gradients(parameters: Iterable[Tensor]) -> list[Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]
