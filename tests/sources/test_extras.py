"""Sources that need packages of the extra `data`: the real packages where they are, and a clear message where not."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from modelwright.core.errors import DataError, MissingExtra
from modelwright.sources import hub, parquet


@pytest.mark.parametrize(
    ("package", "read", "settings"),
    [
        ("pyarrow", parquet.read, parquet.ParquetSettings(path="t.parquet")),
        ("datasets", hub.read, hub.HubSettings(id="ag_news")),
    ],
)
def test_missing_package_says_what_to_install(tmp_path, monkeypatch, package, read, settings):
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"pip install 'modelwright\[data\]'"):
        read(settings, tmp_path)


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as writer

    table = pyarrow.table({"n": [1, None, 3], "x": [float("nan"), 1.5, float("inf")], "label": ["a", "b", "a"]})
    writer.write_table(table, tmp_path / "t.parquet")
    rows = parquet.read(parquet.ParquetSettings(path="t.parquet"), tmp_path)
    assert rows.columns == {"n": [1.0, None], "x": [None, 1.5], "label": ["a", "b"]}
    assert [(one.origin, one.reason) for one in rows.quarantined] == [
        ("t.parquet:2", "column x: 'inf' is not a finite number")
    ]
    (tmp_path / "t.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:-9])
    with pytest.raises(DataError, match="not a whole parquet file"):
        parquet.read(parquet.ParquetSettings(path="t.parquet"), tmp_path)


class FakeSplit:
    """Stands for a datasets.Dataset: two columns and one cache file."""

    def __init__(self, cache: Path, rows: int) -> None:
        self.columns = {"text": [f"t{at}" for at in range(rows)], "label": [at % 2 for at in range(rows)]}
        self.column_names = list(self.columns)
        self.features = {"text": SimpleNamespace(dtype="string"), "label": SimpleNamespace(names=["no", "yes"])}
        self.cache_files = [{"filename": str(cache)}]

    def __len__(self) -> int:
        return len(self.columns["text"])

    def __getitem__(self, name: str) -> list:
        return self.columns[name]


def builder_of(reader):
    """Stand in for the library's choice of who reads the files."""
    found = type("Reader", (), {"__module__": f"datasets.packaged_modules.{reader}.{reader}"})
    return lambda *names, **options: found()


def test_hub_files_whose_reader_unpickles_are_not_read(tmp_path, monkeypatch):
    def load_dataset(*names, **options):
        raise AssertionError("read")

    fake = SimpleNamespace(load_dataset=load_dataset, load_dataset_builder=builder_of("webdataset"))
    monkeypatch.setitem(sys.modules, "datasets", fake)
    with pytest.raises(DataError, match="its files are read by 'webdataset'"):
        hub.read(hub.HubSettings(id="a/b"), tmp_path)


def test_hub_names_classes_keeps_parts_and_hands_over_the_revision(tmp_path, monkeypatch):
    (tmp_path / "c.arrow").write_bytes(b"arrow")
    asked = {}

    def load_dataset(*names, **options):
        asked.update(names=names, **options)
        return {"train": FakeSplit(tmp_path / "c.arrow", 3), "test": FakeSplit(tmp_path / "c.arrow", 1)}

    monkeypatch.setitem(
        sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset, load_dataset_builder=builder_of("csv"))
    )
    rows = hub.read(hub.HubSettings(id="a/b", revision="0123abc"), tmp_path)
    assert asked == {"names": ("a/b", None), "split": None, "revision": "0123abc"}
    assert rows.columns == {"text": ["t0", "t1", "t2", "t0"], "label": ["no", "yes", "no", "no"]}
    assert (rows.parts, rows.origins[3]) == (["train"] * 3 + ["test"], "a/b/test:0")
    assert list(rows.files) == ["a/b@0123abc/c.arrow"]


def test_hub_offline_is_a_data_error_with_a_next_step(tmp_path, monkeypatch):
    def load_dataset(*names, **options):
        raise ConnectionError("Couldn't reach 'a/b' on the Hub")

    monkeypatch.setitem(
        sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset, load_dataset_builder=builder_of("csv"))
    )
    with pytest.raises(DataError, match=r"a/b@main: cannot be loaded: ConnectionError.*copy the cache folder"):
        hub.read(hub.HubSettings(id="a/b"), tmp_path)
