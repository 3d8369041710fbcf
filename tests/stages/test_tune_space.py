"""The space of a search: what it may say, what is refused and where, what a grid of it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelwright.core.errors import RecipeError
from modelwright.core.recipe import load_recipe
from modelwright.stages.tune.space import Choices, Fields, Fixed, Range, edits_of, ends_of, grid_of, read_space

HEAD = """version: 1
task: image
data: {kind: sample, name: digits}
model: cnn
train: {length: 2 epochs}
tune:
"""


def space_of(**data: Any) -> Any:
    space, problems = read_space(data)
    assert not problems, problems
    return space


def test_every_domain_is_read() -> None:
    found = dict(
        space_of(
            a="uniform(0, 0.5)",
            b="log(1e-4, 1e-1)",
            c="int(8, 256)",
            d=" log_int( 16 ,512 ) ",
            e=["adam", 3, [1, 2]],
            f={"kind": "mlp", "hidden": "int(1, 2)"},
        )
    )
    assert found["a"] == Range(0, 0.5, whole=False, logarithmic=False)
    assert found["b"] == Range(1e-4, 0.1, whole=False, logarithmic=True)
    assert found["c"] == Range(8, 256, whole=True, logarithmic=False)
    assert found["d"] == Range(16, 512, whole=True, logarithmic=True)
    assert found["e"] == Choices((Fixed("adam"), Fixed(3), Fixed([1, 2])))
    assert found["f"] == Fields((("hidden", Range(1, 2, True, False)), ("kind", Fixed("mlp"))))


def test_sections_below_each_other_are_dotted_keys_and_their_order_is_no_matter() -> None:
    one = space_of(**{"train.batch": [1, 2], "model.dropout": "uniform(0, 1)"})
    assert one == space_of(model={"dropout": "uniform(0, 1)"}, train={"batch": [1, 2]})


def test_what_is_not_chosen_is_not_drawn() -> None:
    space = space_of(model=[{"kind": "lstm", "hidden": "int(32, 256)"}, {"kind": "transformer", "heads": [2, 4]}])
    met: list[str] = []

    def draw(name: str, node: Any, index: int = 1) -> int:
        met.append(name)
        return index

    assert edits_of(space, draw) == {"model": {"kind": "transformer", "heads": 4}}
    assert met == ["model", "model[transformer].heads"]


def test_a_grid_holds_every_combination_once() -> None:
    space = space_of(a="int(3, 5)", m=[{"kind": "x", "h": [[1], [2]]}, {"kind": "y"}], z=["p", "q"])
    points = [edits_of(space, lambda name, node, drawn=drawn: drawn[name]) for drawn in grid_of(space)]
    assert len(points) == 3 * (2 + 1) * 2
    assert len({repr(point) for point in points}) == len(points)
    assert points[0] == {"a": 3, "m": {"h": [1], "kind": "x"}, "z": "p"}
    assert points[-1] == {"a": 5, "m": {"kind": "y"}, "z": "q"}


def test_the_ends_of_a_part_are_tried_one_by_one() -> None:
    (_, node), *_ = space_of(model=[{"kind": "mlp", "dropout": "uniform(0, 1)", "width": "int(2, 9)"}, "linear"])
    assert ends_of(node) == [
        {"kind": "mlp", "dropout": 0.0, "width": 2},
        {"kind": "mlp", "dropout": 1.0, "width": 2},
        {"kind": "mlp", "dropout": 0.0, "width": 9},
        "linear",
    ]


@pytest.mark.parametrize(
    ("value", "found", "expected"),
    [
        ("unifrm(0, 1)", "did you mean 'uniform'", "a list of choices"),
        ("uniform(0, 1", "which cannot be read", "log(1e-4, 1e-1)"),
        ("uniform(0)", "found 'uniform(0)'", "two numbers"),
        ("uniform(a, b)", "found 'uniform(a, b)'", "two numbers"),
        ("uniform(1, 1)", "found 'uniform(1, 1)'", "a first number below the second"),
        ("uniform(0, 1e999)", "found", "finite numbers"),
        ("log(0, 1)", "found", "numbers above 0"),
        ("int(1.5, 3)", "found", "whole numbers"),
        ([], "the list of choices is empty", "at least one choice"),
        ("adam", "leaves nothing to search", "a list of choices"),
        (3, "leaves nothing to search", "a list of choices"),
        ([{"kind": "mlp", "hidden": "itn(1, 2)"}], "did you mean 'int'", "a list of choices"),
    ],
)
def test_what_cannot_be_searched_is_refused(value: Any, found: str, expected: str) -> None:
    _, problems = read_space({"key": value})
    assert len(problems) == 1
    assert found in problems[0][1]
    assert expected in problems[0][2]


def complaints(folder: Path, tune: str) -> dict[str, str]:
    """Return what is wrong with a recipe: line of the file -> sentence."""
    path = folder / "recipe.yaml"
    path.write_text(HEAD + tune)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    return {problem.where.removeprefix(f"{path}:"): str(problem) for problem in caught.value.problems}


def test_unreadable_domains_are_told_with_their_lines_all_at_once(tmp_path: Path) -> None:
    found = complaints(
        tmp_path,
        "  space:\n    train.batch: intt(1, 2)\n    model:\n      - {kind: mlp, dropout: uniform(0.5, 0.1)}\n"
        "      - kind: cnn\n        dropout: []\n",
    )
    assert list(found) == ["8", "10", "12"]
    assert "'tune.space.train.batch': 'intt' is not a domain; did you mean 'int'" in found["8"]
    assert "expected a first number below the second" in found["10"]
    assert "the list of choices is empty" in found["12"]


def test_keys_and_values_that_the_recipe_does_not_take_are_told_with_their_lines(tmp_path: Path) -> None:
    found = complaints(
        tmp_path,
        "  space:\n    train.optimiser.lrr: log(1e-4, 1e-1)\n    train.batch: int(0, 5)\n    trian.batch: [1, 2]\n"
        "    seed: [1, 2]\n    evaluate.worst: [1, 2]\n    model: [cnn, lstm]\n    train.clip_norm: uniform(0, 1)\n",
    )
    assert "'train.optimiser.lrr' is not a key; did you mean 'lr'" in found["8"]
    assert "'train.batch': found 0" in found["9"]
    assert "did you mean 'train'" in found["10"]
    assert "another validation part" in found["11"]
    assert "changes nothing in a trial" in found["12"]
    assert "'lstm' is for text" in found["13"]
    assert len(found) == 6


def test_a_key_inside_a_part_that_is_searched_for_needs_one_fitting_choice(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(HEAD + "  space: {model: [{kind: mlp}, {kind: residual}], model.hidden: [[8], [16]]}\n")
    assert load_recipe(path).sections["tune"]
    found = complaints(tmp_path, "  space: {model: [{kind: residual}, cnn], model.hidden: [[8], [16]]}\n")
    assert "'model.hidden' is not a key" in found["7"]


def test_a_grid_of_endless_values_is_refused(tmp_path: Path) -> None:
    found = complaints(tmp_path, "  method: grid\n  space: {train.batch: [8, 16], train.clip_norm: uniform(0, 1)}\n")
    assert "a grid cannot hold all values of train.clip_norm" in "".join(found.values())


def test_a_space_must_be_there(tmp_path: Path) -> None:
    assert "'tune.space' is missing" in "".join(complaints(tmp_path, "  method: grid\n").values())
    assert "expected a mapping" in "".join(complaints(tmp_path, "  space: [1]\n").values())
