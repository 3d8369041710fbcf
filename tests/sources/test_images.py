from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy
import pytest
from PIL import Image

from modelwright.core.errors import DataError
from modelwright.sources.checks import quarantine_limit
from modelwright.sources.images import ImagesSettings, decode, read, read_drawn

GRADIENT = numpy.linspace(0, 255, 6 * 4 * 3).reshape(6, 4, 3).astype(numpy.uint8)


def encode(image: Image.Image, format: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def png(array: numpy.ndarray = GRADIENT) -> bytes:
    return encode(Image.fromarray(array))


def png_of_claimed_size(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    data = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + chunk + data


def folder_of(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def load(root: Path, **settings):
    return read(ImagesSettings(path=root.name, **settings), root.parent)


# decode: list B1, one kind of file at a time


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "zero bytes"),
        (b"hello, I am a text", "not an image"),
        (encode(Image.fromarray(GRADIENT).resize((200, 200)), "JPEG")[:900], "damaged image"),
        (png(numpy.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=numpy.uint8))[:4000], "damaged image"),
        (png()[:30], "damaged image|not an image"),
        (png_of_claimed_size(65500, 65500), "far too many pixels"),
        (png_of_claimed_size(10000, 10000), "100000000 pixels"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not an image"),
        (encode(Image.fromarray(GRADIENT[..., 0].astype(numpy.float32)), "TIFF"), "unknown range"),
        (encode(Image.fromarray(GRADIENT[..., 0].astype(numpy.int32) * 100_000), "TIFF"), "expected 8 or 16 bits"),
    ],
)
def test_what_cannot_be_used_says_why(content, reason):
    with pytest.raises(DataError, match=reason):
        decode(content)


