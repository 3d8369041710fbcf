"""Every call into torch that is not public, in one place: fake tensors, a dispatch mode, and what they need to be told.

`tests/engine/tracing/test_canaries.py` tries each of them on the torch that is installed. Where one fails, nothing here can be
trusted, and planning says so.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensor, FakeTensorMode
from torch.distributed.tensor import DTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._python_dispatch import _disable_current_modes as _without_modes
from torch.utils._pytree import tree_flatten, tree_map_only

aten = torch.ops.aten
# Whether what runs is to be told to nobody: it is no part of the program. One entry for each who asked.
MUTED: list[None] = []
# A number that a fake tensor is asked for: finite, and true.
ANY_NUMBER = 1.0
# Integers of so few elements are worked out for real beside the fake ones: lengths and masks decide what is allocated.
KNOWN_ELEMENTS = 1 << 16
COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd
# Compositions that go another way when they are given fake tensors: run alone, for real, they tell what they need.
WHOLE = (aten.linear.default, aten.gru.input, aten.lstm.input, aten.rnn_tanh.input, aten.rnn_relu.input)
PACKED = (aten.lstm.data, aten.gru.data, aten.rnn_tanh.data, aten.rnn_relu.data)
# What an operator is called with, and the fake tensors that it returned.
Heard = Callable[[Any, tuple[Any, ...], dict[str, Any], Any], None]
# A storage, and the bytes that it has from now on.
Resized = Callable[[torch.UntypedStorage, int], None]


class Listener(TorchDispatchMode):
    """State: none but where to tell. Runs every operator on fake tensors and tells what it was given and returned."""

    def __init__(self, fakes: FakeTensorMode, heard: Heard) -> None:
        # The mode has to be set up by torch itself before it can be entered.
        TorchDispatchMode.__init__(self)
        self.fakes, self.heard = fakes, heard

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Nothing is compiled here; to see to it that nothing is would cost as much as listening does.
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if any(issubclass(kind, DTensor) for kind in types):
            # What is cut among processes is first made an operation on what this one has, which then comes here.
            return NotImplemented
        if func is torch.ops.prim.device.default or MUTED:
            return func(*args, **kwargs)
        args, kwargs = tree_map_only(torch.Tensor, self._fake, (args, kwargs))
        if func is aten._local_scalar_dense.default:
            known = _known(args[0])
            with _without_modes():
                return _scalar(args[0]) if known is None else known.item()
        if torch.is_inference_mode_enabled() and func not in WHOLE and _is_composition(func):
            # In inference mode whole compositions arrive; what they are made of asks for memory, and is told by itself.
            if func in PACKED:
                # They look into the sizes of the batches, which must be real.
                args = (args[0], _known(args[1]), *args[2:])
            with self:
                return func._op_dk(COMPOSITE, *args, **kwargs)
        if func is aten.add.Tensor and _is_last_of_its_sum(*args):
            func = aten.add_.Tensor
        known = _work_out(func, args, kwargs)
        try:
            result = func(*args, **kwargs)
        except DynamicOutputShapeException:
            result = self._of_known_shape(func, args, kwargs, known)
        self.heard(func, args, kwargs, result)
        _remember(result, known)
        return result

    def _fake(self, tensor: torch.Tensor) -> torch.Tensor:
        if isinstance(tensor, FakeTensor):
            return tensor
        with _without_modes():
            real = tensor.detach()
            keep = real.numel() <= KNOWN_ELEMENTS and not real.is_floating_point()
            copied = real.clone() if keep else None
        fake: torch.Tensor = self.fakes.from_tensor(tensor, static_shapes=True)
        if copied is not None:
            _remember(fake, copied)
        return fake

    def _of_known_shape(self, func: Any, args: Any, kwargs: Any, known: Any) -> Any:
        """Answer for an operator whose output's shape depends on values: as the known values say, else the largest there is."""
        if known is not None:
            return tree_map_only(torch.Tensor, lambda real: torch.empty_like(real, device="cpu"), known)
        if func is aten._pack_padded_sequence.default and _known(args[1]) is not None:
            padded, lengths, batch_first = args
            with _without_modes():
                longest = padded.shape[1 if batch_first else 0]
                sizes = (_known(lengths)[None, :] > torch.arange(longest)[:, None]).sum(dim=1)
                rows = int(sizes.sum())
            # A real tensor: the recurrent layers look into it.
            return padded.new_empty((rows, *padded.shape[2:])), sizes
        if func is aten.nonzero.default:
            return torch.empty((args[0].numel(), args[0].dim()), dtype=torch.int64)
        if func is aten.masked_select.default:
            return args[0].new_empty((args[0].numel(),))
        raise NotImplementedError(f"the shape of what {func} returns depends on values that are not known")


