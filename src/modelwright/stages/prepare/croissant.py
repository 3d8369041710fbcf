"""The datasheet for machines: Croissant, the JSON-LD vocabulary of data sets for machine learning.

Source: MLCommons 2024, Croissant Format Specification 1.0.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from ...core.recipe import Recipe

CROISSANT = "croissant.json"
FORMATS = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/jsonlines",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".txt": "text/plain",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".zip": "application/zip",
    ".gz": "application/gzip",
}
# Files of a source that stand in the sheet one by one; a folder of pictures may have a million.
FILES_LISTED = 1000
TYPES = {"number": "sc:Float", "date": "sc:Date"}
NAMESPACES = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
}
WORDS = (
    "citeAs column equivalentProperty extract field fileProperty fileObject fileSet format includes isLiveDataset jsonPath key md5 "
    "parentField path recordSet references regex repeated replace samplingRate separator source subField transform"
)


def croissant(recipe: Recipe, sheet: dict[str, Any], profile: dict[str, Any]) -> dict[str, Any]:
    """Return the description of a data set: its files, its columns as they are profiled, its parts and their rows."""
    files = dict(list(sheet["files"].items())[:FILES_LISTED])
    return {
        "@context": {**NAMESPACES, **{word: f"cr:{word}" for word in WORDS.split()}},
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": recipe.name,
        "description": f"The data of the recipe {recipe.name}, as it was read and before any row was taken out.",
        "isLiveDataset": False,
        "distribution": [_file(path, digest) for path, digest in files.items()],
        "recordSet": [
            *_rows(files, recipe.sections["data"], profile),
            _table("parts", {"name": "sc:Text", "rows": "sc:Integer"}, _parts(profile)),
            _table(
                "columns",
                {
                    "name": "sc:Text",
                    "kind": "sc:Text",
                    "missing": "sc:Integer",
                    "distinct": "sc:Integer",
                    "personal": "sc:Boolean",
                },
                _columns(profile),
            ),
        ],
    }


def _file(path: str, digest: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "encodingFormat": FORMATS.get(PurePosixPath(path).suffix.lower(), "application/octet-stream"),
        "sha256": digest,
    }


def _rows(files: dict[str, str], data: Any, profile: dict[str, Any]) -> list[dict[str, Any]]:
    """Describe the columns of the one table that the data came from; other sources have no columns to point to."""
    formats = [FORMATS.get(PurePosixPath(path).suffix.lower()) for path in files]
    if len(files) != 1 or data.kind not in ("csv", "parquet") or formats[0] not in ("text/csv", FORMATS[".parquet"]):
        return []
    if getattr(data, "names", ()):
        # A file without a header has no names that a column could be found by.
        return []
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"rows/{column['name']}",
            "name": column["name"],
            "dataType": TYPES.get(column["kind"], "sc:Text"),
            "source": {"fileObject": {"@id": next(iter(files))}, "extract": {"column": stated}},
        }
        for column in profile["columns"]
        for stated in _stated(column["name"], data)
    ]
    return [{"@type": "cr:RecordSet", "@id": "rows", "name": "rows", "field": fields}]


def _stated(name: str, data: Any) -> list[str]:
    """Return how the file calls a column; a text that is put together of several has no name there."""
    if name == "label" and data.label not in ("auto", ""):
        return [data.label]
    if name == "text" and data.text != "auto":
        return list(data.text) if len(data.text) == 1 else []
    return [name]


def _table(name: str, types: dict[str, str], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a small table that stands in the description itself."""
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [
            {"@type": "cr:Field", "@id": f"{name}/{column}", "name": column, "dataType": kind}
            for column, kind in types.items()
        ],
        "data": [{f"{name}/{column}": value for column, value in row.items()} for row in rows],
    }


def _parts(profile: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": part, "rows": count} for part, count in profile["rows"].items()]


def _columns(profile: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": column["name"],
            "kind": column["kind"],
            "missing": sum(column["missing"].values()),
            "distinct": column["distinct"],
            "personal": bool(column["personal"]) or column["named"],
        }
        for column in profile["columns"]
    ]
