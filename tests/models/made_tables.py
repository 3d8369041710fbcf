"""Made tables and texts for the models that are fitted at once."""

from __future__ import annotations

import numpy as np


def table(rows, numbers, cardinalities, classes, seed, *, rare=()):
    """Return columns and targets that depend on them; codes in `rare` are left out (unknown when fitting)."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(rows, numbers)).astype(np.float32)
    missing = generator.random((rows, numbers)) < 0.15
    codes = (
        np.stack([generator.integers(0, count, rows) for count in cardinalities], axis=1)
        if cardinalities
        else np.zeros((rows, 0))
    )
    codes = np.where(np.isin(codes, rare), 1, codes).astype(np.int32)
    score = (
        np.where(missing, 1.0, values).sum(axis=1)
        + (codes * 7 % 5).sum(axis=1) * 0.5
        + generator.normal(size=rows) * 0.5
    )
    targets = np.searchsorted(np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1]), score)
    values[missing] = 0.0
    return {"numbers": values, "missing": missing, "codes": codes}, targets.astype(np.int64)


def known(cardinalities, classes=2, **more):
    """Return what preparation would have learnt."""
    return {"classes": [f"class {number}" for number in range(classes)], "cardinalities": list(cardinalities), **more}


def texts(rows, length, size, classes, seed):
    """Return padded tokens (1 is the unknown one) and targets that depend on them."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, classes, rows)
    lengths = generator.integers(1, length + 1, rows).astype(np.int32)
    common = generator.zipf(1.5, (rows, length)) % (size - 1) + 1
    telling = 1 + (targets[:, None] * 3 + generator.integers(0, 3, (rows, length))) % (size - 1)
    tokens = np.where(generator.random((rows, length)) < 0.3, telling, common)
    tokens[np.arange(length) >= lengths[:, None]] = 0
    return {"tokens": tokens.astype(np.int32), "length": lengths}, targets.astype(np.int64)