def _is_composition(func: Any) -> bool:
    return func.has_kernel_for_dispatch_key(COMPOSITE) and not func.has_kernel_for_dispatch_key(
        torch._C.DispatchKey.CPU
    )


def _is_last_of_its_sum(gradient: Any, other: Any) -> bool:
    """Say whether the engine that goes back would add in place, were these plain tensors: nobody else holds the gradient.

    The counts are those that a tensor and its storage have here when the engine alone holds them; canaries watch them.
    """
    return (
        torch._C._current_graph_task_id() != -1
        and isinstance(gradient, FakeTensor)
        and isinstance(other, FakeTensor)
        and gradient.shape == other.shape
        and not torch.is_grad_enabled()
        and gradient._use_count() == 4  # type: ignore[attr-defined]
        and torch._C._storage_Use_Count(gradient.untyped_storage()._cdata) == 2
        and _reach(gradient) == gradient.numel()
    )


def _reach(tensor: torch.Tensor) -> int:
    """Return how many elements of memory lie between the first and the last one of a tensor."""
    return 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))


def _scalar(tensor: torch.Tensor) -> Any:
    if tensor.dtype is torch.bool:
        return True
    return ANY_NUMBER if tensor.is_floating_point() else int(ANY_NUMBER)


def _known(tensor: Any) -> Any:
    return getattr(tensor, "_modelwright_known", None)


def _remember(result: Any, known: Any) -> None:
    if known is None:
        return
    for fake, real in zip(tree_flatten(result)[0], tree_flatten(known)[0], strict=True):
        if isinstance(fake, FakeTensor):
            fake._modelwright_known = real  # type: ignore[attr-defined]


def _work_out(func: Any, args: Any, kwargs: Any) -> Any:
    """Return what an operator makes of small integers that are known, None where it is given anything else."""
    if func._schema.is_mutable:
        for tensor in tree_flatten((args, kwargs))[0]:
            if isinstance(tensor, FakeTensor):
                tensor._modelwright_known = None  # type: ignore[attr-defined]
        return None
    tensors = [item for item in tree_flatten((args, kwargs))[0] if isinstance(item, torch.Tensor)]
    if not tensors or any(_known(tensor) is None for tensor in tensors):
        return None
    with _without_modes():
        real_args, real_kwargs = tree_map_only(torch.Tensor, _known, (args, kwargs))
        found = func(*real_args, **real_kwargs)
    small = all(
        isinstance(item, torch.Tensor) and item.numel() <= KNOWN_ELEMENTS and not item.is_floating_point()
        for item in tree_flatten(found)[0]
    )
    return found if small else None


