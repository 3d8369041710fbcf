"""From a program on fake tensors to its event log, and to the recipes of its operations, by which they can be run for real."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map_only
from torch.utils.flop_counter import flop_registry

from ...methods.planning.log import Log, Operation
from ...methods.planning.timing import ORDINARY, VIEW
from . import adapter

# Operators whose workspace is a result that the shapes call empty, and that the way back wants to be given.
OPAQUE = ("mkldnn_rnn_layer",)
# Operators that send something to other processes.
SENT = ("c10d.", "_c10d_functional.")
KINDS = {
    "convolution": ("convolution", "conv"),
    "matmul": ("mm", "addmm", "bmm", "baddbmm", "linear", "mkldnn_linear"),
    "attention": ("_scaled_dot_product",),
    "recurrent": ("mkldnn_rnn", "lstm", "gru", "rnn"),
    "optimiser": ("_fused_",),
    "embedding": ("embedding", "_embedding_bag", "index", "gather", "scatter"),
    "norm": ("native_batch_norm", "native_layer_norm", "native_group_norm", "_fused_rms_norm", "batch_norm"),
    "pool": ("max_pool", "avg_pool", "adaptive"),
}


@dataclass(frozen=True)
class Spec:
    """A tensor by its type, shape and strides; `origin`: the call and the output that it came from, where that matters."""

    dtype: torch.dtype
    size: tuple[int, ...]
    stride: tuple[int, ...]
    origin: tuple[Call, int] | None = None


@dataclass(frozen=True)
class Call:
    """How an operation is run for real: the operator, and what it is given, tensors as specs."""

    operator: Any = field(compare=False)
    arguments: tuple[Any, ...] = field(compare=False)
    named: dict[str, Any] = field(compare=False)
    # What tells it from every other call, also of another trace.
    key: Any = None
    # Recurrent layers keep their workspace only where a gradient is wanted.
    inference: bool = field(default=False, compare=False)


class Tracer:
    """State: the log so far, the call behind each of its operations, and the storages that live."""

    def __init__(self) -> None:
        self.log = Log()
        self.calls: list[Call] = []
        self.following = False
        self._numbers: dict[Any, int] = {}
        # Key of a living storage -> its number in the log, and what tells its end.
        self._alive: dict[int, tuple[int, Any]] = {}
        self._storages = 0
        self._origins: dict[int, tuple[Call, int]] = {}

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Run what stands inside on fake tensors and write it down."""
        with adapter.faked(self._heard, self._resized):
            yield

    def phase(self, name: str) -> None:
        """Say that a part of the program begins."""
        self.following = name == ORDINARY
        self.log.events.append(("phase", name))

    def stream(self, number: int) -> None:
        """Say on which stream of a device what follows is asked for."""
        self.log.events.append(("stream", number))

    def hold(self, holder: str, tensors: Any) -> None:
        """Say what tensors are for."""
        for tensor in tree_flatten(tensors)[0]:
            if isinstance(tensor, torch.Tensor) and not adapter.is_wrapped(tensor):
                key = adapter.key_of(adapter.storage_of(adapter.local_part(tensor)))
                if key in self._alive:
                    self.log.events.append(("hold", self._alive[key][0], holder))

    def _heard(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        number = self._number_of(operator, args, kwargs, result)
        opaque = any(name in str(operator) for name in OPAQUE)
        new = []
        given: set[int] | None = None
        for output, tensor in enumerate(tree_flatten(result)[0]):
            if not isinstance(tensor, torch.Tensor):
                continue
            storage = adapter.storage_of(tensor)
            key = adapter.key_of(storage)
            if key not in self._alive:
                # What came from outside, such as the arrays of a batch, was never asked for here.
                given = _keys_of((args, kwargs)) if given is None else given
                if key in given:
                    continue
                new.append((self._register(key, storage), output, storage.nbytes()))
                if opaque and not storage.nbytes():
                    self._origins[key] = (self.calls[number], output)
        # Of the step that is run again, also which memory each of its operations was given.
        met = (self._met((args, kwargs)),) if self.following else ()
        self.log.events.append(("call", number, tuple(new), *met))

    def _met(self, given: Any) -> tuple[tuple[int | None, int], ...]:
        """Return for each tensor the number of its storage, if it was asked for here, and where in it the tensor begins."""
        tensors = (leaf for leaf in tree_flatten(given)[0] if isinstance(leaf, torch.Tensor))
        places = ((adapter.key_of(adapter.storage_of(tensor)), int(tensor.storage_offset())) for tensor in tensors)
        return tuple((self._alive[key][0] if key in self._alive else None, offset) for key, offset in places)

    def _resized(self, storage: torch.UntypedStorage, size: int) -> None:
        key = adapter.key_of(storage)
        if key in self._alive:
            self.log.events.append(("resize", self._alive[key][0], size))

    def _register(self, key: int, storage: torch.UntypedStorage) -> int:
        number = self._storages
        self._storages += 1

        def ended(_: Any) -> None:
            self._alive.pop(key, None)
            self._origins.pop(key, None)
            self.log.events.append(("free", number))

        self._alive[key] = (number, adapter.tell_end(storage, ended))
        return number

    def _number_of(self, operator: Any, args: Any, kwargs: Any, result: Any) -> int:
        specs = tree_map_only(torch.Tensor, self._spec, (args, kwargs))
        leaves, shape = tree_flatten(specs)
        inference = torch.is_inference_mode_enabled()
        key = (operator, inference, tuple(_hashable(leaf) for leaf in leaves), shape)
        try:
            return self._numbers[key]
        except KeyError:
            pass
        self._numbers[key] = number = len(self.calls)
        self.calls.append(Call(operator, specs[0], specs[1], key, inference))
        self.log.operations.append(_describe(operator, args, kwargs, result))
        return number

    def _spec(self, tensor: torch.Tensor) -> Spec:
        origin = self._origins.get(adapter.key_of(adapter.storage_of(tensor))) if self._origins else None
        return Spec(tensor.dtype, tuple(tensor.shape), tensor.stride(), origin)


def _keys_of(tensors: Any) -> set[int]:
    return {
        adapter.key_of(adapter.storage_of(tensor))
        for tensor in tree_flatten(tensors)[0]
        if isinstance(tensor, torch.Tensor)
    }


def _hashable(leaf: Any) -> Any:
    # 1, 1.0 and True are equal and not the same; a generator has an identity alone, and a group of processes is one.
    if isinstance(leaf, torch.ScriptObject):
        return adapter.ranks_of(leaf)
    return leaf if isinstance(leaf, Spec) else (type(leaf).__name__, str(leaf) if isinstance(leaf, float) else leaf)


def _describe(operator: Any, args: Any, kwargs: Any, result: Any) -> Operation:
    name = str(operator).removeprefix("aten.")
    packet = operator._overloadpacket
    flops = flop_registry[packet](*args, **kwargs, out_val=result) if packet in flop_registry else _flops(name, args)
    group = adapter.group_of(args, kwargs) if name.startswith(SENT) else ()
    moves_nothing = operator.is_view or name.startswith("profiler.")
    kind = "sent" if group else VIEW if moves_nothing else kind_of(name)
    return Operation(name, kind, _bytes((args, kwargs)), _bytes(result), int(flops), group, _width((args, kwargs)))


def _flops(name: str, args: Any) -> int:
    """Count what torch's own counter does not know: attention on a CPU, whose products are those of any other.

    Causal attention is counted whole, as torch does.
    """
    if not name.startswith("_scaled_dot_product_flash_attention_for_cpu"):
        return 0
    back = "backward" in name
    query, key = args[1:3] if back else args[:2]
    rows, heads, tokens, width = query.shape
    product = 2 * rows * heads * tokens * key.shape[2] * width
    return product * (5 if back else 2)


def _width(tensors: Any) -> int:
    widths = (
        tensor.element_size()
        for tensor in tree_flatten(tensors)[0]
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point()
    )
    return next(widths, 4)


def kind_of(name: str) -> str:
    """Return the class of an operator by its name."""
    base = name.split(".")[0].lower()
    return next((kind for kind, names in KINDS.items() if any(base.startswith(word) for word in names)), "elementwise")


def _bytes(tensors: Any) -> int:
    return sum(
        math.prod(tensor.shape) * tensor.element_size()
        for tensor in tree_flatten(tensors)[0]
        if isinstance(tensor, torch.Tensor)
    )
