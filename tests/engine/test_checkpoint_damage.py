"""Of hundreds of damaged checkpoints none loads: it is noticed, named, and the one before is taken."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from checkpoints import copied, make, names, same

from modelwright.core.digest import digest_of
from modelwright.engine.checkpoint import MANIFEST, STATE, load_newest

PAGE = 4096
NEWEST, OLDER = "step-000000006", "step-000000003"


def flip(path: Path, dice: random.Random) -> None:
    """Turn over one bit."""
    content = bytearray(path.read_bytes())
    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    path.write_bytes(content)


def lose_page(path: Path, dice: random.Random) -> None:
    """Let a page read as zeros, as after a power cut."""
    content = bytearray(path.read_bytes())
    start = dice.randrange(len(content)) // PAGE * PAGE
    content[start : start + PAGE] = bytes(len(content[start : start + PAGE]))
    path.write_bytes(content)


def cut(path: Path, dice: random.Random) -> None:
    """Lose the end of the file."""
    content = path.read_bytes()
    path.write_bytes(content[: dice.randrange(len(content))])


def lose(path: Path, dice: random.Random) -> None:
    """Lose the whole file."""
    path.unlink()


def swap(path: Path, dice: random.Random) -> None:
    """Let two files of the checkpoint change places, or take the file of the same name from the one before."""
    other = dice.choice([item for item in sorted(path.parent.iterdir()) if item != path])
    if dice.random() < 0.5:
        other = path.parent.with_name(OLDER) / path.name
    mine, others = path.read_bytes(), other.read_bytes()
    path.write_bytes(others)
    if other.parent == path.parent:
        other.write_bytes(mine)


DAMAGES: list[Callable[[Path, random.Random], None]] = [flip, lose_page, cut, lose, swap]


def loaded_silently(two: Path, place: Path, trials: int) -> list[str]:
    """Damage the newest checkpoint so often; return each damage that was not noticed and answered as it should be."""
    dice = random.Random(20261124)
    silent = []
    folder = copied(two, place)
    for trial in range(trials):
        path = dice.choice(sorted((folder / NEWEST).iterdir()))
        damage = DAMAGES[trial % len(DAMAGES)]
        damage(path, dice)
        found, complaints = load_newest(folder)
        if not same(found, make(3)) or len(complaints) != 1 or str(folder / NEWEST) not in complaints[0]:
            silent.append(f"trial {trial}: {damage.__name__} of {path.name}")
        copied(two / NEWEST, folder / NEWEST)
    assert same(load_newest(folder)[0], make(6)), "the trials themselves left something behind"
    return silent


def test_none_of_one_hundred_damaged_checkpoints_loads(two: Path, tmp_path: Path) -> None:
    assert loaded_silently(two, tmp_path / "copy", 100) == []


@pytest.mark.full
def test_none_of_six_hundred_damaged_checkpoints_loads(two: Path, tmp_path: Path) -> None:
    assert loaded_silently(two, tmp_path / "copy", 600) == []


def test_every_bit_of_the_manifest_counts(two: Path, tmp_path: Path) -> None:
    """It holds the digests, so it has to answer for itself, layout and all."""
    folder = copied(two, tmp_path / "copy")
    path = folder / NEWEST / MANIFEST
    content = path.read_bytes()
    for place in range(len(content)):
        spoilt = bytearray(content)
        spoilt[place] ^= 1 << place % 8
        path.write_bytes(spoilt)
        found, complaints = load_newest(folder)
        assert found is not None
        assert (found.step, len(complaints)) == (3, 1), f"byte {place}"


@pytest.mark.parametrize("text", ["[]", "{}", "null", '{"files": {}}', '{"files": {"state.json": 1}, "digest": "x"}'])
def test_a_manifest_of_another_shape_is_noticed(two: Path, tmp_path: Path, text: str) -> None:
    folder = copied(two, tmp_path / "copy")
    (folder / NEWEST / MANIFEST).write_text(text)
    assert same(load_newest(folder)[0], make(3))


def test_a_manifest_that_leaves_files_out_is_noticed(two: Path, tmp_path: Path) -> None:
    """Even one whose digest is right."""
    folder = copied(two, tmp_path / "copy")
    files = json.loads((folder / NEWEST / MANIFEST).read_text())["files"]
    del files["tensors-00002-of-00003.safetensors"]
    text = json.dumps({"files": files, "digest": digest_of(files)}, indent=1)
    (folder / NEWEST / MANIFEST).write_text(text)
    assert same(load_newest(folder)[0], make(3))


@pytest.mark.parametrize("more", ["x", "tensors-00004-of-00004.safetensors", STATE + "~"])
def test_a_file_too_many_is_noticed(two: Path, tmp_path: Path, more: str) -> None:
    folder = copied(two, tmp_path / "copy")
    (folder / NEWEST / more).write_bytes(b"")
    found, complaints = load_newest(folder)
    assert same(found, make(3))
    assert f"{more}: the file does not belong here" in complaints[0]


@pytest.mark.parametrize("name", [MANIFEST, STATE, "tensors-00002-of-00003.safetensors"])
def test_a_folder_in_the_place_of_a_file_is_noticed(two: Path, tmp_path: Path, name: str) -> None:
    folder = copied(two, tmp_path / "copy")
    (folder / NEWEST / name).unlink()
    (folder / NEWEST / name).mkdir()
    assert same(load_newest(folder)[0], make(3))


def test_a_whole_checkpoint_under_another_name_is_noticed(two: Path, tmp_path: Path) -> None:
    folder = copied(two, tmp_path / "copy")
    shutil.copytree(folder / OLDER, folder / "step-000000009")
    found, complaints = load_newest(folder)
    assert same(found, make(6))
    assert "this is the checkpoint of step 3" in complaints[0]
    assert names(folder) == [OLDER, NEWEST, "step-000000009"]
