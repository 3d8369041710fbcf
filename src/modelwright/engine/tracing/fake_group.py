"""A group of processes of which one is there: what it would say to the others is told, and nobody is asked.

Private parts of torch, as in `adapter`: the backend `fake`, and what layouts need of torch when there are no values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor, _redistribute
from torch.distributed.tensor._sharding_prop import ShardingPropagator
from torch.testing._internal.distributed.fake_pg import FakeStore

from .adapter import without_listening


@contextmanager
def fake_group(rank: int, processes: int, stream: Callable[[int], None]) -> Iterator[None]:
    """Be one of so many processes inside; collectives return at once, and what they return has a shape and no values.

    Raises:
        ValueError: this process is already one of a group.
    """
    dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=processes)
    propagate = ShardingPropagator._propagate_tensor_meta_non_cached

    def quietly(self: Any, schema: Any) -> Any:
        # It goes through an operator on tensors of the whole shape, which no process has.
        with without_listening():
            return propagate(self, schema)

    ShardingPropagator._propagate_tensor_meta_non_cached = quietly  # type: ignore[method-assign, assignment]
    try:
        with _streams(stream):
            yield
    finally:
        ShardingPropagator._propagate_tensor_meta_non_cached = propagate  # type: ignore[method-assign]
        dist.destroy_process_group()
        _forget()


def _forget() -> None:
    """Let go of what torch remembers of groups that are gone: the next ones have the same names."""
    torch._C._clear_DTensor_sharding_propagator_cache()
    DTensor._op_dispatcher.sharding_propagator.propagate_op_sharding.cache_clear()
    _redistribute._gen_transform_infos.cache_clear()


@contextmanager
def _streams(told: Callable[[int], None]) -> Iterator[None]:
    """Tell of every change of the stream: on a CPU there is none, but sharded training asks for what it would use on a GPU."""
    numbers: dict[int, int] = {}
    kept: list[Any] = []
    now = [0]
    real = torch.cpu.stream

    @contextmanager
    def switched(stream: Any) -> Iterator[None]:
        if id(stream) not in numbers:
            numbers[id(stream)] = len(numbers) + 1
            kept.append(stream)
        before = now[0]
        now[0] = numbers[id(stream)]
        told(now[0])
        try:
            with real(stream):
                yield
        finally:
            now[0] = before
            told(before)

    torch.cpu.stream = switched
    try:
        yield
    finally:
        torch.cpu.stream = real
