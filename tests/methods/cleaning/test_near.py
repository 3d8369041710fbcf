"""Near duplicates, planted and found: nearly all of them, and hardly any other."""

from __future__ import annotations

import io
import random
import re

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from modelwright.methods.cleaning.near import bands_for, near_images, near_texts, perceptual_hash, pieces_of

WORDS = re.findall(
    r"\w+",
    "the a of market rose fell after shares company reports said oil price team won game season coach new software "
    "security users network phone launch court police minister election vote talks peace bank rate growth trade",
)


def test_pieces() -> None:
    assert pieces_of("Ab cde f") == {"abcde", "bcdef"}
    assert pieces_of("味道很好吃") == {"味道很", "道很好", "很好吃"}
    assert pieces_of("hi") == {"hi"}


@pytest.mark.parametrize("similarity", [0.5, 0.7, 0.8, 0.9, 0.95])
def test_bands_miss_less_than_one_pair_in_a_hundred(similarity: float) -> None:
    bands = bands_for(similarity)
    assert 1 - (1 - similarity ** (128 // bands)) ** bands >= 0.99


def test_planted_texts_are_found() -> None:
    generator = random.Random(5)
    texts = [" ".join(generator.choices(WORDS, k=30)) for _ in range(600)]
    for row in range(100):
        words = texts[row].split()
        words[generator.randrange(30)] = generator.choice(WORDS)
        texts.append(" ".join(words))
    pairs = {(one, other) for one, other, _ in near_texts(texts, 0.7, seed=1)}
    planted = {(row, 600 + row) for row in range(100)}
    assert len(pairs & planted) >= 95
    assert len(pairs - planted) <= 0.01 * len(texts)
    assert all(share >= 0.7 for _, _, share in near_texts(texts[:50], 0.7, seed=1))


def _photo(generator: np.random.Generator) -> np.ndarray:
    """Draw a picture of a many soft shapes, as photographs are."""
    small = Image.fromarray(generator.integers(0, 256, (14, 14, 3), dtype=np.uint8))
    return np.asarray(small.resize((32, 32), Image.Resampling.BICUBIC))


def test_planted_pictures_are_found() -> None:
    generator = np.random.default_rng(2)
    pictures = [_photo(generator) for _ in range(400)]
    for row in range(80):
        file = io.BytesIO()
        brighter = ImageEnhance.Brightness(Image.fromarray(pictures[row])).enhance(generator.uniform(0.85, 1.1))
        brighter.save(file, "JPEG", quality=60)
        pictures.append(np.asarray(Image.open(file)))
    pairs = {(one, other) for one, other, _ in near_images(pictures, 0.9)}
    planted = {(row, 400 + row) for row in range(80)}
    assert len(pairs & planted) >= 76
    assert len(pairs - planted) <= 4
    assert not list(near_images([], 0.9))


def test_brightness_is_not_in_the_hash() -> None:
    picture = _photo(np.random.default_rng(4)) // 2
    assert (perceptual_hash(picture) == perceptual_hash(picture + 60)).mean() > 0.95
