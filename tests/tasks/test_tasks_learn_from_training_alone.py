"""Tasks learn from the rows they are given and apply what was learnt, unchanged, to all others."""

from __future__ import annotations

import copy
import io
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from modelwright.core import registry
from modelwright.core.errors import DataError
from modelwright.sources.rows import Rows
from modelwright.tasks import classification
from modelwright.tasks.task import Task


def task(kind: str, **settings: Any) -> Task:
    built: Task = registry.function_of("task", kind)(
        registry.settings_of("task", kind).model_validate({"kind": kind, **settings})
    )
    return built


def rows(labels: list[Any] | None = None, **columns: Any) -> Rows:
    count = len(next(iter(columns.values())))
    found = {**columns, **({"label": labels} if labels is not None else {})}
    return Rows(found, [f"made.csv:{row + 2}" for row in range(count)], (), {})


def pictures(count: int, seed: int = 1, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 5, channels), dtype=np.uint8)


CASES: dict[str, tuple[Rows, Rows]] = {
    "image": (rows([1, 2, 1], image=pictures(3)), rows([2, 2], image=pictures(2, seed=2))),
    "text": (rows(["x", "y"], text=["one two two", "three"]), rows(["y"], text=["two unseen"])),
    "tabular": (
        rows(["x", "y", "x"], size=[1.0, None, 3.0], shape=["a", "b", None]),
        rows(["y", "y"], size=[9.0, None], shape=["new", "a"]),
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_was_learnt_is_applied_and_not_learnt_again(kind: str) -> None:
    train, other = CASES[kind]
    words = task(kind)
    learnt = words.examples(train, None).learnt
    before = copy.deepcopy(learnt)
    examples = words.examples(other, learnt)
    assert examples.learnt == before
    assert learnt == before
    # It is plain data: it goes into a file beside the model and comes back the same.
    assert json.loads(json.dumps(learnt)) == learnt
    assert len(examples) == len(other)


@pytest.mark.parametrize("kind", CASES)
def test_rows_without_labels_have_target_minus_one(kind: str) -> None:
    train, other = CASES[kind]
    words = task(kind)
    learnt = words.examples(train, None).learnt
    bare = Rows({name: column for name, column in other.columns.items() if name != "label"}, other.origins, (), {})
    assert words.examples(bare, learnt).columns["target"].tolist() == [-1] * len(other)


@pytest.mark.parametrize("kind", CASES)
def test_a_label_that_was_never_trained_is_named_with_its_row(kind: str) -> None:
    train, other = CASES[kind]
    words = task(kind)
    learnt = words.examples(train, None).learnt
    strange = Rows({**other.columns, "label": ["q"] * len(other)}, other.origins, (), {})
    with pytest.raises(DataError, match="the label 'q' does not occur in the training part") as caught:
        words.examples(strange, learnt)
    assert caught.value.problems[0].where == "made.csv:2"


@pytest.mark.parametrize("kind", CASES)
def test_one_class_is_too_few(kind: str) -> None:
    train, _ = CASES[kind]
    with pytest.raises(DataError, match="only one class, 'x'"):
        task(kind).examples(Rows({**train.columns, "label": ["x"] * len(train)}, train.origins, (), {}), None)


@pytest.mark.parametrize("kind", CASES)
def test_rows_of_another_kind_are_refused(kind: str) -> None:
    words = task(kind)
    with pytest.raises(DataError, match=r"no (pictures|text|feature columns)"):
        words.examples(
            rows(["x", "y"], **({"other": ["a", "b"]} if kind != "tabular" else {"label": ["x", "y"]})), None
        )


@pytest.mark.parametrize("kind", CASES)
def test_an_example_can_be_shown(kind: str) -> None:
    train, _ = CASES[kind]
    words = task(kind)
    shown = words.render(words.examples(train, None), 0)
    if kind == "image":
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown["image"]))), train.columns["image"][0, ..., 0])
    elif kind == "text":
        assert shown == {"text": "one two two"}
    else:
        assert shown == {"fields": {"size": 1.0, "shape": "a"}}


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([10, 9, 2, 10], ["2", "9", "10"]),
        (["b", "a", "B"], ["B", "a", "b"]),
        (["1.5", "-2", "1e1"], ["-2", "1.5", "1e1"]),
        (["1", "x"], ["1", "x"]),
    ],
)
def test_classes_are_ordered_as_people_expect(labels: list[Any], classes: list[str]) -> None:
    assert classification.learn_classes(labels) == classes
    assert classification.learn_classes(labels[::-1]) == classes


