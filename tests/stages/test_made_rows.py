"""Made rows are learnt from and nothing else: validation, test and golden rows are those of the data, whatever makes rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edited_recipe import digest, run_edited

from modelwright.core.run import Run
from modelwright.engine.dataset import read_part
from modelwright.engine.golden import read_golden
from modelwright.stages.train import run as stage
from modelwright.tasks.task import Examples

GAN = {"kind": "gan", "length": "20 steps", "batch": 16, "width": 8, "noise": 4, "modes": 2}
RECIPE: dict[str, Any] = {
    "version": 1,
    "name": "rare",
    "seed": 1,
    "task": "tabular",
    "data": {"kind": "csv", "path": "rows.csv", "label": "label"},
    "model": {"kind": "mlp", "hidden": [8]},
    "prepare": {"split": {"test": 0.25, "validation": 0.2}, "overlap": "keep"},
    "train": {"length": "6 steps", "batch": 16, "threads": 1},
    "evaluate": {"resamples": 100, "floor": "none"},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rare")
    dice = np.random.default_rng(0)
    rows = [f"{dice.normal():.4f},{dice.normal():.4f},{dice.choice(['a', 'b'])},often" for _ in range(160)]
    rows += [f"{dice.normal(4):.4f},{dice.normal(4):.4f},a,rarely" for _ in range(40)]
    (folder / "rows.csv").write_text("\n".join(["x,y,kind,label", *rows]))
    return folder


def rows_of(part: Examples) -> list[bytes]:
    columns = [np.ascontiguousarray(part.columns[name]) for name in ("numbers", "codes", "target")]
    return [b"".join(column[row].tobytes() for column in columns) for row in range(len(part))]


@pytest.mark.parametrize("maker", ["smote", GAN])
def test_made_rows_enter_neither_validation_nor_test(maker: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if maker == "smote":
        pytest.importorskip("imblearn")
    name = maker if isinstance(maker, str) else maker["kind"]
    learnt: dict[str, list[bytes]] = {}
    fit = stage._fit

    def watched(context: Any, task: Any, training: Examples, validation: Examples) -> Any:
        learnt["train"], learnt["validation"] = rows_of(training), rows_of(validation)
        return fit(context, task, training, validation)

    monkeypatch.setattr(stage, "_fit", watched)
    plain = run_edited(RECIPE, place, place / "plain")
    made: Run = run_edited(RECIPE, place, place / name, train__resample=maker)
    assert digest(made, "dataset") == digest(plain, "dataset")
    dataset, model = made.artifact("dataset"), made.artifact("model")
    assert dataset is not None
    assert model is not None
    parts = {part: rows_of(read_part(dataset.path, part)) for part in ("train", "validation", "test")}
    assert learnt["validation"] == parts["validation"]
    assert learnt["train"][: len(parts["train"])] == parts["train"]
    new = learnt["train"][len(parts["train"]) :]
    assert new
    assert not set(new) & {*parts["validation"], *parts["test"]}
    assert set(rows_of(read_golden(model.path)[0])) <= set(parts["validation"])
    claims = {item.name: item for item in made.evidence()}
    assert claims["accuracy"].n == len(parts["test"])
    again = run_edited(RECIPE, place, place / f"{name}-again", train__resample=maker)
    assert digest(again, "model") == digest(made, "model")
