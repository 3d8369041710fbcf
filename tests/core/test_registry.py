"""One resolver for our parts and other packages'."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwright.core import registry
from modelwright.core.errors import RecipeError
from modelwright.core.recipe import recipe_from
from modelwright.core.registry import Part

CODE = '''
from typing import Literal
from modelwright.core.registry import Part
from modelwright.core.settings import Settings

class Fancy(Settings):
    """An optimiser of another package."""
    kind: Literal["fancy"] = "fancy"
    lr: float = 0.5

def build(settings, parameters):
    return ("built", settings.lr)

PART = Part("fancy_package_{tag}:Fancy", "fancy_package_{tag}:build")
NOT_A_PART = {{"settings": "x"}}
SHADOW = Part("fancy_package_{tag}:Fancy", "fancy_package_{tag}:build")
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a distribution with the given entry points on the path."""

    def install(tag: str, points: str) -> None:
        place = tmp_path / tag
        info = place / f"fancy_{tag}-1.0.dist-info"
        info.mkdir(parents=True)
        (place / f"fancy_package_{tag}.py").write_text(CODE.format(tag=tag))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fancy-{tag}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points)
        monkeypatch.syspath_prepend(str(place))

    return install


def recipe(tmp_path: Path, optimiser: Any) -> Any:
    data = {
        "version": 1,
        "task": "image",
        "data": {"kind": "sample", "name": "digits"},
        "model": "cnn",
        "train": {"optimiser": optimiser},
    }
    return recipe_from(data, tmp_path)


def test_a_part_of_another_package_is_as_good_as_ours(package: Any, tmp_path: Path) -> None:
    assert "fancy" not in registry.names("optimiser")
    package("good", "[modelwright.optimiser]\nfancy = fancy_package_good:PART\n")
    assert "fancy" in registry.names("optimiser")
    assert recipe(tmp_path, "fancy").sections["train"].optimiser.lr == 0.5
    assert recipe(tmp_path, {"kind": "fancy", "lr": 0.25}).resolved()["train"]["optimiser"] == {
        "kind": "fancy",
        "lr": 0.25,
    }
    settings = registry.settings_of("optimiser", "fancy")()
    assert registry.function_of("optimiser", "fancy")(settings, []) == ("built", 0.5)
    with pytest.raises(RecipeError, match="did you mean 'lr'"):
        recipe(tmp_path, {"kind": "fancy", "lrr": 0.25})


def test_the_part_goes_with_its_package(package: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    package("gone", "[modelwright.optimiser]\nfancy = fancy_package_gone:PART\n")
    assert "fancy" in registry.names("optimiser")
    monkeypatch.undo()
    assert "fancy" not in registry.names("optimiser")


def test_nobody_takes_a_name_of_ours(package: Any) -> None:
    package("shadow", "[modelwright.optimiser]\nadam = fancy_package_shadow:SHADOW\n")
    assert registry.part("optimiser", "adam").settings.startswith("modelwright.")
    assert registry.names("optimiser").count("adam") == 1


def test_the_first_package_on_the_path_wins(package: Any) -> None:
    package("second", "[modelwright.optimiser]\nfancy = fancy_package_second:PART\n")
    package("first", "[modelwright.optimiser]\nfancy = fancy_package_first:PART\n")
    assert registry.part("optimiser", "fancy").settings == "fancy_package_first:Fancy"


def test_an_entry_point_of_the_wrong_type_is_named(package: Any) -> None:
    package("wrong", "[modelwright.optimiser]\nfancy = fancy_package_wrong:NOT_A_PART\n")
    with pytest.raises(
        RecipeError,
        match=r"modelwright\.optimiser: entry point 'fancy' is a dict.*expected a modelwright\.core\.registry\.Part",
    ):
        registry.part("optimiser", "fancy")


@pytest.mark.parametrize("target", ["fancy_package_broken:NOWHERE", "no_such_package_at_all:PART"])
def test_an_entry_point_that_cannot_be_loaded_is_named(target: str, package: Any, tmp_path: Path) -> None:
    package("broken", f"[modelwright.optimiser]\nfancy = {target}\n")
    with pytest.raises(RecipeError, match="the entry point 'fancy' cannot be loaded"):
        registry.part("optimiser", "fancy")
    # A broken package spoils nothing for those who do not use it.
    assert recipe(tmp_path, "adam").sections["train"].optimiser.kind == "adam"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(RecipeError) as caught:
        registry.part("optimiser", "adm")
    assert "'adm' is not a optimiser; did you mean 'adam'?" in str(caught.value).replace("an optimiser", "a optimiser")
    assert "one of " in str(caught.value)
    with pytest.raises(RecipeError) as caught:
        registry.part("optimiser", "zzzzzzzzz")
    assert "did you mean" not in str(caught.value)


def test_names_are_in_order_and_unknown_kinds_have_none() -> None:
    assert registry.names("optimiser") == sorted(registry.names("optimiser"))
    assert registry.names("no such kind") == []


def test_nothing_is_imported_before_it_is_used(package: Any) -> None:
    import sys

    package("lazy", "[modelwright.optimiser]\nfancy = fancy_package_lazy:PART\n")
    registry.names("optimiser")
    assert "fancy_package_lazy" not in sys.modules
    assert registry.part("optimiser", "fancy") == Part("fancy_package_lazy:Fancy", "fancy_package_lazy:build")
