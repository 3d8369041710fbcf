"""Pictures of two kinds: those whose content is wanted, and those in whose style it is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from modelwright.core.errors import DataError
from modelwright.core.settings import Sequence, Settings

from .files import digest, locate, read_bytes
from .images import decode
from .rows import Quarantined, Rows

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm")
# A crop is taken at between this share of the shorter side and all of it.
SMALLEST_CROP = 0.5


class DomainsSettings(Settings):
    """Two folders of pictures, or two single pictures, and two more to judge by; equal names are pairs."""

    kind: Literal["domains"] = "domains"
    content: str = Field(description="Folder or file of the pictures to be changed, relative to the recipe.")
    style: str = Field(description="Folder or file of the pictures in the style that is wanted.")
    test_content: str = Field("", description="Content of the test part; empty: prepare.split cuts it from the other.")
    test_style: str = Field("", description="Style of the test part; needed where test_content is given.")
    size: Sequence[Annotated[int, Field(gt=7, le=1024)]] = Field(
        (64, 64), description="[height, width] in pixels that are trained on.", min_length=2, max_length=2
    )
    crops: int = Field(
        0,
        ge=0,
        description="Train on so many random crops, mirrored at random; whole pictures are the test part. 0: whole.",
    )

    @model_validator(mode="after")
    def _together(self) -> DomainsSettings:
        if bool(self.test_content) != bool(self.test_style):
            raise ValueError("found one of test_content and test_style, expected both or none")
        if self.crops and self.test_content:
            raise ValueError(
                "found crops with test_content, expected one of them: whole pictures are the test part of crops"
            )
        return self


@dataclass(frozen=True)
class _Pictures:
    """The readable pictures of one kind, with their names, digests and what could not be read."""

    names: list[str]
    pictures: list[Any]
    files: dict[str, str]
    quarantined: list[Quarantined]


def read(settings: DomainsSettings, base: Path) -> Rows:
    """Return a row for each picture of content beside one of style: its pair by name, or the next in turn.

    The column `paired` is 1 where the two are known to show the same; crops never are.

    Raises:
        DataError: a kind without a readable picture.
    """
    size = (settings.size[0], settings.size[1])
    if settings.crops:
        return _cropped(settings, base, size)
    rows = _beside(_read_all(settings.content, base, size), _read_all(settings.style, base, size), "train")
    if not settings.test_content:
        return replace(rows, parts=None)
    test = _beside(_read_all(settings.test_content, base, size), _read_all(settings.test_style, base, size), "test")
    return _joined([rows, test])


def _read_all(setting: str, base: Path, size: Any) -> _Pictures:
    """Read the pictures that a key names; `size` is (height, width), or auto for each picture's own."""
    path = locate(setting, base, expected="a folder of pictures, or a picture")
    found = _Pictures([], [], {}, [])
    for file in _files(path):
        name = f"{Path(setting).name}/{file.name}" if file != path else file.name
        try:
            data = read_bytes(file)
            found.pictures.append(decode(data, size, "rgb"))
            found.names.append(name)
            found.files[name] = digest(data)
        except DataError as error:
            found.quarantined.append(Quarantined(name, str(error)))
    if not found.pictures:
        raise DataError(
            "there is no readable picture", where=path, expected=f"pictures such as {', '.join(ENDINGS[:3])}"
        )
    return found


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    yield from sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS and file.is_file())


def _beside(content: _Pictures, style: _Pictures, part: str) -> Rows:
    """Put a picture of style beside each of content."""
    import numpy

    places = {Path(name).name: place for place, name in enumerate(style.names)}
    twins = [places.get(Path(name).name, -1) for name in content.names]
    chosen = [twin if twin >= 0 else row % len(style.names) for row, twin in enumerate(twins)]
    return Rows(
        columns={
            "image": numpy.stack(content.pictures),
            "style": numpy.stack([style.pictures[place] for place in chosen]),
            "paired": numpy.array([int(twin >= 0) for twin in twins], dtype=numpy.uint8),
        },
        origins=content.names,
        quarantined=(*content.quarantined, *style.quarantined),
        files={**content.files, **style.files},
        parts=[part] * len(content.names),
    )


def _joined(several: list[Rows]) -> Rows:
    import numpy

    return Rows(
        columns={name: numpy.concatenate([rows.columns[name] for rows in several]) for name in several[0].columns},
        origins=[origin for rows in several for origin in rows.origins],
        quarantined=tuple(item for rows in several for item in rows.quarantined),
        files={name: value for rows in several for name, value in rows.files.items()},
        parts=[part for rows in several for part in rows.parts or ()],
    )


def _cropped(settings: DomainsSettings, base: Path, size: tuple[int, int]) -> Rows:
    """Return crops of the pictures for training, and the pictures themselves, cut to the middle, for the test part."""
    import numpy

    content, style = (_read_all(path, base, "auto") for path in (settings.content, settings.style))
    # The crops are part of the data and not of a training: the same for every seed of a recipe.
    dice = numpy.random.default_rng(0)
    sides = [
        numpy.stack([_crop(kind.pictures[row % len(kind.pictures)], size, dice) for row in range(settings.crops)])
        for kind in (content, style)
    ]
    crops = Rows(
        columns={"image": sides[0], "style": sides[1], "paired": numpy.zeros(settings.crops, numpy.uint8)},
        origins=[f"{content.names[row % len(content.names)]}:crop {row}" for row in range(settings.crops)],
        quarantined=(*content.quarantined, *style.quarantined),
        files={**content.files, **style.files},
        parts=["train"] * settings.crops,
    )
    whole = [
        _Pictures(kind.names, [_middle(picture, size) for picture in kind.pictures], {}, [])
        for kind in (content, style)
    ]
    tested = _beside(whole[0], whole[1], "test")
    return _joined([crops, tested])


def _resized(picture: Any, size: tuple[int, int]) -> Any:
    import numpy
    from PIL import Image

    return numpy.array(Image.fromarray(picture).resize((size[1], size[0]), Image.Resampling.BICUBIC))


def _crop(picture: Any, size: tuple[int, int], dice: Any) -> Any:
    """Cut a random rectangle of the wanted shape, mirrored or not, and bring it to size."""
    height, width = picture.shape[:2]
    scale = min(height / size[0], width / size[1]) * dice.uniform(SMALLEST_CROP, 1.0)
    tall, wide = max(1, int(size[0] * scale)), max(1, int(size[1] * scale))
    top, left = dice.integers(0, height - tall + 1), dice.integers(0, width - wide + 1)
    cut = picture[top : top + tall, left : left + wide]
    return _resized(cut[:, ::-1] if dice.random() < 0.5 else cut, size)


def _middle(picture: Any, size: tuple[int, int]) -> Any:
    """Cut the largest rectangle of the wanted shape from the middle, and bring it to size."""
    height, width = picture.shape[:2]
    scale = min(height / size[0], width / size[1])
    tall, wide = int(size[0] * scale), int(size[1] * scale)
    top, left = (height - tall) // 2, (width - wide) // 2
    return _resized(picture[top : top + tall, left : left + wide], size)
