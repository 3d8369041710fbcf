"""Which parameters share an optimiser's settings, in an order that depends only on the order they come in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol

from modelwright.core.errors import RecipeError

if TYPE_CHECKING:
    from torch import Tensor

    Parameters = Iterable[tuple[str, Tensor] | Tensor]


class Optimiser(Protocol):
    """The words of a torch optimiser that training uses."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...
    def step(self) -> Any: ...
    def zero_grad(self) -> None: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, saved: dict[str, Any], /) -> None: ...


def name_parameters(parameters: Parameters) -> list[tuple[str, Tensor]]:
    """List the parameters that ask for a gradient as (name, parameter), in the given order.

    A parameter without a name is called by its number.

    Raises:
        RecipeError: no parameter asks for a gradient.
    Source: torch.nn.Module.named_parameters, whose pairs these are.
    """
    pairs = [item if isinstance(item, tuple) else (str(index), item) for index, item in enumerate(parameters)]
    wanted = [(name, parameter) for name, parameter in pairs if parameter.requires_grad]
    if not wanted:
        raise RecipeError(
            f"none of {len(pairs)} parameters asks for a gradient",
            where="optimiser",
            expected="at least one parameter to train",
            next_step="freeze fewer layers",
        )
    return wanted


def group_parameters(
    parameters: Parameters, weight_decay: float, decay: Literal["all", "matrices"]
) -> list[dict[str, Any]]:
    """Split parameters into those with weight decay and those without; `matrices` spares what has fewer than two dims.

    Raises:
        RecipeError: no parameter asks for a gradient.
    Source: Radford et al. 2018 (GPT), section 4.1, which decays all weights but biases and gains.
    """
    tensors = [parameter for _, parameter in name_parameters(parameters)]
    if decay == "all":
        return [{"params": tensors, "weight_decay": weight_decay}]
    matrices = [tensor for tensor in tensors if tensor.ndim >= 2]
    others = [tensor for tensor in tensors if tensor.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def can_fuse(groups: list[dict[str, Any]], devices: tuple[str, ...]) -> bool:
    """Say whether torch's fused kernels apply: plain floating-point tensors, all on one of these kinds of device.

    Source: torch.optim.Adam, argument `fused`; sharded tensors are left to the other implementations.
    """
    tensors = [tensor for group in groups for tensor in group["params"]]
    return all(is_plain(tensor) and tensor.device.type in devices and tensor.is_floating_point() for tensor in tensors)


def is_plain(tensor: Tensor) -> bool:
    """Say whether a tensor is not made of others, as sharded and quantised ones are.

    Source: torch.utils._python_dispatch.is_traceable_wrapper_subclass, whose protocol this is.
    """
    return getattr(type(tensor), "__tensor_flatten__", None) is None


def is_sharded(tensor: Tensor) -> bool:
    """Say whether a tensor is one of which several processes hold parts.

    Source: torch.distributed.tensor.DTensor, by the attribute that says how.
    """
    return getattr(tensor, "placements", None) is not None


def held(tensor: Tensor) -> Tensor:
    """Return what this process holds of a tensor: all of a plain one, its own part of a sharded one, in the same memory.

    Source: torch.distributed.tensor.DTensor.to_local.
    """
    part: Tensor = tensor._local_tensor if is_sharded(tensor) else tensor  # type: ignore[attr-defined]
    return part


def set_learning_rates(optimiser: Optimiser, factor: float) -> None:
    """Set each group's learning rate to `factor` times the one it was built with.

    Source: torch.optim.lr_scheduler.LRScheduler, whose key `initial_lr` keeps the rate it was
        built with; it travels in the optimiser's state.
    """
    from torch import Tensor

    for group in optimiser.param_groups:
        present = group["lr"]
        initial = group.setdefault("initial_lr", float(present))
        if isinstance(present, Tensor):
            # Compiled optimisers read the rate from this very tensor.
            present.fill_(initial * factor)
        else:
            group["lr"] = initial * factor
