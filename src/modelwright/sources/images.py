"""Images in one folder per class, on disk or in a zip, and the one decoder that training and prediction share."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Literal

from pydantic import Field

from modelwright.core.errors import DataError
from modelwright.core.settings import AUTO, Auto, Bytes, Sequence, Settings

from .files import digest, locate
from .rows import Quarantined, Rows
from .tree import Member, Tree, opened

# Formats without code, links or outside programs in them: Pillow opens EPS with Ghostscript, for example.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
LARGEST_AUTO_SIDE = 224
DEFAULT_MAX_PIXELS = 50_000_000
# Above this Pillow itself refuses, whatever we say.
PILLOW_MAX_PIXELS = 178_956_970
WHITE = (255, 255, 255, 255)

Size = Auto | tuple[int, int]
Mode = Literal["auto", "grey", "rgb"]


class ImagesSettings(Settings):
    """Images in one folder per class, or in train/, validation/ and test/ folders of those, or a zip of these."""

    kind: Literal["images"] = "images"
    path: str = Field(description="The folder or .zip, relative to the recipe.")
    size: Auto | Sequence[Annotated[int, Field(gt=0, le=16384)]] = Field(
        default=AUTO, description="[height, width] in pixels; auto: the common size, else the median, at most 224."
    )
    mode: Mode = Field(default=AUTO, description="auto: grey when every file has a single channel, else rgb.")
    max_pixels: int = Field(
        default=DEFAULT_MAX_PIXELS,
        gt=0,
        le=PILLOW_MAX_PIXELS,
        description="An image of more is refused by its header.",
    )
    max_bytes: Bytes = Field(default=64 * 2.0**20, gt=0, description="A file of more bytes is refused unread.")

    def model_post_init(self, context: Any) -> None:
        if self.size != AUTO and len(self.size) != 2:
            raise ValueError(f"found a size of {len(self.size)} numbers, expected [height, width]")


def read(settings: ImagesSettings, base: Path) -> Rows:
    """Return every image that can be decoded, at one size and one number of channels; the others are quarantined.

    Raises:
        DataError: no image at all, or a name or link that leads out of the source.
    """
    return read_drawn(settings, base, lambda strata: range(len(strata)))


def read_drawn(settings: ImagesSettings, base: Path, draw: Callable[[list[str]], Iterable[int]]) -> Rows:
    """Return the images that `draw` chooses when it is told the part and class of each; no other file is opened.

    Raises:
        DataError: no image at all, or a name or link that leads out of the source.
    """
    path = locate(settings.path, base, expected="a folder of images or a .zip of one")
    with opened(path) as tree:
        drawn = draw([f"{member.part or ''}/{member.label}" for member in tree.members])
        tree = replace(tree, members=tuple(tree.members[index] for index in drawn))
        size, mode = _survey(settings, tree)
        return _decode_all(settings, tree, size, mode, path)


def decode(data: bytes, size: Size = AUTO, mode: Mode = AUTO, max_pixels: int = DEFAULT_MAX_PIXELS) -> Any:
    """Return the image in the bytes `data`, upright, over white where it is transparent.

    `size` is (height, width) in pixels or auto for its own; `mode` auto keeps a single-channel image grey.

    Shapes: (height, width, channels) uint8, channels 1 or 3.
    Raises:
        DataError: the reason why the bytes cannot be used.
    """
    import numpy
    from PIL import Image, ImageOps

    with _damage_is_data_error():
        image = _open(data, max_pixels)
        grey = mode == "grey" or (mode == AUTO and image.mode in GREY_MODES)
        image.load()
        image = ImageOps.exif_transpose(image)
        image = _eight_bit(image)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
        image = image.convert("L" if grey else "RGB")
        if size != AUTO and image.size != (size[1], size[0]):
            image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        array = numpy.array(image)
    return array[..., None] if grey else array


@contextmanager
def _damage_is_data_error() -> Iterator[None]:
    """Pillow's decoders raise whatever their format's code meets; to us each of these is a file that cannot be used."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Crooked EXIF does not make the pixels worse, and the number of pixels we limit ourselves.
            warnings.filterwarnings("ignore", module=r"PIL\.")
            yield
    except Image.DecompressionBombError as error:
        raise DataError(f"far too many pixels: {error}", expected=f"at most {PILLOW_MAX_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise DataError("not an image in a known format", expected=", ".join(FORMATS)) from None
    except (
        OSError,
        SyntaxError,
        ValueError,
        TypeError,
        LookupError,
        EOFError,
        ArithmeticError,
        AttributeError,
    ) as error:
        raise DataError(f"damaged image: {error or type(error).__name__}") from None
    except (struct.error, zlib.error, MemoryError) as error:
        raise DataError(f"damaged image: {error or type(error).__name__}") from None


def _open(data: bytes, max_pixels: int) -> Any:
    from PIL import Image

    if not data:
        raise DataError("zero bytes", expected="an image")
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise DataError(
            f"its header says {image.width} x {image.height} = {pixels} pixels", expected=f"at most {max_pixels}"
        )
    return image


def _eight_bit(image: Any) -> Any:
    """Scale 16-bit greys down; Pillow's own conversion would cut them off at 255."""
    import numpy
    from PIL import Image

    if image.mode == "F":
        raise DataError("pixels are floating-point numbers of unknown range", expected="8 or 16 bits a channel")
    if not image.mode.startswith("I"):
        return image
    values = numpy.asarray(image).astype(numpy.int64)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise DataError(f"pixel values from {values.min()} to {values.max()}", expected="8 or 16 bits a channel")
    return Image.fromarray(numpy.rint(values * (255 / 65535)).astype(numpy.uint8))


@dataclass(frozen=True)
class _Header:
    height: int
    width: int
    grey: bool


def _headers(settings: ImagesSettings, tree: Tree) -> Iterator[_Header]:
    for member in tree.members:
        try:
            with _damage_is_data_error():
                image = _open(_read_member(member, settings), settings.max_pixels)
                # Asking a PNG for EXIF would decode all of it when there is none before the pixels.
                turned = (image.format != "PNG" or "exif" in image.info) and image.getexif().get(0x0112, 1) >= 5
        except DataError:
            continue
        height, width = (image.width, image.height) if turned else (image.height, image.width)
        yield _Header(height, width, image.mode in GREY_MODES)


def _survey(settings: ImagesSettings, tree: Tree) -> tuple[tuple[int, int], Mode]:
    """Decide what `auto` means from the headers alone."""
    if settings.size != AUTO and settings.mode != AUTO:
        return (settings.size[0], settings.size[1]), settings.mode
    headers = list(_headers(settings, tree)) or [_Header(1, 1, True)]
    sizes = {(header.height, header.width) for header in headers}
    middle = [round(median(getattr(header, side) for header in headers)) for side in ("height", "width")]
    auto_size = (
        sizes.pop() if len(sizes) == 1 else (min(middle[0], LARGEST_AUTO_SIDE), min(middle[1], LARGEST_AUTO_SIDE))
    )
    auto_mode: Mode = "grey" if all(header.grey for header in headers) else "rgb"
    return (
        auto_size if settings.size == AUTO else (settings.size[0], settings.size[1]),
        auto_mode if settings.mode == AUTO else settings.mode,
    )


def _read_member(member: Member, settings: ImagesSettings) -> bytes:
    if member.size > settings.max_bytes:
        raise DataError(f"{member.size} bytes", expected=f"at most max_bytes = {settings.max_bytes:.0f}")
    return member.read()


def _decode_all(settings: ImagesSettings, tree: Tree, size: tuple[int, int], mode: Mode, path: Path) -> Rows:
    import numpy

    images = numpy.empty((len(tree.members), *size, 1 if mode == "grey" else 3), dtype=numpy.uint8)
    good: list[Member] = []
    sizes: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    quarantined, files = list(tree.quarantined), dict(tree.archive)
    for member in tree.members:
        try:
            data = _read_member(member, settings)
            if not tree.archive:
                files[member.name] = digest(data)
            images[len(good)] = decode(data, size, mode, settings.max_pixels)
            good.append(member)
            width, height, own_mode = _as_stored(data)
            sizes[f"{width} x {height}"] += 1
            modes[own_mode] += 1
        except DataError as error:
            quarantined.append(Quarantined(member.name, str(error)))
    if not good:
        first = f"{quarantined[0].origin}: {quarantined[0].reason}"
        raise DataError(
            f"none of {len(quarantined)} files is a usable image; the first: {first}", where=path, expected="images"
        )
    return Rows(
        columns={"image": images[: len(good)], "label": [member.label for member in good]},
        origins=[member.name for member in good],
        quarantined=tuple(quarantined),
        files=files,
        parts=[member.part or "train" for member in good] if good[0].part else None,
        about={"sizes": dict(sizes), "modes": dict(modes)},
    )


def _as_stored(data: bytes) -> tuple[int, int, str]:
    """Return width, height and mode of a picture that can be decoded, by its header."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        return image.width, image.height, image.mode
