"""Sealed files: whatever is done to one is noticed, and only the right key opens it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelwright.core.errors import DamagedArtifact, RecipeError
from modelwright.core.sealing import (
    CHUNK,
    TAG,
    Key,
    is_sealed,
    read_key,
    rewrap,
    seal_bytes,
    seal_file,
    unseal,
    unseal_bytes,
    unseal_file,
)

OTHER = "ab" * 32
CONTENT = os.urandom(3 * CHUNK + 17)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> Key:
    monkeypatch.setenv("TEST_KEY", "01" * 32)
    return read_key("env:TEST_KEY")


def pieces(sealed: bytes) -> tuple[bytes, list[bytes]]:
    """Return the header and the chunks of a sealed content."""
    stop = sealed.index(b"\n") + 1
    start = stop + 4 + int.from_bytes(sealed[stop : stop + 4], "big")
    return sealed[:start], [sealed[at : at + CHUNK + TAG] for at in range(start, len(sealed), CHUNK + TAG)]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_what_goes_in_comes_out(key: Key, size: int) -> None:
    sealed = seal_bytes(CONTENT[:size], key)
    assert unseal_bytes(sealed, "here") == CONTENT[:size]
    assert size < 32 or CONTENT[:32] not in sealed
    assert unseal_bytes(b"plain", "here") == b"plain"


def test_the_same_content_is_sealed_differently_each_time(key: Key) -> None:
    assert pieces(seal_bytes(b"a", key))[1] != pieces(seal_bytes(b"a", key))[1]


def test_no_chunk_can_be_changed_cut_moved_or_brought_from_elsewhere(key: Key) -> None:
    header, chunks = pieces(seal_bytes(CONTENT, key))
    _, others = pieces(seal_bytes(CONTENT, key))
    flipped = [chunks[0], bytes([chunks[1][0] ^ 1]) + chunks[1][1:], *chunks[2:]]
    for name, damaged in {
        "flipped": flipped,
        "last one cut off": chunks[:-1],
        "cut inside": [*chunks[:-1], chunks[-1][:-1]],
        "one left out": [chunks[0], *chunks[2:]],
        "swapped": [chunks[1], chunks[0], *chunks[2:]],
        "doubled": [chunks[0], *chunks],
        "from another file": [others[0], *chunks[1:]],
        "all from another file": others,
        "something behind": [*chunks, b"more"],
        "nothing": [],
    }.items():
        released = io.BytesIO()
        with pytest.raises(DamagedArtifact, match="chunk"):
            unseal(io.BytesIO(header + b"".join(damaged)), released, "here")
        # Nothing of a bad chunk: what was released is the beginning of what was sealed.
        assert CONTENT.startswith(released.getvalue()), name


@pytest.mark.parametrize("place", [3, 25, 60, 150, 200])
def test_a_changed_header_is_refused(key: Key, place: int) -> None:
    sealed = bytearray(seal_bytes(b"content", key))
    sealed[place] ^= 1
    # A changed name of the key is a key that is not there.
    with pytest.raises((DamagedArtifact, RecipeError)):
        unseal(io.BytesIO(bytes(sealed)), io.BytesIO(), "here")


def test_a_wrong_key_and_no_key(key: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sealed = seal_bytes(b"content", key)
    monkeypatch.setenv("TEST_KEY", OTHER)
    with pytest.raises(RecipeError, match="is not at env:TEST_KEY"):
        unseal_bytes(sealed, "here")
    (tmp_path / "moved.key").write_text("01" * 32 + "\n")
    monkeypatch.setenv("MODELWRIGHT_KEY_FILE", str(tmp_path / "moved.key"))
    assert unseal_bytes(sealed, "here") == b"content"


@pytest.mark.parametrize(("text", "found"), [("", "this has 0 bits"), ("xy", "no key"), ("ab" * 16, "128 bits")])
def test_what_is_no_key_is_refused(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "a.key").write_text(text)
    with pytest.raises(RecipeError, match=found):
        read_key(f"file:{tmp_path / 'a.key'}")
    with pytest.raises(RecipeError, match="not set"):
        read_key("env:NO_SUCH_VARIABLE")
    assert "ab" not in repr(Key(bytes.fromhex(OTHER), "env:A")).split("(")[1].split(",")[0]


def test_rotation_changes_the_header_alone(key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").write_bytes(CONTENT)
    seal_file(tmp_path / "plain", tmp_path / "sealed", key)
    before = pieces((tmp_path / "sealed").read_bytes())
    monkeypatch.setenv("NEW_KEY", OTHER)
    new = read_key("env:NEW_KEY")
    assert rewrap(tmp_path / "sealed", new, [key])
    assert not rewrap(tmp_path / "sealed", new, [key])
    monkeypatch.delenv("TEST_KEY")
    after = pieces((tmp_path / "sealed").read_bytes())
    assert before[1] == after[1]
    assert before[0] != after[0]
    unseal_file(tmp_path / "sealed", tmp_path / "opened")
    assert (tmp_path / "opened").read_bytes() == CONTENT
    assert is_sealed(tmp_path / "sealed")
    assert not is_sealed(tmp_path / "opened")


def test_half_an_opened_file_is_not_left_behind(key: Key, tmp_path: Path) -> None:
    (tmp_path / "sealed").write_bytes(seal_bytes(CONTENT, key)[:-1])
    with pytest.raises(DamagedArtifact, match="chunk 4"):
        unseal_file(tmp_path / "sealed", tmp_path / "opened")
    assert not (tmp_path / "opened").exists()


STREAM = """
import sys
from modelwright.core.sealing import Key, seal, unseal

class Zeros:
    def __init__(self, size): self.left = size
    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)

size = int(sys.argv[1])
import os
key = Key(bytes.fromhex(os.environ["TEST_KEY"]), "env:TEST_KEY")
with open(sys.argv[2], "wb") as target:
    seal(Zeros(size), target, key)
class Count:
    seen = 0
    def write(self, content): self.seen += len(content)
count = Count()
with open(sys.argv[2], "rb") as source:
    unseal(source, count, sys.argv[2])
assert count.seen == size
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(peak)
"""


def _peak_bytes(size: int, path: Path) -> int:
    done = subprocess.run(
        [sys.executable, "-c", STREAM, str(size), str(path)], capture_output=True, text=True, check=True
    )
    return 1024 * int(done.stdout)


def test_memory_does_not_grow_with_the_file(key: Key, tmp_path: Path) -> None:
    assert _peak_bytes(96 << 20, tmp_path / "sealed") < 64 << 20


@pytest.mark.full
def test_two_gibibytes_in_less_than_64_mebibytes(key: Key, tmp_path: Path) -> None:
    assert _peak_bytes(2 << 30, tmp_path / "sealed") < 64 << 20
