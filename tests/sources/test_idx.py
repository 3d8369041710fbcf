from __future__ import annotations

import gzip
from pathlib import Path

import numpy
import pytest

from modelwright.core.errors import DataError
from modelwright.sources.idx import IdxSettings, read


def idx(array: numpy.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return head + array.astype(numpy.uint8).tobytes()


IMAGES = numpy.arange(5 * 3 * 2).reshape(5, 3, 2)
LABELS = numpy.array([1, 0, 1, 2, 2])


def write(folder: Path, *, images: bytes = idx(IMAGES), labels: bytes = idx(LABELS), part: str = "train") -> None:
    (folder / f"{part}-images-idx3-ubyte").write_bytes(images)
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)


def load(folder: Path, **settings):
    return read(IdxSettings(path=folder.name, **settings), folder.parent)


@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_names_with_dash_or_dot_packed_or_not(tmp_path, dot, pack):
    suffix = ".gz" if pack is gzip.compress else ""
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images{dot}idx3-ubyte{suffix}").write_bytes(pack(idx(IMAGES)))
        (tmp_path / f"{part}-labels{dot}idx1-ubyte{suffix}").write_bytes(pack(idx(LABELS)))
    rows = load(tmp_path)
    assert rows.columns["image"].tolist() == [*IMAGES[..., None].tolist(), *IMAGES[..., None].tolist()]
    assert rows.columns["label"] == [*LABELS, *LABELS]
    assert rows.parts == ["train"] * 5 + ["test"] * 5
    assert rows.origins[7] == f"t10k-images{dot}idx3-ubyte{suffix}:2"
    assert len(rows.files) == 4


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (b"", "0 bytes"),
        (b"PK\x03\x04 something else", "50 4b 03 04 in a file of 19 bytes"),
        (idx(IMAGES)[:-4], "26 of the 30 bytes its header promises"),
        (idx(IMAGES)[:10], "10 bytes"),
        (idx(IMAGES) + b"x", "more than the 30 bytes"),
        (gzip.compress(idx(IMAGES), mtime=0)[:-9], "of the 30 bytes its header promises|damaged"),
        (gzip.compress(idx(IMAGES), mtime=0)[:-4], "the 30 bytes its header promises"),
        (b"\x1f\x8b rest is no gzip", "damaged gzip stream"),
        (idx(IMAGES[:4]), "4 images .24 bytes. but 5 labels .5 bytes."),
        (b"\0\0\x0d\x03" + bytes(12), "unsigned bytes"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "promises 79228162458924105385300197375 bytes"),
        (idx(LABELS), "1 and 1 dimensions"),
    ],
)
def test_damage_names_file_and_byte_counts(tmp_path, images, message):
    write(tmp_path, images=images)
    with pytest.raises(DataError, match=message) as raised:
        load(tmp_path)
    assert "train-images-idx3-ubyte" in str(raised.value)


def test_a_changed_byte_in_gzip_is_noticed(tmp_path):
    packed = bytearray(gzip.compress(idx(IMAGES)))
    packed[-6] ^= 1  # the checksum
    write(tmp_path, images=bytes(packed))
    with pytest.raises(DataError, match="incorrect data check"):
        load(tmp_path)


def test_gzip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    write(tmp_path, images=gzip.compress(b"\0\0\x08\x03" + (10).to_bytes(4, "big") * 3 + bytes(2_000_000)))
    with pytest.raises(DataError, match="more than the 1000 bytes"):
        load(tmp_path)
    with pytest.raises(DataError, match="max_bytes = 999"):
        load(tmp_path, max_bytes="999 B")


def test_missing_partner_empty_folder_and_unequal_sizes(tmp_path):
    with pytest.raises(DataError, match="no idx file"):
        load(tmp_path)
    write(tmp_path)
    write(tmp_path, images=idx(IMAGES.reshape(5, 2, 3)), part="t10k")
    with pytest.raises(DataError, match="unequal size"):
        load(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="no labels for test"):
        load(tmp_path)
    with pytest.raises(DataError, match="did you mean"):
        read(IdxSettings(path=tmp_path.name[:-1] + "X"), tmp_path.parent)


def test_mnist(data):
    rows = read(IdxSettings(path="mnist"), data)
    assert rows.columns["image"].shape == (70000, 28, 28, 1)
    assert (rows.parts.count("train"), rows.parts.count("test")) == (60000, 10000)
    train = rows.columns["label"][:60000]
    assert [train.count(digit) for digit in range(10)] == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert abs(rows.columns["image"][:60000].mean() / 255 - 0.1307) < 1e-4
    assert rows.files["train-images-idx3-ubyte.gz"].startswith("440fcabf73cc546f")
