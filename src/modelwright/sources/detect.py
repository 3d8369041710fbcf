"""A first guess at the settings of a source, for a recipe that a person will read and correct."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelwright.core.errors import DataError

from .delimited import CsvSettings
from .delimited import read as read_csv
from .files import PARTS, read_bytes
from .idx import NAME as IDX_NAME
from .jsonarray import JsonSettings
from .jsonarray import read as read_json
from .jsonl import JsonlSettings
from .jsonl import read as read_jsonl
from .packing import unpacked
from .records import is_number
from .rows import Rows
from .textfile import TextFileSettings
from .textfile import read as read_text
from .tree import opened

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
TABLE_SUFFIXES = {".csv", ".tsv", ".data"}
LABEL_NAMES = ("label", "labels", "target", "class", "y", "category", "income", "outcome", "sentiment")
LONG_TEXT = 20
MOST_CLASSES = 100
MOST_UNFIT = 0.01
BLANKS_AND_MARK = b"\xef\xbb\xbf \t\r\n"


def detect(path: Path) -> dict[str, Any]:
    """Return `{"task": image | text | language | tabular, "source": settings}` guessed from what is at `path`.

    Raises:
        DataError: nothing there is of a kind that can be read.
    """
    if not path.exists():
        raise DataError("nothing is there", where=path, expected="a file or a folder")
    if path.is_dir():
        return _folder(path)
    suffix = _suffix(path)
    if suffix == ".zip":
        return _tree(path)
    if suffix == ".parquet":
        return {"task": "tabular", "source": {"kind": "parquet", "path": str(path)}}
    if suffix == ".json" and unpacked(read_bytes(path), path).lstrip(BLANKS_AND_MARK)[:1] == b"[":
        return _described(read_json(JsonSettings(path=str(path), text=()), Path()), {"kind": "json", "path": str(path)})
    if suffix in (".jsonl", ".ndjson") or (suffix not in TABLE_SUFFIXES and read_bytes(path)[:1] == b"{"):
        return _described(
            read_jsonl(JsonlSettings(path=str(path), text=()), Path()), {"kind": "jsonl", "path": str(path)}
        )
    return _text_or_table(path)


def _folder(path: Path) -> dict[str, Any]:
    names = sorted(entry.name for entry in path.iterdir() if entry.is_file())
    if any(IDX_NAME.fullmatch(name) for name in names):
        return {"task": "image", "source": {"kind": "idx", "path": str(path)}}
    if any(entry.is_dir() and not entry.name.startswith(".") for entry in path.iterdir()):
        return _tree(path)
    by_part = {PARTS[Path(name).stem.lower()]: str(path / name) for name in names if Path(name).stem.lower() in PARTS}
    if "train" in by_part:
        guess = detect(Path(by_part["train"]))
        guess["source"]["path"] = {part: by_part[part] for part in ("train", "validation", "test") if part in by_part}
        return guess
    json_files = [name for name in names if _suffix(Path(name)) == ".json"]
    if len(json_files) > 1:
        guess = detect(path / json_files[0])
        return (
            {**guess, "source": {**guess["source"], "path": str(path)}} if guess["source"]["kind"] == "json" else guess
        )
    if names and all(name.lower().endswith(".txt") for name in names):
        return {"task": "language", "source": {"kind": "text", "path": str(path), "label": "none"}}
    readable = [name for name in names if _suffix(Path(name)) in {*TABLE_SUFFIXES, ".jsonl", ".parquet"}]
    if len(readable) == 1:
        return detect(path / readable[0])
    raise DataError(
        f"a folder of {len(names)} files of no known arrangement",
        where=path,
        expected="class folders, idx files, or train and test files",
        next_step="name one file",
    )


def _suffix(path: Path) -> str:
    """Return the end of a name, without the one that says that the file is packed."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _tree(path: Path) -> dict[str, Any]:
    with opened(path) as tree:
        suffixes = [Path(member.name).suffix.lower() for member in tree.members]
    if sum(suffix in IMAGE_SUFFIXES for suffix in suffixes) * 2 > len(suffixes):
        return {"task": "image", "source": {"kind": "images", "path": str(path)}}
    return {"task": "text", "source": {"kind": "text", "path": str(path)}}


def _text_or_table(path: Path) -> dict[str, Any]:
    """Lines that all have the same number of columns are a table, unless it is a label and a text."""
    labelled = {"kind": "text", "path": str(path)}
    if _suffix(path) not in TABLE_SUFFIXES:
        try:
            rows = read_text(TextFileSettings(path=str(path), errors="replace"), Path())
            if _columns_of(path) <= 2 and len(rows.quarantined) <= MOST_UNFIT * len(rows):
                return {"task": "text", "source": labelled}
        except DataError:
            pass
    if _suffix(path) == ".txt" and _columns_of(path) <= 1:
        return {"task": "language", "source": {"kind": "text", "path": str(path), "label": "none"}}
    settings = CsvSettings(path=str(path), text=())
    rows = read_csv(settings, Path())
    unquoted = settings.model_copy(update={"quoting": "none"})
    source: dict[str, Any] = {"kind": "csv", "path": str(path)}
    if rows.quarantined and len(without := read_csv(unquoted, Path())) > len(rows):
        rows, source["quoting"] = without, "none"
    return _described(rows, source)


def _columns_of(path: Path) -> int:
    try:
        rows = read_csv(CsvSettings(path=str(path), text=(), quoting="none", errors="replace"), Path())
    except DataError:
        return 0
    # When the lines do not agree on a number of columns, they have none.
    return len(rows.columns) if len(rows) > 10 * len(rows.quarantined) else 0


def _described(rows: Rows, source: dict[str, Any]) -> dict[str, Any]:
    """Add the label and the text to `source` and name the task."""
    label = _label_of(rows)
    texts = [name for name, values in rows.columns.items() if name != label and _is_text(values)]
    if label:
        source["label"] = label
    if texts:
        source["text"] = texts
    if texts and not label:
        return {"task": "language", "source": source}
    return {"task": "text" if texts else "tabular", "source": source}


def _label_of(rows: Rows) -> str:
    names = {name.lower(): name for name in rows.columns}
    for name in LABEL_NAMES:
        if name in names:
            return names[name]
    # Without such a name it is most often the last column, and else the first.
    for name in (list(rows.columns)[-1:] + list(rows.columns)[:1]) if len(rows.columns) > 1 else []:
        distinct = set(rows.columns[name]) - {None}
        if 2 <= len(distinct) <= min(MOST_CLASSES, max(2, len(rows) // 2)) and not _is_text(rows.columns[name]):
            return name
    return ""


def _is_text(values: Any) -> bool:
    words = [value for value in values if isinstance(value, str)]
    if len(words) < 0.5 * len(values) or not words:
        return False
    long = sum(map(len, words)) / len(words) >= LONG_TEXT or any(ord(word[0]) > 0x2E80 for word in words[:50] if word)
    return long and len(set(words)) > 0.5 * len(words) and not all(is_number(word) for word in words[:50])
