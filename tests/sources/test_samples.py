from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from modelwright.sources.samples import SampleSettings, read


def test_digits_are_images_of_full_range_with_whole_number_labels():
    rows = read(SampleSettings(name="digits"), Path())
    image = rows.columns["image"]
    assert (image.shape, image.dtype, image.min(), image.max()) == ((1797, 8, 8, 1), "uint8", 0, 255)
    assert set(rows.columns["label"]) == set(range(10))
    assert image[0, 0, 2, 0] == 80  # 5 of 16
    assert rows.parts is None


@pytest.mark.parametrize(
    ("name", "counts", "columns"),
    [
        ("iris", {"setosa": 50, "versicolor": 50, "virginica": 50}, 4),
        ("wine", {"class_0": 59, "class_1": 71, "class_2": 48}, 13),
        ("breast_cancer", {"malignant": 212, "benign": 357}, 30),
    ],
)
def test_tables_have_class_names_and_origins_that_lead_to_their_line(name, counts, columns):
    import sklearn.datasets

    rows = read(SampleSettings(name=name), Path())
    assert Counter(rows.columns["label"]) == counts
    assert len(rows.columns) == columns + 1
    (file,) = rows.files
    lines = (Path(sklearn.datasets.__file__).parent / "data" / file).read_text().splitlines()
    for at in (0, len(rows) - 1):
        first = float(lines[int(rows.origins[at].split(":")[1]) - 1].split(",")[0])
        assert first == next(iter(rows.columns.values()))[at]
    assert all(len(value) == 64 for value in rows.files.values())
