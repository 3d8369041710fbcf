"""What a file is, by its bytes: one of a few formats that hold data and nothing that runs. What is none of them is refused.

There is no list of what is dangerous. A file passes if all of it is what its name promises; a pickle under whatever name,
an archive, a script or a library never is.
"""

from __future__ import annotations

import json
import math
import os
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from .errors import DamagedArtifact

# Of weights in safetensors. Ten thousand tensors need about one MiB; what needs more is made to be slow.
MOST_HEADER_BYTES, MOST_TENSORS = 8 * 2**20, 50_000
# Of a text that is read whole.
MOST_TEXT_BYTES = 256 * 2**20
MOST_NPY_HEADER = 10_000
BITS = {
    **{"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6},
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
}
# How a pickle program names something, and how it calls what it has named; reading its opcodes runs none of them.
NAMES = {"GLOBAL", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"}
CALLS = {"OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE", "BUILD"}
IDENTIFIERS = re.compile(r"[A-Za-z_][\w.]* [A-Za-z_][\w.]*")


def recognise(path: Path) -> str:
    """Return the name of a file's format.

    Raises:
        DamagedArtifact: it is not, from its first byte to its last, what its name promises, or its name promises nothing known.
    """
    if path.is_symlink() or not path.is_file():
        raise DamagedArtifact("this is not a plain file", where=path, expected="plain files only")
    name, check = FORMATS.get(path.suffix.lower(), ("", None))
    if check is None:
        raise DamagedArtifact(
            f"files called '*{path.suffix}' are of no format that is opened",
            where=path,
            expected=f"one of {', '.join(FORMATS)}",
            next_step="convert it, or leave it out",
        )
    try:
        with path.open("rb") as stream:
            check(stream, path.stat().st_size)
    except (ValueError, OSError, RecursionError, MemoryError) as error:
        raise DamagedArtifact(
            f"this is not {name}: {str(error) or type(error).__name__}",
            where=path,
            expected=f"{name}, and nothing else, in a file called '*{path.suffix}'",
            next_step="do not open it with anything; ask whoever made it",
        ) from None
    return name


def check_safetensors(stream: BinaryIO, size: int) -> None:
    """Check that a file is safetensors: a header of plain words, then bytes without holes or overlaps.

    Raises:
        ValueError: says what is wrong.
    Source: safetensors, README, "Format".
    """
    length = int.from_bytes(stream.read(8), "little")
    if size < 8 or length > size - 8:
        raise ValueError(f"its header is said to have {length} bytes, the file has {max(0, size - 8)} after that")
    if length > MOST_HEADER_BYTES:
        raise ValueError(f"its header has {length} bytes; at most {MOST_HEADER_BYTES} are accepted")
    header = _json(stream.read(length))
    if not isinstance(header, dict) or len(header) > MOST_TENSORS:
        raise ValueError(f"its header is no mapping of at most {MOST_TENSORS} tensors")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata are not words")
    end = 0
    for start, stop, name in sorted((*_span(name, entry), name) for name, entry in header.items()):
        if start != end:
            raise ValueError(f"the tensor '{name}' begins at byte {start}, the one before ends at {end}")
        end = stop
    if end != size - 8 - length:
        raise ValueError(f"its tensors end at byte {end} of {size - 8 - length}")


def _span(name: str, entry: Any) -> tuple[int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the tensor '{name}' has other fields than dtype, shape and data_offsets")
    shape, offsets, bits = entry["shape"], entry["data_offsets"], BITS.get(str(entry["dtype"]))
    numbers = [*shape, *offsets] if isinstance(shape, list) and isinstance(offsets, list) else [None]
    whole = all(type(number) is int and 0 <= number < 2**63 for number in numbers)
    if not whole or len(offsets) != 2 or bits is None:
        raise ValueError(f"the tensor '{name}' has a dtype, shape or place that cannot be")
    needed = math.prod(shape) * bits
    if needed % 8 or needed // 8 != offsets[1] - offsets[0]:
        raise ValueError(f"the tensor '{name}' needs {needed / 8:g} bytes and has {offsets[1] - offsets[0]}")
    return offsets[0], offsets[1]


def check_npy(stream: BinaryIO, size: int) -> None:
    """Check that a file is one array of numbers or text, without objects, which would be a pickle.

    Raises:
        ValueError: says what is wrong.
    Source: NumPy Enhancement Proposal 1, "Format Specification".
    """
    from numpy.lib import format as npy

    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"its version is {version}")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream, max_header_size=MOST_NPY_HEADER)
    if dtype.hasobject:
        raise ValueError("it holds objects, which are pickled")
    expected = stream.tell() + math.prod(shape) * dtype.itemsize
    if size != expected:
        raise ValueError(f"it has {size} bytes, its header says {expected}")


def check_onnx(stream: BinaryIO, size: int) -> None:
    """Check that a file is the fields of an ONNX model, one after the other; what is in the graph is looked at when it is opened.

    Raises:
        ValueError: says what is wrong.
    Source: onnx.proto, ModelProto; Protocol Buffers, Encoding.
    """
    seen = set()
    while stream.tell() < size:
        field, wire = divmod(_varint(stream), 8)
        if wire == 0:
            _varint(stream)
        elif wire == 2:
            length = _varint(stream)
            if stream.tell() + length > size:
                raise ValueError("a field is longer than the file")
            stream.seek(length, os.SEEK_CUR)
        else:
            raise ValueError(f"field {field} is of no kind that such a model has")
        if field not in (*range(1, 9), 14, 20, 25, 26):
            raise ValueError(f"such a model has no field {field}")
        seen.add(field)
    if not {1, 7} <= seen:
        raise ValueError("it has no version or no graph")


def _varint(stream: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            raise ValueError("it ends within a field")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number in it does not end")


def check_json(stream: BinaryIO, size: int) -> None:
    """Check that a file is one JSON value.

    Raises:
        ValueError: says what is wrong.
    """
    _json(_whole(stream, size))


def check_json_lines(stream: BinaryIO, size: int) -> None:
    """Check that every line of a file is JSON.

    Raises:
        ValueError: says what is wrong.
    """
    for line in _whole(stream, size).removesuffix(b"\n").split(b"\n"):
        if line:
            _json(line)


def check_text(stream: BinaryIO, size: int) -> None:
    """Check that a file is text, and no program of the pickle machine, which can be written in letters, too.

    Raises:
        ValueError: says what is wrong.
    """
    content = _whole(stream, size)
    if b"\0" in content:
        raise ValueError("it has zero bytes")
    content.decode("utf-8")
    if is_pickle(content):
        raise ValueError("it is a program of Python's pickle machine")


def check_picture(stream: BinaryIO, size: int) -> None:
    """Check that a file begins as a PNG or JPEG picture does and ends as one.

    Raises:
        ValueError: says what is wrong.
    """
    head = stream.read(8)
    stream.seek(max(0, size - 12))
    tail = stream.read()
    whole = (head == b"\x89PNG\r\n\x1a\n" and tail[4:8] == b"IEND") or (
        head[:3] == b"\xff\xd8\xff" and tail[-2:] == b"\xff\xd9"
    )
    if not whole:
        raise ValueError("it neither begins nor ends as such a picture")


def is_pickle(content: bytes) -> bool:
    """Say whether bytes are a program of the pickle machine that calls something by name; nothing of it is run.

    Words may happen to be such a program, too: hence names must be names, and what is called must have been named.
    """
    named = marked = False
    try:
        for operation, argument, _ in pickletools.genops(content):
            is_name = not isinstance(argument, str) or IDENTIFIERS.fullmatch(argument) is not None
            if (operation.name == "INST" and marked and is_name) or (operation.name in CALLS and named):
                return True
            named = named or (operation.name in NAMES and is_name)
            marked = marked or operation.name == "MARK"
    except Exception:  # the parser raises whatever its readers of numbers and words raise
        return False
    return False


def _whole(stream: BinaryIO, size: int) -> bytes:
    if size > MOST_TEXT_BYTES:
        raise ValueError(f"it has {size} bytes; at most {MOST_TEXT_BYTES} are accepted")
    return stream.read()


def _json(content: bytes) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key stands twice")
        return found

    return json.loads(content, object_pairs_hook=once)


Check = Callable[[BinaryIO, int], None]
FORMATS: dict[str, tuple[str, Check]] = {
    ".safetensors": ("safetensors", check_safetensors),
    ".onnx": ("ONNX", check_onnx),
    ".json": ("JSON", check_json),
    ".jsonl": ("JSON lines", check_json_lines),
    ".npy": ("an array of numbers or text", check_npy),
    ".png": ("a picture", check_picture),
    ".jpg": ("a picture", check_picture),
    ".jpeg": ("a picture", check_picture),
    ".md": ("text", check_text),
    ".txt": ("text", check_text),
    ".csv": ("text", check_text),
    ".pub": ("text", check_text),
    ".sig": ("JSON", check_json),
}
