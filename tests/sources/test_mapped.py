"""Columns that stay on disk say what arrays in memory would, and take no memory of size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modelwright.engine.dataset import read_columns, write_columns
from modelwright.sources import mapped as module
from modelwright.sources.arrays import ArraysSettings, read
from modelwright.sources.mapped import Mapped, ask_ahead, let_go, mapped, pieces_of


@pytest.fixture
def column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapped:
    """Two files of five and seven rows, read a few rows at a time."""
    monkeypatch.setattr(module, "PIECE", 100)
    monkeypatch.setattr(module, "LARGE", 1)
    generator = np.random.default_rng(1)
    for name, rows in (("a", 5), ("b", 7)):
        np.save(tmp_path / f"{name}.npy", generator.integers(0, 256, (rows, 4, 5, 2), dtype=np.uint8))
    one, other = (mapped(np.load(tmp_path / f"{name}.npy", mmap_mode="r")) for name in "ab")
    return Mapped((*one.arrays, *other.arrays), (*one.files, *other.files), np.arange(12))


def test_it_says_what_an_array_would(column: Mapped, tmp_path: Path) -> None:
    array = np.asarray(column)
    assert (column.shape, column.dtype, column.nbytes, len(column)) == (array.shape, array.dtype, array.nbytes, 12)
    assert np.array_equal(column[3], array[3])
    assert np.array_equal(column[-1], array[-1])
    assert np.array_equal(column[2:9], array[2:9])
    order = [11, 0, 4, 5, 5, 10]
    chosen = column.choose(order)
    assert isinstance(chosen, Mapped)
    assert np.array_equal(chosen, array[order])
    assert np.array_equal(chosen.choose([1, 3]), array[[0, 5]])
    assert np.array_equal(list(chosen), array[order])
    assert np.array_equal(np.concatenate(list(pieces_of(column))), array)
    assert all(len(piece) <= 2 for piece in column.pieces())
    assert len(column.choose([])) == len(list(column.choose([]))) == 0
    # Written, it is the file that numpy writes.
    (tmp_path / "mine").mkdir()
    (tmp_path / "plain").mkdir()
    write_columns(tmp_path / "mine", {"image": chosen})
    write_columns(tmp_path / "plain", {"image": array[order]})
    assert (tmp_path / "mine/image.npy").read_bytes() == (tmp_path / "plain/image.npy").read_bytes()


def test_what_was_given_back_can_be_read_again(column: Mapped, tmp_path: Path) -> None:
    write_columns(tmp_path, {"image": column})
    array = read_columns(tmp_path, mapped=True)["image"]
    before = np.array(array)
    ask_ahead(array, 3, 9)
    let_go(array)
    assert np.array_equal(array, before)
    # Nothing is asked of what is in memory.
    ask_ahead(before, 0, 3)
    let_go(before)


def test_small_arrays_are_read_and_large_ones_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "inputs.npy", np.zeros((20, 4, 4, 1), dtype=np.uint8))
    np.save(tmp_path / "labels.npy", np.arange(20) % 2)
    settings = ArraysSettings(path=".", content="image")
    assert isinstance(read(settings, tmp_path).columns["image"], np.ndarray)
    monkeypatch.setattr(module, "LARGE", 100)
    rows = read(settings, tmp_path)
    assert isinstance(rows.columns["image"], Mapped)
    assert isinstance(rows.take([3, 4]).columns["image"], Mapped)


SCRIPT = """
import resource, sys
from pathlib import Path
from modelwright.core.execute import run
from modelwright.core.recipe import load_recipe
from modelwright.sources import mapped

# A hundredth of everything.
mapped.LARGE, mapped.PIECE = 2**20, 2**18
folder = Path(sys.argv[1])
for name in ("small", "large"):
    # What programs and their buffers take is told by the small set; room for 8 MB of data is left.
    taken = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_RSS, (taken + 32 * 2**20, resource.RLIM_INFINITY))
    run(load_recipe(folder / f"{name}.yaml"), "train", folder=folder / f"run-{name}")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is measured as Linux tells it")
def test_prepared_and_trained_in_a_fraction_of_the_data(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    for name, rows in (("small", 300), ("large", 10_000)):
        (tmp_path / name).mkdir()
        pictures = generator.integers(0, 256, (rows, 64, 64, 3), dtype=np.uint8)
        np.save(tmp_path / name / "inputs.npy", pictures)
        np.save(tmp_path / name / "labels.npy", np.arange(len(pictures)) % 2)
        (tmp_path / f"{name}.yaml").write_text(
            f"version: 1\nname: {name}\ntask: image\ndata: {{kind: arrays, path: {name}, content: image}}\n"
            "model: {kind: linear}\nprepare: {split: {test: 0.05, validation: 0.02}}\n"
            "train: {length: 1 epochs, batch: 64, workers: 1, sampler: {kind: in_blocks, block: 1 MiB, window: 4}}\n"
        )
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    small, large = map(int, done.stdout.split()[-2:])
    assert large - small < pictures.nbytes / 2
