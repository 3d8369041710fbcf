"""Recipes: everything that is wrong comes at once, with file:line and the nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.core.errors import RecipeError
from modelwright.core.recipe import Recipe, load_recipe, recipe_from
from modelwright.core.registry import settings_of
from modelwright.core.units import Span

HEAD = "version: 1\nname: test\ntask: image\ndata: {kind: sample, name: digits}\nmodel: cnn\n"
PLAIN: dict[str, Any] = {
    "version": 1,
    "name": "test",
    "task": "image",
    "data": {"kind": "sample", "name": "digits"},
    "model": "cnn",
}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write_one(text: str | bytes, name: str = "r.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_one


def problems(path: Path, *overrides: str) -> list[str]:
    """Load a recipe that is wrong; return what is said about it, without the folder."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    assert caught.value.exit_code == 2
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def one(path: Path, *overrides: str) -> str:
    (found,) = problems(path, *overrides)
    return found


def test_a_good_recipe(write: Any, tmp_path: Path) -> None:
    recipe = load_recipe(
        write(
            HEAD + "seed: 3\ntrain: {length: 7 steps, optimiser: {kind: sgd, lr: 1e-3}}\n"
            "evaluate:\nx-note: [free, {form: 1}]\n"
        )
    )
    assert (recipe.name, recipe.seed, recipe.base) == ("test", 3, tmp_path)
    assert recipe.sections["train"].length == Span(7, "steps")
    assert recipe.sections["train"].optimiser.lr == 0.001
    assert set(recipe.sections) == {"task", "data", "model", "train", "evaluate"}
    assert recipe_from(recipe.resolved(), tmp_path).digest == recipe.digest


def test_all_errors_come_at_once(write: Any) -> None:
    path = write(
        "version: 2\nname: a/b\nseed: -1\ntask: imgae\ndata: {kind: sample, name: digits}\n"
        "tarin: {}\ntrain:\n  batch: 0\n  lenght: 3 epochs\n"
        "  optimiser:\n    kind: adam\n    lrr: 1\n    beta1: high\nrelease:\n  gates:\n    - accuracy > 1\n"
    )
    found = problems(path)
    assert [line.split(": ")[0] for line in found] == [
        "r.yaml:1",
        "r.yaml:2",
        "r.yaml:3",
        "r.yaml:4",
        "r.yaml:6",
        "r.yaml:8",
        "r.yaml:13",
        "r.yaml:12",
        "r.yaml:9",
        "r.yaml:16",
        "r.yaml",
    ]
    text = "\n".join(found)
    for part in (
        "version is 2; expected version: 1",
        "name is 'a/b'",
        "seed is -1",
        "'imgae' is not a task; did you mean 'image'?",
        "'tarin' is not a section; did you mean 'train'?",
        "'train.batch': found 0; expected greater than or equal to 1",
        "'train.lenght' is not a key; did you mean 'length'?",
        "'train.optimiser.lrr' is not a key; did you mean 'lr'?",
        "'train.optimiser.beta1': found 'high'; expected a valid number",
        "'release.gates.0': found 'accuracy > 1'; expected a gate such as",
        "the section 'model' is missing",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: '1'", "version is '1'"),
        ("version: 1.0", "version is 1.0"),
        ("version: true", "version is True"),
        ("version:", "version is None"),
        ("name: ''", "name is ''"),
        ("name: ..", "name is '..'"),
        ("name: .hidden", "name is '.hidden'"),
        ("name: -x", "name is '-x'"),
        ("name: a b", "name is 'a b'"),
        ("name: 3", "name is 3"),
        ("name: 模", "name is '模'"),
        ("name: a/b", "name is 'a/b'"),
        ("name: " + "x" * 101, "name is 'xxx"),
        ("seed: -1", "seed is -1"),
        ("seed: 1.5", "seed is 1.5"),
        ("seed: true", "seed is True"),
        ("seed: 9223372036854775808", "seed is 9223372036854775808"),
        ("seed: '1'", "seed is '1'"),
        ("extends: 3", "extends is 3"),
    ],
)
def test_the_header(text: str, expected: str, write: Any) -> None:
    key = text.split(":")[0]
    lines = [line for line in HEAD.splitlines() if not line.startswith(f"{key}:")]
    found = one(write("\n".join([*lines, text])))
    assert found.startswith(f"r.yaml:{len(lines) + 1}: {expected}")
    assert "expected " in found