@pytest.mark.parametrize("channels", [1, 3])
def test_zscore_is_the_mean_and_deviation_of_the_training_pixels(channels: int) -> None:
    images = pictures(30, channels=channels)
    learnt = task("image").examples(rows([row % 2 for row in range(30)], image=images), None).learnt
    assert learnt["mean"] == pytest.approx(images.mean(axis=(0, 1, 2)).tolist())
    assert learnt["deviation"] == pytest.approx(images.std(axis=(0, 1, 2)).tolist())


@pytest.mark.parametrize(("normalise", "low", "high"), [("unit", 0.0, 1.0), ("symmetric", -1.0, 1.0)])
def test_fixed_scales_map_the_ends(normalise: str, low: float, high: float) -> None:
    images = np.stack([np.zeros((2, 2, 1), np.uint8), np.full((2, 2, 1), 255, np.uint8)])
    words = task("image", normalise=normalise)
    batch = words.collate(words.examples(rows(["a", "b"], image=images), None), np.array([0, 1]))
    assert batch.inputs["image"][0].unique().tolist() == [low]
    assert batch.inputs["image"][1].unique().tolist() == [high]


def test_a_constant_picture_does_not_divide_by_zero() -> None:
    words = task("image")
    examples = words.examples(rows(["a", "b"], image=np.full((2, 3, 3, 1), 7, np.uint8)), None)
    assert torch.isfinite(words.collate(examples, np.array([0, 1])).inputs["image"]).all()


def test_pictures_of_another_size_are_refused() -> None:
    words = task("image")
    learnt = words.examples(CASES["image"][0], None).learnt
    with pytest.raises(DataError, match="pictures of shape"):
        words.examples(rows([1], image=np.zeros((1, 9, 9, 1), np.uint8)), learnt)


def test_texts_are_cut_padded_and_unknown_words_are_one() -> None:
    words = task("text", length=3)
    train = rows(["x", "y"], text=["sun sun moon", "sun sea"])
    learnt = words.examples(train, None).learnt
    assert learnt["vocabulary"] == ["sun", "moon", "sea"]
    examples = words.examples(rows(text=["Sun!", "moon sea sun moon", "", "!?"]), learnt)
    # 0 is padding, 1 is unknown; a text of nothing is one unknown token, so that a mean over it is defined.
    assert examples.columns["tokens"].tolist() == [[2, 1, 0], [3, 4, 2], [1, 0, 0], [1, 1, 0]]
    assert examples.columns["length"].tolist() == [2, 3, 1, 2]
    batch = words.collate(examples, np.array([0, 2]))
    assert batch.inputs["tokens"].tolist() == [[2, 1], [1, 0]]


def test_chinese_is_read_by_character_and_the_vocabulary_does_not_depend_on_the_order_of_rows() -> None:
    texts = ["今天天气很好", "今天不好"]
    learnt = task("text").examples(rows(["x", "y"], text=texts), None).learnt
    assert learnt["tokens"] == "characters"
    turned = task("text").examples(rows(["y", "x"], text=texts[::-1]), None).learnt
    assert turned["vocabulary"] == learnt["vocabulary"]
    assert learnt["vocabulary"][:2] == ["天", "今"]


