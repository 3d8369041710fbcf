"""The order of stages comes from what they need and give, and from no name."""

from __future__ import annotations

import random
from hashlib import sha256
from pathlib import Path

import pytest
import toy_stages

from modelwright.core.digest import digest_of
from modelwright.core.errors import RecipeError
from modelwright.core.order import order
from modelwright.core.randomness import derive_seed
from modelwright.core.recipe import Recipe
from modelwright.core.settings import Settings
from modelwright.core.stage import Stage


def stages(**tables: dict[str, object]) -> dict[str, Stage]:
    return {name: Stage(name, "", "", **table) for name, table in tables.items()}  # type: ignore[arg-type]


def asking(*names: str) -> Recipe:
    return Recipe("toy", 0, {name: Settings() for name in names}, {}, Path())


def ordered(table: dict[str, Stage], *names: str, until: str | None = None) -> list[str]:
    return [stage.name for stage in order(asking(*names), until, table)]


LIFE = stages(
    release={"needs": ("model",), "gives": ("release",), "gathers": True},
    audit={"needs": ("model",), "claims": ("gap",)},
    evaluate={"needs": ("model", "dataset"), "claims": ("accuracy",), "gives": ("evaluation",)},
    train={"needs": ("dataset",), "gives": ("model",), "claims": ("loss",)},
    prepare={"gives": ("dataset",)},
    serve={"needs": ("release",), "claims": ("latency",)},
)


def test_needs_come_before_and_what_gathers_comes_last() -> None:
    found = ordered(LIFE, *LIFE)
    assert found[:2] == ["prepare", "train"]
    assert set(found[2:4]) == {"audit", "evaluate"}
    assert found[4:] == ["release", "serve"], "a stage that needs what the gatherer gives is not waited for"


def test_the_order_does_not_depend_on_the_table_or_the_recipe() -> None:
    for seed in range(20):
        names = sorted(LIFE)
        random.Random(seed).shuffle(names)
        found = ordered({name: LIFE[name] for name in names}, *names)
        assert found.index("prepare") < found.index("train") < min(found.index("audit"), found.index("evaluate"))
        assert found.index("release") > max(found.index("audit"), found.index("evaluate"))
        assert found == ordered({name: LIFE[name] for name in names}, *reversed(names))


def test_what_is_asked_brings_what_it_needs_and_no_more() -> None:
    assert ordered(LIFE, "train") == ["prepare", "train"]
    assert ordered(LIFE, "release") == ["prepare", "train", "release"]
    assert ordered(LIFE, *LIFE, until="evaluate") == ["prepare", "train", "evaluate"]
    assert ordered(LIFE, until="prepare") == ["prepare"]


SEARCHED = {**LIFE, **stages(search={"edits": ("prepare", "train", "model"), "gives": ("choice",)})}


def test_what_edits_comes_before_all_that_it_edits() -> None:
    found = ordered(SEARCHED, *SEARCHED)
    assert found[:3] == ["search", "prepare", "train"]
    assert sorted(found) == sorted(SEARCHED)
    # Whatever is asked for, or it would be made of another recipe; but only where the recipe has a section for it.
    assert ordered(SEARCHED, *SEARCHED, until="train") == ["search", "prepare", "train"]
    assert ordered(SEARCHED, *LIFE, until="train") == ["prepare", "train"]
    assert ordered(SEARCHED, *SEARCHED, until="search") == ["search"]


def test_a_reader_waits_too_and_what_the_editor_needs_does_not() -> None:
    table = stages(
        fetch={"gives": ("raw",), "reads": ("model",)},
        search={"edits": ("model",), "needs": ("raw",), "gives": ("choice",)},
        learn={"reads": ("model",), "needs": ("raw",), "gives": ("made",)},
        aside={"gives": ("other",)},
    )
    assert ordered(table, "search", "learn") == ["fetch", "search", "learn"]
    assert ordered(table, "search", "learn", until="aside") == ["aside"], "what is not edited does not wait"


def test_a_circle_is_named() -> None:
    table = stages(egg={"needs": ("hen",), "gives": ("egg",)}, hen={"needs": ("egg",), "gives": ("hen",)}, other={})
    with pytest.raises(RecipeError, match=r"the stages wait for each other: .*(egg -> hen|hen -> egg)"):
        ordered(table, "egg")
    assert ordered(table, "other") == ["other"]


def test_a_stage_that_needs_what_it_gives() -> None:
    with pytest.raises(RecipeError, match="wait for each other"):
        ordered(stages(loop={"needs": ("x",), "gives": ("x",)}), "loop")


def test_a_need_that_nobody_gives_is_named() -> None:
    with pytest.raises(RecipeError, match="no stage gives 'gold', which 'alchemy' needs"):
        ordered(stages(alchemy={"needs": ("gold",)}), "alchemy")


def test_an_unknown_stage_is_answered_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="'trian' is not a stage; did you mean 'train'"):
        ordered(LIFE, until="trian")


def test_a_recipe_that_asks_for_nothing(toys: list[str]) -> None:
    with pytest.raises(RecipeError, match="asks for no stage"):
        order(asking())


def test_registered_stages_are_ordered(toys: list[str], tmp_path: Path) -> None:
    assert [stage.name for stage in order(toy_stages.recipe(tmp_path))] == ["fetch", "learn", "judge", "ship"]


def test_seeds_differ_by_purpose_and_number_and_never_by_machine() -> None:
    assert derive_seed(1, "split") == int(sha256(b"1/split").hexdigest()[:16], 16) // 2 == 6289437342324778734
    seeds = {
        derive_seed(seed, purpose, *numbers)
        for seed in (0, 1)
        for purpose in ("split", "train")
        for numbers in ((), (0,), (1,), (0, 1), (1, 0))
    }
    assert len(seeds) == 20
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_digest_is_of_the_content() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of([1, 2]) != digest_of([2, 1])
    assert digest_of({"a": 1}) != digest_of({"a": 1.5})
    assert digest_of("\udc80") != digest_of("\\udc80"), "half a character is not its own escape"
    with pytest.raises(ValueError, match="JSON"):
        digest_of(float("nan"))