def test_a_missing_version_and_the_defaults_of_the_rest(write: Any) -> None:
    assert "version is None; expected version: 1" in one(write(HEAD.replace("version: 1\n", "")))
    recipe = load_recipe(write(HEAD.replace("name: test\n", "")))
    assert (recipe.name, recipe.seed) == ("recipe", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train: 5", "r.yaml:6: 'train': found 5; expected a mapping of keys"),
        ("train: [1]", "r.yaml:6: 'train': found [1]; expected a mapping of keys"),
        ("train: {'learning rate': 3}", "r.yaml:6: 'train.learning rate' is not a key"),
        ("train: {'': 3}", "r.yaml:6: 'train.' is not a key"),
        ("train: {function: 3}", "r.yaml:6: 'train.function' is not a key"),
        ("train: {int: 3}", "r.yaml:6: 'train.int' is not a key"),
        (
            "train:\n  save:\n    kep: 3",
            "r.yaml:8: 'train.save.kep' is not a key; did you mean 'keep'?; expected one of every, keep",
        ),
        ("train: {threads: many}", "r.yaml:6: 'train.threads': found 'many'; expected a valid integer or 'auto'"),
        (
            "train: {length: 5}",
            "r.yaml:6: 'train.length': found '5'; expected a length such as '3 epochs' or '200 steps'",
        ),
        ("train: {length: 5 GiB}", "r.yaml:6: 'train.length': found '5 GiB'; expected a length such as"),
        ("train: {batch: 1e2}", "r.yaml:6: 'train.batch': found 100.0; expected a valid integer"),
        ("train: {batch: yes}", "r.yaml:6: 'train.batch': found 'yes'; expected a valid integer"),
        ("train: {clip_norm: .nan}", "r.yaml:6: 'train.clip_norm': found nan; expected a finite number"),
        ("train: {clip_norm: 1e400}", "r.yaml:6: 'train.clip_norm': found inf; expected a finite number"),
        ("train: {keep: worst}", "r.yaml:6: 'train.keep': found 'worst'; expected 'best' or 'last'"),
        ("train: {optimiser: adma}", "r.yaml:6: 'train.optimiser': 'adma' is not a optimiser; did you mean 'adam'?"),
        (
            "train: {optimiser: {lr: 1}}",
            "r.yaml:6: 'train.optimiser': found {'lr': 1}; expected the name of a optimiser",
        ),
        (
            "train:\n  optimiser: {kind: sgd,\n   lr: fast}",
            "r.yaml:8: 'train.optimiser.lr': found 'fast'; expected a valid number",
        ),
        (
            "prepare: {split: {test: 30 ms}}",
            "r.yaml:6: 'prepare.split.test': found '30 ms'; expected a number of fraction",
        ),
        ("prepare: {split: {test: 130 %}}", "r.yaml:6: 'prepare.split.test': found '130 %'; expected less than 1"),
        ("release: {gates: {a: 1}}", "r.yaml:6: 'release.gates'"),
        ("y-note: 1", "r.yaml:6: 'y-note' is not a section"),
        ("X-note: 1", "r.yaml:6: 'X-note' is not a section"),
        ("<<: {a: 1}", "r.yaml:6: '<<' is not a section"),
    ],
)
def test_one_error(text: str, expected: str, write: Any) -> None:
    assert one(write(HEAD + text)).replace(" an optimiser", " a optimiser").startswith(expected)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "r.yaml: the file is empty"),
        (b"# nothing\n", "r.yaml: the file is empty"),
        (b"- a\n- b\n", "r.yaml:1: found a list; expected a mapping"),
        (b"text", "r.yaml:1: found a str"),
        (b"---\n", "r.yaml:1: found a NoneType"),
        (b"name: caf\xe9\n", "r.yaml: byte 9 is not UTF-8"),
        (b"\xff\xfen\x00", "r.yaml: byte 0 is not UTF-8"),
        (b"a: 1\na: 2\n", "r.yaml:2: the key 'a' stands twice"),
        (b"a: [", "r.yaml:1: this is not YAML"),
    ],
)
def test_files_that_are_no_recipe(content: bytes, expected: str, write: Any) -> None:
    assert one(write(content)).startswith(expected)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    assert "there is no such file" in one(tmp_path / "nothing.yaml")
    assert "this is a folder" in one(tmp_path)


def test_a_byte_order_mark_and_dos_lines_are_fine(write: Any) -> None:
    assert load_recipe(write(b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").encode())).name == "test"


def test_missing_sections_are_each_named(write: Any) -> None:
    found = problems(write("version: 1\ntrain: {}\n"))
    assert found == [
        f"r.yaml: the section '{name}' is missing; expected a section '{name}'" for name in ("task", "data", "model")
    ]


# Overrides


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("train.batch=7", "batch", 7),
        ("train.length=9 steps", "length", Span(9, "steps")),
        ("train.clip_norm=1e-3", "clip_norm", 0.001),
        ("train.save={keep: 5}", "save.keep", 5),
        ("train.save.keep=5", "save.keep", 5),
        ("train.optimiser=sgd", "optimiser.kind", "sgd"),
        ("train.optimiser.kind=sgd", "optimiser.kind", "sgd"),
        ("train.optimiser.lr=0.25", "optimiser.lr", 0.25),
        ("train.optimiser={kind: sgd, lr: 0.5}", "optimiser.lr", 0.5),
    ],
)
@pytest.mark.parametrize(
    "train", ["train: {optimiser: adam}", "train: {optimiser: {kind: adam}, save: {every: 1 steps}}"]
)
def test_an_override_changes_one_key(train: str, override: str, key: str, value: object, write: Any) -> None:
    found: Any = load_recipe(write(HEAD + train), (override,)).sections["train"]
    for step in key.split("."):
        found = getattr(found, step)
    assert found == value


