from __future__ import annotations

import numpy
import pytest

from modelwright.sources.rows import Chained, Numbered, Quarantined, Rows


def test_take_takes_every_column_origin_and_part_alike():
    image = numpy.arange(8, dtype=numpy.uint8).reshape(4, 1, 2, 1)
    bad = (Quarantined("f:9", "why"),)
    rows = Rows({"image": image, "label": [0, 1, 2, 3]}, Numbered("f", 1, 4), bad, {"f": "d"}, list("abcd"))
    taken = rows.take(numpy.array([3, 1]))
    assert taken.columns["image"].tolist() == image[[3, 1]].tolist()
    assert taken.columns["label"] == [3, 1]
    assert (list(taken.origins), taken.parts) == (["f:4", "f:2"], ["d", "b"])
    assert (taken.quarantined, taken.files, len(taken)) == (bad, {"f": "d"}, 2)


def test_columns_of_unequal_length_are_a_bug():
    with pytest.raises(ValueError, match="unequal length"):
        Rows({"label": [1, 2]}, ["a"], (), {})


def test_lazy_origins_are_the_written_out_ones():
    chained = Chained((Numbered("a", 1, 2), Numbered("b", 5, 3)))
    written = ["a:1", "a:2", "b:5", "b:6", "b:7"]
    assert [*chained] == written
    assert [chained[at] for at in range(-5, 0)] == written
    assert chained[1:4] == written[1:4]
    assert Numbered("a", 1, 4)[::2] == ["a:1", "a:3"]
    for sequence in (chained, Numbered("a", 1, 5)):
        for at in (5, -6):
            with pytest.raises(IndexError):
                sequence[at]