def test_every_truncation_is_a_data_error_or_an_image():
    whole = encode(Image.fromarray(GRADIENT), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")
    for content in (whole, png(), encode(Image.fromarray(GRADIENT), "GIF"), encode(Image.fromarray(GRADIENT), "TIFF")):
        for length in range(0, len(content), 7):
            try:
                assert decode(content[:length]).dtype == numpy.uint8
            except DataError:
                continue


def test_a_bomb_is_refused_without_allocating():
    tracemalloc.start()
    for content in (png_of_claimed_size(65500, 65500), png_of_claimed_size(9000, 9000)):
        with pytest.raises(DataError):
            decode(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_cmyk_palette_and_one_bit():
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    assert abs(decode(encode(red.convert("CMYK"), "JPEG")).astype(int) - [255, 0, 0]).max() < 8
    assert decode(encode(red.convert("P"))).tolist() == numpy.broadcast_to([255, 0, 0], (8, 8, 3)).tolist()
    assert decode(encode(Image.new("1", (2, 2), 1))).tolist() == [[[255], [255]], [[255], [255]]]


def test_alpha_lies_over_white():
    half = Image.new("RGBA", (1, 1), (0, 0, 0, 127))
    assert decode(encode(half))[0, 0].tolist() == [128, 128, 128]
    clear = Image.new("P", (1, 1), 0)
    assert decode(encode(clear, transparency=0))[0, 0].tolist() == [255, 255, 255]
    assert decode(encode(Image.new("LA", (1, 1), (0, 0))))[0, 0].tolist() == [255]


def test_sixteen_bits_are_scaled_not_cut():
    grey = numpy.array([[0, 257 * 100, 65535]], dtype=numpy.uint16)
    for format in ("PNG", "TIFF"):
        assert decode(encode(Image.fromarray(grey), format))[0, :, 0].tolist() == [0, 100, 255]


def test_exif_rotation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it a quarter turn clockwise
    turned = decode(encode(Image.fromarray(GRADIENT), "PNG", exif=exif))
    assert turned.tolist() == numpy.rot90(GRADIENT, -1).tolist()
    assert decode(encode(Image.fromarray(GRADIENT), "JPEG", exif=exif)).shape == (4, 6, 3)


def test_size_is_height_then_width_and_mode_is_kept():
    assert decode(png(), size=(3, 8)).shape == (3, 8, 3)
    assert decode(png(), mode="grey").shape == (6, 4, 1)
    assert decode(png(GRADIENT[..., 0]), mode="rgb").shape == (6, 4, 3)
    assert decode(png()).tolist() == GRADIENT.tolist()


# read: arrangements


def test_class_folders_wrong_suffixes_and_bad_files(tmp_path):
    root = folder_of(
        tmp_path,
        {
            "cat/1.png": png(),
            "cat/2.jpg": png(),
            "dog/deep/1.png": png(),
            "dog/bad.jpg": b"\0" * 50,
            "dog/notes.txt": b"x",
            ".DS_Store": b"x",
            "dog/.hidden": b"x",
            "README": b"x",
        },
    )
    rows = load(root)
    assert list(rows.origins) == ["cat/1.png", "cat/2.jpg", "dog/deep/1.png"]
    assert rows.columns["label"] == ["cat", "cat", "dog"]
    assert rows.parts is None
    assert [one.origin for one in rows.quarantined] == ["dog/bad.jpg", "dog/notes.txt"]
    assert set(rows.files) == {"cat/1.png", "cat/2.jpg", "dog/deep/1.png", "dog/bad.jpg", "dog/notes.txt"}
    with pytest.raises(DataError, match=r"2 of 5 rows .40.00%.*dog/bad.jpg: not an image"):
        quarantine_limit(rows, 0.01)


@pytest.mark.parametrize("wrap", ["", "everything/"])
@pytest.mark.parametrize("is_zip", [False, True])
def test_parts_in_folders_or_a_zip(tmp_path, wrap, is_zip):
    names = ["train/cat/1.png", "Test/cat/1.png", "val/dog/2.png", "train/loose.png"]
    files = {wrap + name: png() for name in names}
    if is_zip:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        rows = load(tmp_path / "a.zip")
        assert list(rows.files) == ["a.zip"]
    else:
        rows = load(folder_of(tmp_path / "a", files))
    found = dict(zip(rows.origins, zip(rows.parts, rows.columns["label"], strict=True), strict=True))
    assert found == {
        f"{wrap}Test/cat/1.png": ("test", "cat"),
        f"{wrap}train/cat/1.png": ("train", "cat"),
        f"{wrap}val/dog/2.png": ("validation", "dog"),
    }
    assert [one.origin for one in rows.quarantined] == [f"{wrap}train/loose.png"]


def test_auto_size_and_mode(tmp_path):
    equal = folder_of(tmp_path / "equal", {"a/1.png": png(GRADIENT[..., 0]), "b/1.png": png(GRADIENT[..., 1])})
    assert load(equal).columns["image"].shape == (2, 6, 4, 1)
    assert load(equal, mode="rgb", size=[2, 3]).columns["image"].shape == (2, 2, 3, 3)
    sizes = [(10, 20), (12, 22), (14, 500)]
    files = {f"a/{at}.png": encode(Image.new("L", (width, height))) for at, (height, width) in enumerate(sizes)}
    mixed = folder_of(tmp_path / "mixed", {**files, "b/1.png": png(numpy.zeros((700, 600, 3), numpy.uint8))})
    assert load(mixed).columns["image"].shape == (4, 13, 224, 3)
    exif = Image.Exif()
    exif[0x0112] = 8
    turned = folder_of(tmp_path / "turned", {"a/1.jpg": encode(Image.fromarray(GRADIENT), "JPEG", exif=exif)})
    assert load(turned).columns["image"].shape == (1, 4, 6, 3)


def test_limits_of_pixels_and_bytes_are_stated(tmp_path):
    root = folder_of(tmp_path, {"a/1.png": png(), "a/2.png": png(numpy.zeros((9, 9, 3), numpy.uint8))})
    assert "9 x 9 = 81 pixels; expected at most 80" in load(root, max_pixels=80).quarantined[0].reason
    with pytest.raises(DataError, match="expected at most max_bytes = 10"):
        load(root, max_bytes=10)


def test_links_that_lead_out_are_refused(tmp_path):
    root = folder_of(tmp_path / "root", {"a/1.png": png()})
    (tmp_path / "secret.png").write_bytes(png())
    os.symlink(root / "a" / "1.png", root / "a" / "inside.png")
    assert len(load(root)) == 2
    os.symlink(tmp_path / "secret.png", root / "a" / "out.png")
    with pytest.raises(DataError, match="leads out of the folder"):
        load(root)
    (root / "a" / "out.png").unlink()
    os.symlink(tmp_path, root / "b")
    with pytest.raises(DataError, match="link to a folder"):
        load(root)


@pytest.mark.parametrize("name", ["../a/1.png", "/a/1.png", "a/../../1.png", "..\\a\\1.png", "C:/a/1.png"])
def test_zip_names_that_lead_out_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/0.png", png())
        archive.writestr(name, png())
    with pytest.raises(DataError, match="leads out of the archive"):
        load(tmp_path / "a.zip")


def test_zip_with_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("a/1.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="a link inside an archive"):
        load(tmp_path / "a.zip")


def test_damaged_member_is_quarantined_and_damaged_zip_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/1.png", png())
        archive.writestr("b/2.png", png())
    whole = bytearray((tmp_path / "a.zip").read_bytes())
    whole[whole.index(b"b/2.png") + 20] ^= 255
    (tmp_path / "a.zip").write_bytes(whole)
    rows = load(tmp_path / "a.zip")
    assert (list(rows.origins), [one.origin for one in rows.quarantined]) == (["a/1.png"], ["b/2.png"])
    assert "CRC" in rows.quarantined[0].reason
    (tmp_path / "a.zip").write_bytes(whole[:-30])
    with pytest.raises(DataError, match="neither a folder nor a zip"):
        load(tmp_path / "a.zip")


def test_no_class_folders_or_no_image_is_an_error(tmp_path):
    loose = folder_of(tmp_path / "loose", {"1.png": png()})
    with pytest.raises(DataError, match="no folder per class"):
        load(loose)
    only_parts = folder_of(tmp_path / "parts", {"train/1.png": png(), "test/1.png": png()})
    with pytest.raises(DataError, match="no folder per class"):
        load(only_parts)
    bad = folder_of(tmp_path / "bad", {"a/1.png": b"x"})
    with pytest.raises(DataError, match="none of 1 files is a usable image"):
        load(bad)


def test_only_what_is_drawn_is_opened(tmp_path):
    # The bad picture is not looked at, for it is not drawn.
    root = folder_of(
        tmp_path / "r", {"train/a/1.png": png(), "train/a/2.png": b"bad", "test/b/3.png": png(GRADIENT[:3])}
    )
    seen: list[str] = []
    rows = read_drawn(ImagesSettings(path=root.name), tmp_path, lambda strata: seen.extend(strata) or [0, 1])
    assert seen == ["test/b", "train/a", "train/a"]
    assert (list(rows.origins), rows.parts, rows.quarantined) == (
        ["test/b/3.png", "train/a/1.png"],
        ["test", "train"],
        (),
    )
    assert read(ImagesSettings(path=root.name), tmp_path).quarantined[0].origin == "train/a/2.png"


def test_cifar_folder(data):
    rows = read(ImagesSettings(path="cifar10_folder", size=[32, 32], mode="rgb"), data)
    assert rows.columns["image"].shape == (3600, 32, 32, 3)
    assert (rows.parts.count("train"), rows.parts.count("test"), len(rows.quarantined)) == (3000, 600, 0)
    assert {rows.columns["label"].count(name) for name in set(rows.columns["label"])} == {360}
