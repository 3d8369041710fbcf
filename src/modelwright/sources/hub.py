"""Data sets of the Hugging Face hub, loaded with the `datasets` library; code from the hub is never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from modelwright.core.errors import DataError, MissingExtra
from modelwright.core.settings import Sequence

from .files import PARTS, digest, read_bytes
from .images import ImagesSettings, decode
from .rows import Quarantined, Rows
from .table import TableSettings, assemble

# Others of the library's readers open pickles, archives or formats of outside packages.
READERS = ("arrow", "cache", "csv", "imagefolder", "json", "parquet", "text")


class HubSettings(TableSettings):
    """A data set of the Hugging Face hub, pinned to a revision."""

    kind: Literal["hub"] = "hub"
    id: str = Field(min_length=1, description="Name on the hub, such as 'ag_news' or 'owner/name'.")
    name: str = Field(default="", description="Configuration of the data set, where it has several.")
    split: str = Field(default="", description="One split, or a slice such as train[:1000]; empty: all of them.")
    revision: str = Field(default="main", description="Branch, tag or commit; only a commit never changes.")
    image: str = Field(default="", description="Column of the images; empty: there are none.")
    size: Sequence[int] = Field(
        default=(224, 224), min_length=2, max_length=2, description="[height, width] in pixels."
    )
    mode: Literal["grey", "rgb"] = Field(default="rgb", description="Channels of the images.")


def read(settings: HubSettings, base: Path) -> Rows:
    """Return the rows of the data set, class numbers written as class names; `base` is not used.

    Raises:
        MissingExtra: the `datasets` library is not installed.
        DataError: the hub cannot be reached, has no such data set, or would run code.
    """
    loaded = _load(settings)
    splits = loaded if isinstance(loaded, dict) else {settings.split: loaded}
    raw: dict[str, list[Any]] = {}
    origins: list[str] = []
    parts: list[str] = []
    files: dict[str, str] = {}
    for split, data in splits.items():
        columns = _columns(settings, data)
        if raw and list(raw) != list(columns):
            raise DataError(
                f"split {split} has the columns {', '.join(columns)}", where=settings.id, expected=", ".join(raw)
            )
        for name, values in columns.items():
            raw.setdefault(name, []).extend(values)
        origins += [f"{settings.id}/{split or 'all'}:{at}" for at in range(len(data))]
        parts += [PARTS.get(split, "")] * len(data)
        for entry in data.cache_files:
            path = Path(entry["filename"])
            files[f"{settings.id}@{settings.revision}/{path.name}"] = digest(read_bytes(path))
    images = raw.pop(settings.image, None) if settings.image else None
    parts_or_none = parts if all(parts) and isinstance(loaded, dict) else None
    if images is None:
        return assemble(raw, origins, settings, where=settings.id, files=files, parts=parts_or_none)
    return _with_images(settings, raw, images, origins, files, parts_or_none)


def _load(settings: HubSettings) -> Any:
    try:
        import datasets
    except ImportError:
        raise MissingExtra(
            "the library datasets is not installed",
            where=settings.id,
            expected="it, to read from the hub",
            next_step="pip install 'modelwright[data]'",
        ) from None
    try:
        reader = type(
            datasets.load_dataset_builder(settings.id, settings.name or None, revision=settings.revision)
        ).__module__.rpartition(".")[2]
        if reader not in READERS:
            raise DataError(
                f"its files are read by '{reader}'",
                where=f"{settings.id}@{settings.revision}",
                expected=f"one of {', '.join(READERS)}, which run nothing that they read",
                next_step="download the files, and convert them to one of these",
            )
        return datasets.load_dataset(
            settings.id, settings.name or None, split=settings.split or None, revision=settings.revision
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"cannot be loaded: {type(error).__name__}: {error}",
            where=f"{settings.id}@{settings.revision}",
            expected="a data set that the hub or the local cache has",
            next_step="check the name and the connection, or copy the cache folder of a machine that has it",
        ) from None


def _columns(settings: HubSettings, data: Any) -> dict[str, list[Any]]:
    """Return the columns as lists; images stay encoded, so that our own decoder reads them."""
    if settings.image:
        import datasets

        if settings.image not in data.column_names:
            raise DataError(f"no column '{settings.image}'", where=settings.id, expected=", ".join(data.column_names))
        data = data.cast_column(settings.image, datasets.Image(decode=False))
    columns: dict[str, list[Any]] = {}
    for name in data.column_names:
        values = list(data[name])
        class_names = getattr(data.features.get(name), "names", None)
        # The hub writes a label that is kept secret as -1.
        columns[name] = (
            [class_names[at] if at is not None and at >= 0 else None for at in values] if class_names else values
        )
    return columns


def _with_images(
    settings: HubSettings,
    raw: dict[str, list[Any]],
    images: list[Any],
    origins: list[str],
    files: dict[str, str],
    parts: list[str] | None,
) -> Rows:
    import numpy

    size = (settings.size[0], settings.size[1])
    limit = ImagesSettings.model_fields["max_pixels"].default
    decoded, good, quarantined = [], [], []
    for at, image in enumerate(images):
        try:
            data = (image or {}).get("bytes") or read_bytes(Path((image or {}).get("path") or ""))
            decoded.append(decode(data, size, settings.mode, limit))
            good.append(at)
        except DataError as error:
            quarantined.append(Quarantined(origins[at], str(error)))
    if not good:
        raise DataError(f"none of {len(images)} images can be used", where=settings.id, expected="images")
    place = {origins[at]: number for number, at in enumerate(good)}
    rows = assemble(
        {name: [values[at] for at in good] for name, values in raw.items()},
        list(place),
        settings,
        where=settings.id,
        quarantined=quarantined,
        files=files,
        parts=None if parts is None else [parts[at] for at in good],
    )
    rows.columns["image"] = numpy.stack([decoded[place[origin]] for origin in rows.origins])
    return rows