def test_a_table_knows_missing_unknown_and_dates() -> None:
    train = rows(
        ["x", "y", "x", "y"],
        size=[1.0, None, 3.0, 8.0],
        shape=["b", "a", "b", None],
        day=["2024-01-01", "2024-01-03", None, "2024-01-02"],
        empty=[None, None, None, None],
    )
    words = task("tabular")
    examples = words.examples(train, None)
    columns = {column["name"]: column for column in examples.learnt["columns"]}
    assert {name: column["type"] for name, column in columns.items()} == {
        "size": "number",
        "shape": "category",
        "day": "date",
    }
    assert columns["size"]["mean"] == 4.0
    assert columns["shape"]["categories"] == ["b", "a"]
    # A missing number stands at the median, and a flag says so.
    scaled = (3.0 - 4.0) / columns["size"]["deviation"]
    assert examples.columns["numbers"][1, 0] == pytest.approx(scaled)
    assert examples.columns["missing"].tolist() == [[False, False], [True, False], [False, True], [False, False]]
    assert examples.columns["codes"][:, 0].tolist() == [1, 2, 1, 0]
    other = words.examples(rows(size=[1.0], shape=["new"], day=["2024-02-01"]), examples.learnt)
    assert other.columns["codes"].tolist() == [[0]]
    with pytest.raises(DataError, match="there is no column 'day'"):
        words.examples(rows(size=[1.0], shape=["a"]), examples.learnt)
    for bad in ("many", "inf", math.inf):
        with pytest.raises(DataError, match="is not") as caught:
            words.examples(rows(size=[bad], shape=["a"], day=[None]), examples.learnt)
        assert caught.value.problems[0].where == "made.csv:2, column size"


def test_rare_categories_are_taken_together_and_ignored_columns_are_not_seen() -> None:
    train = rows(["x", "y"] * 3, shape=list("aaabbc"), secret=[1.0] * 6)
    learnt = task("tabular", categories=3, ignore=["secret"]).examples(train, None).learnt
    assert learnt["cardinalities"] == [3]
    assert [column["name"] for column in learnt["columns"]] == ["shape"]
    assert learnt["columns"][0]["categories"] == ["a", "b"]


def test_quantile_scale_makes_a_skewed_column_normal() -> None:
    skewed = np.exp(np.random.default_rng(1).normal(size=2000) * 2).tolist()
    words = task("tabular", scale="quantile")
    numbers = words.examples(rows(["x", "y"] * 1000, money=skewed), None).columns["numbers"][:, 0]
    assert abs(numbers.mean()) < 0.02
    assert abs(numbers.std() - 1) < 0.03
    assert abs(float(np.mean(numbers < 1)) - 0.841) < 0.01


@pytest.mark.parametrize(
    ("scale", "scaled"),
    [
        ("unit", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("symmetric", [-1.0, -0.5, 0.0, 0.5, 1.0]),
        ("robust", [-1.349, -0.674, 0.0, 0.674, 1.349]),
        ("zscore", [-1.414, -0.707, 0.0, 0.707, 1.414]),
    ],
)
def test_linear_scales(scale: str, scaled: list[float]) -> None:
    words = task("tabular", scale=scale)
    train = words.examples(rows(list("xyxyx"), money=[10.0, 20.0, 30.0, 40.0, 50.0]), None)
    assert train.columns["numbers"][:, 0].tolist() == pytest.approx(scaled, abs=1e-3)
    # Another row is scaled by what was learnt, not by itself; and a page shows it in the units of the data.
    other = words.examples(rows(["x"], money=[70.0]), train.learnt)
    step = train.columns["numbers"][1, 0] - train.columns["numbers"][0, 0]
    assert other.columns["numbers"][0, 0] == pytest.approx(train.columns["numbers"][4, 0] + 2 * step, abs=1e-5)
    assert words.render(other, 0)["fields"]["money"] == pytest.approx(70.0)


def test_the_robust_scale_is_not_moved_by_one_huge_number() -> None:
    words = task("tabular", scale="robust")
    money = [float(value) for value in range(99)]
    one, other = (
        words.examples(rows(["x", "y"] * 50, money=[*money, last]), None).columns["numbers"][:99, 0]
        for last in (99.0, 1e12)
    )
    assert np.abs(one - other).max() < 0.05
    half = words.examples(rows(["x", "y"] * 4, money=[5.0] * 7 + [6.0]), None).columns["numbers"]
    assert np.isfinite(half).all()


def test_a_perfect_score_on_few_examples_has_an_honest_interval() -> None:
    targets = np.array([0, 1] * 10)
    claims = {item.name: item for item in classification.metrics(targets, np.eye(2)[targets], 100, 0.95, 1)}
    # Wilson for 20 of 20.
    assert claims["accuracy"].value == 1.0
    assert claims["accuracy"].low == pytest.approx(20 / (20 + 1.959964**2), abs=1e-4)