def _pad_packed(
    data: torch.Tensor, sizes: torch.Tensor, batch_first: bool, value: float, total: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Do as torch's kernel of that name, which writes lengths where fake tensors have no memory."""
    with _without_modes():
        counts = [*sizes.tolist(), 0]
        longest = max(total, len(counts) - 1)
        lengths = (sizes[:, None] > torch.arange(counts[0])[None, :]).sum(dim=0)
    output = data.new_full((longest, counts[0], *data.shape[1:]), value)
    offset = begun = 0
    for step in range(1, len(counts)):
        if counts[step] != counts[step - 1]:
            rows = counts[step - 1] * (step - begun)
            part = data[offset : offset + rows].view(step - begun, counts[step - 1], *data.shape[1:])
            output[begun:step, : counts[step - 1]].copy_(part)
            offset, begun = offset + rows, step
    return output.transpose(0, 1) if batch_first else output, lengths


class _Held:
    """State: a tensor, kept alive as long as an array that stands for its values is."""

    def __init__(self, tensor: torch.Tensor, values: np.ndarray) -> None:
        self.tensor, self.values = tensor, values
        self.__array_interface__ = values.__array_interface__


def _to_numpy(tensor: torch.Tensor, *, force: bool = False) -> np.ndarray:
    known = _known(tensor)
    if known is not None:
        with _without_modes():
            return known.numpy()
    kinds = {torch.bfloat16: torch.float32}
    dtype = torch.empty(0, dtype=kinds.get(tensor.dtype, tensor.dtype), device="meta").dtype
    return np.asarray(_Held(tensor, np.ones(tuple(tensor.shape), str(dtype).removeprefix("torch."))))


def _convert_module(
    module: torch.nn.Module, convert: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True
) -> Any:
    """Do as torch.nn.Module._apply does to plain tensors: put the converted ones in the place of the data."""
    for child in module.children() if recurse else ():
        _convert_module(child, convert)
    with torch.no_grad():
        for parameter in module._parameters.values():
            if parameter is not None:
                parameter.data = convert(parameter)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = convert(buffer)
    return module


@contextmanager
def faked(heard: Heard, resized: Resized = lambda storage, size: None) -> Iterator[None]:
    """Let nothing inside allocate: tensors are shapes, every operator is told to `heard`, and what changes in size to `resized`.

    Modules are converted in place as plain ones are, an array made of a tensor holds ones, by which one may divide, and a
    storage's address is a number that tells it from others. It holds for the whole process: use it in one of its own.
    """
    real_apply, real_address, real_numpy = torch.nn.Module._apply, torch.UntypedStorage.data_ptr, FakeTensor.numpy
    torch.nn.Module._apply = _convert_module  # type: ignore[method-assign]
    torch.UntypedStorage.data_ptr = lambda storage: (  # type: ignore[method-assign, assignment]
        storage._cdata if storage.device.type == "meta" else real_address(storage)
    )
    real_resize = torch.UntypedStorage.resize_

    def resize(storage: torch.UntypedStorage, size: int) -> Any:
        if storage.device.type == "meta" and not MUTED:
            resized(storage, int(size))
        return real_resize(storage, size)

    torch.UntypedStorage.resize_ = resize  # type: ignore[method-assign, assignment]
    FakeTensor.numpy = _to_numpy  # type: ignore[method-assign, assignment]
    torch._VF._pad_packed_sequence = _pad_packed  # type: ignore[assignment]
    fakes = FakeTensorMode(allow_non_fake_inputs=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fakes, Listener(fakes, heard):
                yield
    finally:
        torch.nn.Module._apply = real_apply  # type: ignore[method-assign]
        torch.UntypedStorage.data_ptr = real_address  # type: ignore[method-assign]
        torch.UntypedStorage.resize_ = real_resize  # type: ignore[method-assign]
        FakeTensor.numpy = real_numpy  # type: ignore[method-assign]
        del torch._VF._pad_packed_sequence


@contextmanager
def without_listening() -> Iterator[None]:
    """Tell nobody of what runs inside."""
    MUTED.append(None)
    try:
        yield
    finally:
        MUTED.pop()


def for_real() -> AbstractContextManager[Any]:
    """Let tensors that are made inside have values."""
    found: AbstractContextManager[Any] = _without_modes()
    return found


def is_wrapped(tensor: torch.Tensor) -> bool:
    """Say whether a tensor stands for those of many examples, as inside `torch.func.vmap`: it has no storage of its own."""
    return torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def storage_of(tensor: torch.Tensor) -> torch.UntypedStorage:
    """Return the storage of a tensor; as long as its memory lives, so does this object."""
    return tensor.untyped_storage()


def local_part(tensor: torch.Tensor) -> torch.Tensor:
    """Return what this process has of a tensor; all of one that is not cut among processes."""
    return tensor._local_tensor if isinstance(tensor, DTensor) else tensor


def ranks_of(boxed: torch.ScriptObject) -> tuple[int, ...]:
    """Return the ranks of the processes of a group that is handed to an operator; none where it is something else."""
    try:
        group = torch._C._distributed_c10d.ProcessGroup.unbox(boxed)
    except RuntimeError:
        return ()
    return tuple(torch.distributed.get_process_group_ranks(group))


def group_of(args: Any, kwargs: Any) -> tuple[int, ...]:
    """Return the ranks of the processes that an operator sends something to, this one among them."""
    leaves = tree_flatten((args, kwargs))[0]
    boxed = [ranks_of(leaf) for leaf in leaves if isinstance(leaf, torch.ScriptObject)]
    private: Any = torch.distributed.distributed_c10d
    named = [
        tuple(torch.distributed.get_process_group_ranks(private._resolve_process_group(leaf)))
        for leaf in leaves[-1:]
        if isinstance(leaf, str)
    ]
    return next((ranks for ranks in (*boxed, *named) if ranks), ())


def key_of(storage: torch.UntypedStorage) -> int:
    """Return a number that tells a storage from every other one that lives."""
    return storage._cdata


def tell_end(storage: torch.UntypedStorage, ended: Callable[[Any], None]) -> Any:
    """Call when the memory of a storage is given back; whoever asks must keep what is returned."""
    return weakref.ref(storage, ended)
