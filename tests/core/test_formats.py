"""Lists E2 and E5: damaged and hostile safetensors, arrays and ONNX files are refused, and in little memory."""

from __future__ import annotations

import json
import resource
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelwright.core.errors import DamagedArtifact
from modelwright.core.formats import MOST_HEADER_BYTES, MOST_TENSORS, recognise
from modelwright.core.scan import require_clean, scan


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(start: int, stop: int, dtype: str = "U8", shape: list[Any] | None = None) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [stop - start] if shape is None else shape, "data_offsets": [start, stop]}


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "shorter than its length": lambda: b"\x08\0\0",
    "a length of 2^63": lambda: safetensors({}, length=2**63),
    "a header of 100 MB": lambda: safetensors(b" " * 100_000_000),
    "100,000 tensors": lambda: safetensors({str(at): entry(at, at + 1) for at in range(100_000)}, bytes(100_000)),
    "an overlap": lambda: safetensors({"a": entry(0, 4), "b": entry(2, 6)}, bytes(6)),
    "a hole": lambda: safetensors({"a": entry(0, 2), "b": entry(4, 6)}, bytes(6)),
    "a dtype that lies": lambda: safetensors({"a": entry(0, 4, "F32", [4])}, bytes(4)),
    "a dtype that is none": lambda: safetensors({"a": entry(0, 4, "PICKLE")}, bytes(4)),
    "a key twice": lambda: safetensors(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},' * 1
        + b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"\0"),
    "a negative shape": lambda: safetensors({"a": entry(0, 4, shape=[-4])}, bytes(4)),
    "a shape that overflows": lambda: safetensors({"a": entry(0, 4, shape=[2**62, 4])}, bytes(4)),
    "more data than tensors": lambda: safetensors({"a": entry(0, 4)}, bytes(9)),
    "less data than tensors": lambda: safetensors({"a": entry(0, 4)}, bytes(3)),
    "offsets that are words": lambda: safetensors({"a": {"dtype": "U8", "shape": [1], "data_offsets": ["0", "1"]}}, b"\0"),
    "another field": lambda: safetensors({"a": {**entry(0, 1), "code": "x"}}, b"\0"),
    "metadata that are no words": lambda: safetensors({"__metadata__": {"a": 1}}),
    "brackets without end": lambda: safetensors(b"[" * 100_000),
    "no JSON": lambda: safetensors(b"\x80\x04."),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_safetensors_are_refused_in_little_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(HOSTILE[name]())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DamagedArtifact, match="this is not safetensors") as caught:
        recognise(path)
    assert str(path) in str(caught.value)
    # Linux counts in KiB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200 * 1024


def test_what_the_library_writes_is_recognised(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    tensors = {
        str(dtype): torch.zeros(3, 2).to(dtype) for dtype in (torch.float32, torch.bfloat16, torch.int8, torch.bool)
    }
    save_file(
        {**tensors, "empty": torch.zeros(0, 4), "scalar": torch.tensor(1.0)},
        tmp_path / "a.safetensors",
        {"format": "pt"},
    )
    assert recognise(tmp_path / "a.safetensors") == "safetensors"
    assert MOST_HEADER_BYTES > 1e6
    assert MOST_TENSORS > 10_000


def array(folder: Path, value: Any, **options: Any) -> Path:
    np.save(folder / "a.npy", value, **options)
    return folder / "a.npy"


def test_arrays(tmp_path: Path) -> None:
    for good in (np.zeros((3, 4)), np.array(["a", "bc"]), np.zeros(0), np.array(1.0), np.zeros(3, [("a", "i4")])):
        assert recognise(array(tmp_path, good)) == "an array of numbers or text"
    for bad in (np.array([{}], dtype=object), np.zeros(2, [("a", "O")])):
        with pytest.raises(DamagedArtifact, match="objects"):
            recognise(array(tmp_path, bad, allow_pickle=True))
    path = array(tmp_path, np.zeros(4))
    path.write_bytes(path.read_bytes() + b"\x80\x04.")
    with pytest.raises(DamagedArtifact, match="its header says"):
        recognise(path)
    path.write_bytes(b"\x93NUMPY\x01\0\xff\xff" + b"(" * 65_535)
    with pytest.raises(DamagedArtifact):
        recognise(path)


@pytest.mark.parametrize(
    ("name", "content", "passes"),
    [
        ("a.json", b'{"a": 1}', True),
        ("a.json", b'{"a": 1, "a": 2}', False),
        ("a.json", b"[" * 200_000, False),
        ("a.json", b"{}\x80\x04.", False),
        ("a.jsonl", b'{"a": 1}\n{"a": 2}\n', True),
        ("a.jsonl", b'{"a": 1}\nopen\n', False),
        ("a.md", "# Größe 模型\n".encode(), True),
        ("a.txt", b"digits:0\ndigits:1\n", True),
        ("a.txt", b"cat\ndog\n2 oxen\n", True),
        ("a.md", b"\xff\xfe", False),
        ("a.md", b"a\0b", False),
        ("a.md", b"cos\nsystem\n(S'true'\ntR.", False),
    ],
)
def test_texts(name: str, content: bytes, passes: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert (scan(tmp_path).refused == {}) is passes


def test_a_scan_names_what_is_wrong_and_counts_what_is_not(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.json").write_text("{}")
    assert require_clean(tmp_path).formats == {"inner/a.json": "JSON"}
    (tmp_path / "inner" / "b.pkl").write_bytes(b"\x80\x04.")
    (tmp_path / "link.json").symlink_to(tmp_path / "inner" / "a.json")
    found = scan(tmp_path)
    assert found.files == 3
    assert set(found.refused) == {"inner/b.pkl", "link.json"}
    with pytest.raises(DamagedArtifact, match=r"b\.pkl"):
        require_clean(tmp_path)