def test_an_override_reaches_into_a_part_that_the_recipe_leaves_at_its_default(write: Any) -> None:
    path = write(HEAD)
    train: Any = load_recipe(path, ("train.optimiser.lr=0.25", "train.batch=3")).sections["train"]
    assert (train.optimiser.kind, train.optimiser.lr, train.batch) == ("adam", 0.25, 3)
    assert load_recipe(path).edited({"train.optimiser.beta1": 0.5}).sections["train"].optimiser.beta1 == 0.5  # type: ignore[attr-defined]
    # A part of another kind is named first, as it stands on the command line.
    train = load_recipe(path, ("train.optimiser.kind=sgd", "train.optimiser.momentum=0.5")).sections["train"]
    assert (train.optimiser.kind, train.optimiser.momentum) == ("sgd", 0.5)
    assert "'train.optimiser.momentum' is not a key" in one(path, "train.optimiser.momentum=0.5")
    assert "'train.nothing' is not a key" in one(path, "train.nothing.lr=0.5")


TEXT = "version: 1\nname: test\ntask: text\ndata: {kind: csv, path: a.csv}\nmodel: bag\n"


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ("augment: {flip: 0.5}", "'train.augment' is for image, and the task is text; expected no train.augment"),
        ("mixing: [label_smoothing, mixup]", "'train.mixing.1': 'mixup' is for image, and the task is text"),
        ("mixing: [cutmix]", "'train.mixing.0': 'cutmix' is for image, and the task is text"),
    ],
)
def test_a_part_inside_a_section_must_serve_the_task(train: str, said: str, write: Any) -> None:
    assert said in one(write(f"{TEXT}train: {{{train}}}\n"))
    assert load_recipe(write(f"{HEAD}train: {{{train}}}\n"))


def test_a_part_that_is_not_asked_for_need_not_serve(write: Any) -> None:
    assert load_recipe(write(f"{TEXT}train: {{augment: {{flip: 0.0}}, mixing: [label_smoothing]}}\n"))


def test_overrides_of_the_rest(write: Any) -> None:
    path = write(HEAD + "evaluate:\n")
    recipe = load_recipe(
        path,
        ("name=other", "seed=4", "model.dense=8", "evaluate.worst=3", "train.batch=2", "x-note=a=b", "release.owner="),
    )
    assert (recipe.name, recipe.seed) == ("other", 4)
    assert recipe.sections["model"] == settings_of("model", "cnn").model_validate({"kind": "cnn", "dense": 8})
    assert recipe.sections["evaluate"].worst == 3
    assert recipe.sections["train"].batch == 2
    assert recipe.sections["release"].owner == ""
    assert recipe.data["x-note"] == "a=b"
    assert recipe.origins[("seed",)] == "command line"
    assert recipe.origins[("task",)].endswith("r.yaml:3")


def test_the_last_override_wins(write: Any) -> None:
    assert load_recipe(write(HEAD), ("seed=1", "seed=2")).seed == 2


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.batch", "command line: 'train.batch' is not an override; expected KEY=VALUE"),
        ("=3", "command line: '=3' is not an override"),
        ("train.batch=[", "command line:1: this is not YAML"),
        ("train.batch=zero", "command line: 'train.batch': found 'zero'"),
        ("train.bacth=3", "command line: 'train.bacth' is not a key; did you mean 'batch'?"),
        ("train.optimiser.lr=x", "command line: 'train.optimiser.lr': found 'x'"),
        ("trian.batch=3", "command line: 'trian' is not a section; did you mean 'train'?"),
        ("version.deep=3", "command line: version.deep: 'version' is not a mapping"),
        ("seed=-1", "command line: seed is -1"),
        ("model=cnm", "command line: 'model': 'cnm' is not a model; did you mean 'cnn'?"),
    ],
)
def test_a_wrong_override_is_said_to_be_on_the_command_line(override: str, expected: str, write: Any) -> None:
    found = one(write(HEAD + "train: {optimiser: adam}"), override)
    if not override.startswith("trian"):
        assert found.startswith(expected)
    assert expected.partition(": ")[2] in found


# Extends


