"""List E5: an ONNX file is one file that holds what it says, and leads to no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelwright.core.errors import DamagedArtifact
from modelwright.engine.onnx_network import load_onnx

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def model(weights: Any, *extra: Any) -> Any:
    """Return logits = x @ w."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    node = helper.make_node("MatMul", ["x", "w"], ["logits"])
    graph = helper.make_graph(
        [node, *extra],
        "g",
        [helper.make_tensor_value_info("x", kind, ["n", 2])],
        [helper.make_tensor_value_info("logits", kind, ["n", 2])],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def tensor() -> Any:
    return onnx.numpy_helper.from_array(np.eye(2, dtype=np.float32), "w")


def outside(location: str) -> Any:
    made = tensor()
    made.ClearField("raw_data")
    made.data_location = onnx.TensorProto.EXTERNAL
    made.external_data.add(key="location", value=location)
    return made


def huge(*dims: int) -> Any:
    made = tensor()
    del made.dims[:]
    made.dims.extend(dims)
    made.raw_data = b""
    return made


def saved(folder: Path, content: Any) -> Path:
    (folder / "model.onnx").write_bytes(content.SerializeToString())
    return folder / "model.onnx"


def test_a_file_that_holds_its_weights_is_opened(tmp_path: Path) -> None:
    import torch

    network, count = load_onnx(saved(tmp_path, model(tensor())))
    assert count == 4
    assert torch.equal(network(x=torch.ones(3, 2)), torch.ones(3, 2))


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../secret.bin", "weights.bin", "..\\secret", "/proc/self/environ"]
)
def test_weights_in_another_file_are_refused(location: str, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(16))
    with pytest.raises(DamagedArtifact, match="lies in"):
        load_onnx(saved(tmp_path, model(outside(location))))


def test_also_inside_a_node(tmp_path: Path) -> None:
    constant = onnx.helper.make_node("Constant", [], ["c"], value=outside("/etc/passwd"))
    with pytest.raises(DamagedArtifact, match="lies in"):
        load_onnx(saved(tmp_path, model(tensor(), constant)))


@pytest.mark.parametrize("dims", [(2**40, 2**10), (2**62, 4), (-1, 2), (2**63 - 1,)])
def test_weights_larger_than_the_file_are_refused_unread(dims: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(DamagedArtifact, match="more than the file could hold"):
        load_onnx(saved(tmp_path, model(huge(*dims))))


def test_a_custom_operator_finds_no_library(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Run", ["x"], ["y"], domain="evil")
    with pytest.raises(DamagedArtifact):
        load_onnx(saved(tmp_path, model(tensor(), node)))
