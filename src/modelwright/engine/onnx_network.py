"""ONNX files: opened with a guard against what lies outside them, and called like a network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.errors import DamagedArtifact, MissingExtra
from ..core.formats import recognise

FILE = "model.onnx"
ANSWER = "logits"


class OnnxNetwork:
    """State: an open session. Called with a batch's inputs by name, as a network is."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.names = [item.name for item in session.get_inputs()]

    def __call__(self, **inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Shapes: inputs by name (batch, ...) -> (batch, classes) float
        """
        given = {name: np.ascontiguousarray(inputs[name].numpy()) for name in self.names}
        return torch.from_numpy(self.session.run([ANSWER], given)[0])


def load_onnx(path: Path, *, plain: bool = False) -> tuple[OnnxNetwork, int]:
    """Open an ONNX file; return it with the number of its weights. `plain` computes node by node as written, nothing fused.

    Raises:
        MissingExtra: onnx or onnxruntime is not installed.
        DamagedArtifact: it cannot be read, or refers to data in another file.
    """
    model, count = _read(path)
    return _start(model, path, plain), count


def load_shuffled(path: Path, generator: np.random.Generator) -> OnnxNetwork:
    """Open an ONNX file with the entries of every matrix in random order: the same network, which has learnt nothing.

    Raises:
        MissingExtra: onnx or onnxruntime is not installed.
        DamagedArtifact: it cannot be read, or refers to data in another file.
    """
    model, _ = _read(path)
    from onnx import numpy_helper

    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim > 1:
            shuffled = generator.permutation(values.ravel()).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(shuffled, tensor.name))
    return _start(model, path, False)


def _read(path: Path) -> tuple[Any, int]:
    """Read an ONNX file and count its weights."""
    onnx, _ = import_onnx()
    recognise(path)
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except (OSError, DecodeError) as error:
        raise _damaged(path, f"the file cannot be read: {first_line(error)}") from None
    count = 0
    for tensor in _tensors(model.graph, model.functions):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            where = next((item.value for item in tensor.external_data if item.key == "location"), "another file")
            raise _damaged(path, f"the tensor '{tensor.name}' lies in {where!r}")
        entries = math.prod(tensor.dims)
        # The smallest entries take half a byte.
        if min(tensor.dims, default=0) < 0 or entries > 2 * path.stat().st_size:
            raise _damaged(
                path, f"the tensor '{tensor.name}' is said to have {entries} entries, more than the file could hold"
            )
        count += entries
    return model, count


def _start(model: Any, path: Path, plain: bool) -> OnnxNetwork:
    """Open a session for a model that was read."""
    _, runtime = import_onnx()
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    # Threads that wait by spinning cost others their core.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    if plain:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except runtime_errors() as error:
        raise _damaged(path, f"the file cannot be run: {first_line(error)}") from None
    return OnnxNetwork(session)


def import_onnx() -> tuple[Any, Any]:
    """Import onnx and onnxruntime.

    Raises:
        MissingExtra: one of them is not installed.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise MissingExtra(
            f"ONNX files need the package {error.name}",
            expected="onnx and onnxruntime",
            next_step="pip install 'modelwright[compress]'",
        ) from None
    return onnx, onnxruntime


def _tensors(graph: Any, functions: Any = ()) -> Iterator[Any]:
    """Yield every tensor of a graph, of the graphs inside it, and of the functions that it may call."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in [*graph.node, *(node for function in functions for node in function.node)]:
        for attribute in node.attribute:
            yield from [attribute.t] if attribute.HasField("t") else []
            yield from attribute.tensors
            for sparse in [
                *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
                *attribute.sparse_tensors,
            ]:
                yield from (sparse.values, sparse.indices)
            for inner in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                yield from _tensors(inner)


def runtime_errors() -> tuple[type[Exception], ...]:
    """Return the errors that a session raises; they share no root of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = (
        "Fail",
        "InvalidArgument",
        "RuntimeException",
        "NotImplemented",
        "InvalidGraph",
        "InvalidProtobuf",
        "EPFail",
    )
    return tuple(getattr(state, name) for name in names)


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, which is all that a user can use."""
    return (str(error) or type(error).__name__).splitlines()[0]


def _damaged(path: Path, found: str) -> DamagedArtifact:
    return DamagedArtifact(found, where=path, expected="one ONNX file that holds all its weights itself")
