"""Optimiser state in 8 bits as plain tensors and numbers, for files that hold nothing else; and its steps without a compiler."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .parameter_groups import is_plain, is_sharded

PARTS = ("codes", "scale", "qmap")
# Between the name of a tensor and that of its part; no name of a state has it.
MARK = ":"


def unpack_state(values: dict[str, Any]) -> dict[str, Any]:
    """Take the tensors in 8 bits of one parameter's state apart; `x` becomes `x:codes`, `x:scale`, `x:qmap`, `x:signed`.

    Source: Dettmers et al. 2022, section 2; torchao.optim.subclass_8bit.OptimState8bit, whose parts these are.
    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if not isinstance(value, Tensor) or is_plain(value) or is_sharded(value):
            flat[name] = value
        else:
            quantised: Any = value
            flat |= {f"{name}{MARK}{part}": getattr(quantised, part) for part in PARTS}
            flat[f"{name}{MARK}signed"] = quantised.signed
    return flat


def pack_state(values: dict[str, Any]) -> dict[str, Any]:
    """Put together again what `unpack_state` took apart; the optimiser that needs it has been built, so torchao is there.

    Source: as `unpack_state`.
    """
    packed = {name: value for name, value in values.items() if MARK not in name}
    names = {name.partition(MARK)[0] for name in values if MARK in name}
    if names:
        from torchao.optim.subclass_8bit import OptimState8bit

        for name in sorted(names):
            codes, scale, qmap = (values[f"{name}{MARK}{part}"] for part in PARTS)
            packed[name] = OptimState8bit(codes, scale, qmap, values[f"{name}{MARK}signed"], dtype=torch.float32)
    return packed


def step_without_compiler(optimiser: torch.optim.Optimizer) -> None:
    """Let an optimiser of torchao step without torch.compile, in place.

    Source: torch.compiler.set_stance.
    """
    step = optimiser.step

    def eager_step(closure: Any = None) -> Any:
        with torch.compiler.set_stance("force_eager"):
            return step(closure)

    # The name that torch's own schedulers wrap in the same way.
    optimiser.step = eager_step  # type: ignore[method-assign]
