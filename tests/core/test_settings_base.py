"""Settings are strict and frozen; parts are chosen by name, short or long."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from modelwright.core.errors import RecipeError
from modelwright.core.recipe import recipe_from
from modelwright.core.registry import settings_of
from modelwright.core.settings import (
    NO_EFFECT,
    Bytes,
    Choice,
    Fraction,
    Joules,
    Length,
    Seconds,
    Sequence,
    Settings,
    effective,
)
from modelwright.core.units import Span


class Inner(Settings):
    """A nested group."""

    depth: int = 1


class Example(Settings):
    """One field of each kind."""

    memory: Bytes = 0.0
    wait: Seconds = Field(1.0, gt=0)
    energy: Joules = 0.0
    share: Fraction = Field(0.5, ge=0, le=1)
    length: Length = Span(1, "epochs")
    sizes: Sequence[int] = ()
    mode: Literal["a", "b"] = "a"
    count: int = 1
    rate: float = 0.1
    inner: Inner = Inner()
    optimiser: Annotated[Any, Choice("optimiser")] = Field("adam", validate_default=True)


def test_quantities_are_read() -> None:
    found = Example.model_validate(
        {"memory": "2 KiB", "wait": "3 min", "energy": "1 Wh", "share": "25 %", "length": "7 steps", "sizes": [1, 2]}
    )
    assert (found.memory, found.wait, found.energy, found.share, found.length, found.sizes) == (
        2048,
        180,
        3600,
        0.25,
        Span(7, "steps"),
        (1, 2),
    )
    assert Example().optimiser.kind == "adam"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("memory", "2 s"),
        ("memory", True),
        ("memory", [1]),
        ("memory", None),
        ("wait", 0),
        ("wait", "-1 s"),
        ("share", "101 %"),
        ("share", math.nan),
        ("length", 3),
        ("length", None),
        ("sizes", 1),
        ("sizes", "12"),
        ("sizes", [1.5]),
        ("sizes", [True]),
        ("mode", "c"),
        ("count", 1.0),
        ("count", "1"),
        ("count", True),
        ("rate", "0.1"),
        ("rate", math.nan),
        ("rate", math.inf),
        ("inner", 3),
        ("inner", {"deep": 1}),
        ("no_such_key", 1),
    ],
)
def test_types_are_not_guessed(key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Example.model_validate({key: value})


def test_a_whole_number_may_stand_for_a_rate() -> None:
    assert Example.model_validate({"rate": 1}).rate == 1.0


def test_settings_are_frozen_and_their_lists_too() -> None:
    settings = Example(sizes=[1, 2])  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="frozen"):
        settings.count = 2
    assert hash(settings.sizes) == hash((1, 2))


def test_what_is_dumped_reads_back_equal() -> None:
    settings = Example.model_validate(
        {"length": "1234567 steps", "share": "33.3 %", "sizes": [3], "optimiser": {"kind": "sgd", "lr": 0.123456789}}
    )
    assert Example.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize("value", ["sgd", {"kind": "sgd"}, {"kind": "sgd", "momentum": 0.0}])
def test_the_forms_of_a_choice(value: object) -> None:
    found = Example.model_validate({"optimiser": value}).optimiser
    assert found == settings_of("optimiser", "sgd")()
    assert Example(optimiser=found).optimiser is found


@pytest.mark.parametrize("value", [3, None, [], ["sgd"], {}, {"lr": 1.0}, {"kind": 3}, {"kind": None}, True])
def test_what_is_no_choice(value: object) -> None:
    with pytest.raises(ValidationError, match=r"expected the name of an? optimiser"):
        Example.model_validate({"optimiser": value})


def test_an_unknown_choice_and_a_wrong_key_of_a_choice() -> None:
    with pytest.raises(ValidationError, match="'sdg' is not a"):
        Example.model_validate({"optimiser": "sdg"})
    with pytest.raises(ValidationError) as caught:
        Example.model_validate({"optimiser": {"kind": "sgd", "momentun": 1.0, "lr": "x"}})
    (error,) = caught.value.errors()
    assert error["type"] == "nested"
    assert {inner["loc"][0] for inner in error["ctx"]["errors"]} == {"momentun", "lr"}


def test_a_section_that_is_a_choice(tmp_path: Path) -> None:
    data: dict[str, Any] = {"version": 1, "task": "image", "data": {"kind": "sample", "name": "digits"}, "model": "cnn"}
    assert recipe_from(data, tmp_path).sections["model"] == settings_of("model", "cnn")()
    with pytest.raises(RecipeError, match="expected the name of a model"):
        recipe_from({**data, "model": 3}, tmp_path)


class Layer(Settings):
    """A part of which one field is a matter of speed alone."""

    kind: Literal["layer"] = "layer"
    width: int = 3
    chunk: int = Field(8, json_schema_extra={NO_EFFECT: True})


class Stack(Settings):
    """Parts inside and a field of that sort."""

    layers: Sequence[Layer] = (Layer(), Layer(width=4, chunk=9))
    first: Layer = Layer(chunk=1)
    chosen: Annotated[Any, Choice("optimiser")] = Field("adam", validate_default=True)
    names: Sequence[str] = ("a",)
    workers: int = Field(0, json_schema_extra={NO_EFFECT: True})
    length: Length = Span(2, "steps")


def test_fields_that_change_no_result_are_left_out_at_every_depth() -> None:
    found = effective(Stack(workers=3))
    assert found == effective(Stack(first=Layer(chunk=5)))
    assert found != effective(Stack(first=Layer(width=5)))
    assert found["layers"] == [{"kind": "layer", "width": 3}, {"kind": "layer", "width": 4}]
    assert found["first"] == {"kind": "layer", "width": 3}
    assert (found["names"], found["length"], "workers" in found) == (["a"], "2 steps", False)
    assert found["chosen"] == Stack().model_dump(mode="json")["chosen"]
    # Nothing else is lost, and without marks nothing at all.
    assert set(found) == {"layers", "first", "chosen", "names", "length"}
    assert effective(Example()) == Example().model_dump(mode="json")