def test_a_child_is_laid_over_its_parent(write: Any, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(HEAD + "seed: 5\ntrain: {batch: 8, optimiser: {kind: adam, lr: 0.5}, save: {keep: 4}}\n", "sub/parent.yaml")
    child = load_recipe(write("extends: sub/parent.yaml\nname: child\ntrain:\n  batch: 9\n  optimiser: {lr: 0.25}\n"))
    train: Any = child.sections["train"]
    assert (child.name, child.seed, train.batch, train.save.keep) == ("child", 5, 9, 4)
    assert (train.optimiser.kind, train.optimiser.lr) == ("adam", 0.25)
    assert child.origins[("train", "batch")].endswith("r.yaml:4")
    assert child.origins[("seed",)].endswith("parent.yaml:6")
    assert "extends" not in child.resolved()
    assert child.base == tmp_path


def test_another_kind_of_part_replaces_the_parents(write: Any) -> None:
    write(HEAD + "train: {optimiser: {kind: adam, beta1: 0.5}}\n", "parent.yaml")
    train: Any = load_recipe(write("extends: parent.yaml\ntrain: {optimiser: {kind: sgd, lr: 0.5}}\n")).sections[
        "train"
    ]
    assert train.optimiser == settings_of("optimiser", "sgd").model_validate({"kind": "sgd", "lr": 0.5})


def test_errors_of_the_parent_are_placed_in_the_parent(write: Any) -> None:
    write(HEAD.replace("version: 1", "version: 3") + "train:\n  bacth: 8\n", "parent.yaml")
    found = problems(write("extends: parent.yaml\n\n\nevaluate: {worst: x}\n"))
    assert [line.split(": ")[0] for line in found] == ["parent.yaml:1", "parent.yaml:7", "r.yaml:4"]


def test_one_level_only_and_the_parent_must_exist(write: Any) -> None:
    write(HEAD + "extends: other.yaml\n", "parent.yaml")
    assert "parent.yaml:6: the recipe that is extended extends another" in one(write("extends: parent.yaml\n"))
    assert "nothing.yaml: there is no such file" in one(write("extends: nothing.yaml\n"))
    write("- a\n", "list.yaml")
    assert one(write("extends: list.yaml\n")).startswith("list.yaml:1: found a list")


# Digest and edits


@given(st.permutations(list(PLAIN)), st.booleans())
def test_the_digest_is_of_what_is_said_and_not_of_how(keys: list[str], written_out: bool) -> None:
    base = Path("/somewhere")
    plain = recipe_from(PLAIN, base)
    data = {key: PLAIN[key] for key in keys}
    if written_out:
        data = {**data, "seed": 0, "model": {"kind": "cnn"}, "x-note": "free"}
    assert recipe_from(data, base / "else").digest == plain.digest


def test_the_digest_depends_on_every_value(tmp_path: Path) -> None:
    plain = recipe_from({**PLAIN, "train": {"optimiser": "adam"}}, tmp_path)
    changes: list[dict[str, Any]] = [
        {"seed": 1},
        {"name": "other"},
        {"model.dense": 3},
        {"train.batch": 3},
        {"train.length": "1234567 steps"},
        {"train.length": "1234568 steps"},
        {"train.optimiser.lr": 0.123},
        {"evaluate": {}},
    ]
    digests = {plain.edited(change).digest for change in changes} | {plain.digest}
    assert len(digests) == len(changes) + 1


def test_edited_makes_a_new_recipe_and_leaves_the_old(tmp_path: Path) -> None:
    plain = recipe_from({**PLAIN, "train": {"optimiser": "adam"}}, tmp_path)
    before = plain.digest
    value = {"keep": 3}
    edited = plain.edited(
        {"train.optimiser.lr": 0.5, "train.save": value, "train.save.every": "2 steps", "evaluate.worst": 1}
    )
    train: Any = edited.sections["train"]
    assert (train.optimiser.lr, train.save.keep, train.save.every) == (0.5, 3, Span(2, "steps"))
    assert value == {"keep": 3}, "what was passed in is not changed"
    assert (plain.digest, "evaluate" in plain.sections) == (before, False)
    assert edited.origins[("train", "optimiser", "lr")] == "edited"
    with pytest.raises(RecipeError, match=r"'train\.batch': found 0"):
        plain.edited({"train.batch": 0})


def test_a_recipe_cannot_be_changed(tmp_path: Path) -> None:
    recipe = recipe_from(PLAIN, tmp_path)
    assert isinstance(recipe, Recipe)
    with pytest.raises(AttributeError):
        recipe.seed = 2  # type: ignore[misc]
    data = {**PLAIN, "model": {"kind": "cnn", "dense": 3}}
    made = recipe_from(data, tmp_path)
    data["model"]["dense"] = 4
    assert made.data["model"]["dense"] == 3
