"""Cross-validation: every row that is not test is judged once, by a model that never saw it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelwright.core.run import Run

Tiny = Callable[..., Run]


def pictures(run: Path, part: str) -> list[bytes]:
    """Return the pictures of a part of a run's dataset."""
    dataset = Run(run).artifact("dataset")
    assert dataset is not None
    return [picture.tobytes() for picture in np.load(dataset.path / part / "image.npy")]


def test_each_fold_is_judged_once(tiny: Tiny) -> None:
    made = tiny("evaluate", evaluate__folds=3)
    inner = sorted((made.folder / "inner").iterdir())
    assert [path.name.rpartition("-")[0] for path in inner if path.is_dir()] == [
        f"tiny-fold-{n}-of-3" for n in (1, 2, 3)
    ]
    folders = [path for path in inner if path.is_dir()]
    judged = [picture for folder in folders for picture in pictures(folder, "test")]
    test = pictures(made.folder, "test")
    rest = pictures(made.folder, "train") + pictures(made.folder, "validation")
    assert sorted(judged) == sorted(rest)
    assert not set(judged) & set(test)
    for folder in folders:
        seen = set(pictures(folder, "train")) | set(pictures(folder, "validation"))
        assert not seen & set(test)
        assert not seen & set(pictures(folder, "test"))
        assert abs(len(pictures(folder, "test")) - len(rest) / 3) <= 1
    # Everything is rebuilt: what was learnt of the pictures, and the first weights.
    learnt = {
        json.dumps(json.loads((Run(folder).artifact("dataset").path / "preprocessing.json").read_text())["mean"])
        for folder in folders
    }
    assert len(learnt) == 3
    assert len({Run(folder).artifact("model").digest for folder in [*folders, made.folder]}) == 4


def test_the_mean_over_folds_is_claimed_with_an_interval(tiny: Tiny) -> None:
    made = tiny("evaluate", evaluate__folds=3)
    claims = {item.name: item for item in made.evidence()}
    scores = []
    for folder in sorted(path for path in (made.folder / "inner").iterdir() if path.is_dir()):
        scores += [item.value for item in Run(folder).evidence() if item.name == "accuracy"]
    claim = claims["cross_validation[accuracy]"]
    assert claim.value == pytest.approx(np.mean(scores))
    assert claim.n == 3
    assert claim.low < claim.value < claim.high
    # Nadeau and Bengio: the variance of the mean is that of the scores times (1/3 + 1/2).
    half = 4.302653 * np.sqrt((1 / 3 + 1 / 2) * np.var(scores, ddof=1))
    assert claim.high - claim.value == pytest.approx(
        min(half, 1 - claim.value), rel=1e-4
    ) or claim.high == pytest.approx(claim.value + half, rel=1e-4)
    assert claim.about["model"] == made.artifact("model").digest
    summary = json.loads((made.artifact("evaluation").path / "summary.json").read_text())
    assert [fold["accuracy"] for fold in summary["folds"]] == scores


def test_the_test_part_is_opened_once_and_folds_are_not_run_again(tiny: Tiny) -> None:
    made = tiny("evaluate", evaluate__folds=3)
    journals = list((made.folder / "inner").glob("*/journal.jsonl"))
    before = {path: len(path.read_text().splitlines()) for path in journals}
    tiny("evaluate", evaluate__folds=3, evaluate__worst=3)
    opened = [line for line in (made.folder / "journal.jsonl").read_text().splitlines() if "test part opened" in line]
    assert len(opened) == 1
    finished = [path for path in (made.folder / "inner").glob("*/journal.jsonl") if path in before]
    for path in finished:
        fresh = path.read_text().splitlines()[before[path] :]
        assert not any('"stage started"' in line for line in fresh)
