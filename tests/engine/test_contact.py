"""The contact sheet shows pictures as they are and as augmentation changes them, and what no recipe asks for is not there."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelwright.core import registry
from modelwright.engine.contact import CHANGES, CONTACT, GAP, ROWS, contact_sheet
from modelwright.methods.augmentation.settings import Augment
from modelwright.sources.rows import Rows


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 80])
def test_a_row_for_each_picture_first_as_it_is(channels: int, side: int) -> None:
    images = np.random.default_rng(1).integers(0, 256, (20, side, side, channels), dtype=np.uint8)
    task = registry.function_of("task", "image")(registry.settings_of("task", "image")(), Path())
    rows = Rows({"image": images, "label": ["a", "b"] * 10}, [str(row) for row in range(20)], (), {})
    training = task.examples(rows, None)
    assert contact_sheet(Augment(), task, training, 1) == b""
    content = contact_sheet(Augment(flip=1.0), task, training, 1)
    assert content == contact_sheet(Augment(flip=1.0), task, training, 1)
    sheet = np.array(Image.open(io.BytesIO(content)))
    times = max(1, 64 // side)
    cell = side * times + 2 * GAP
    assert sheet.shape == (ROWS * cell, (1 + CHANGES) * cell, 3)

    def picture(row: int, column: int) -> np.ndarray:
        found = sheet[row * cell + GAP : (row + 1) * cell - GAP, column * cell + GAP : (column + 1) * cell - GAP]
        return found[::times, ::times]

    assert np.array_equal(picture(0, 0), np.broadcast_to(images[0], (side, side, 3)))
    assert np.array_equal(picture(ROWS - 1, 0), np.broadcast_to(images[19], (side, side, 3)))
    assert np.array_equal(picture(2, 3), picture(2, 0)[:, ::-1])
    turned = contact_sheet(Augment(rotation=90.0), task, training, 1)
    assert turned not in (content, contact_sheet(Augment(rotation=90.0), task, training, 2))
    assert CONTACT == "augmented.png"
