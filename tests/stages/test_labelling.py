"""Which rows are asked for: the undecided, the disputed, the unlike; never one that is known already."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwright.core.errors import DataError, RecipeError
from modelwright.core.run import Run
from modelwright.stages.prepare.labelling import choose_rows

Tiny = Callable[..., Run]
WORDS = {"good": ["fine", "lovely", "great", "happy"], "bad": ["awful", "dreadful", "poor", "sad"]}


def write(path: Path, texts: list[str], labels: list[str] | None = None) -> Path:
    lines = [{"text": text, **({"label": labels[row]} if labels else {})} for row, text in enumerate(texts)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def trained(tiny: Tiny, tmp_path: Path) -> Callable[..., Run]:
    labels = ["good", "bad"] * 40
    texts = [
        f"{WORDS[label][row // 2 % 4]} {WORDS[label][row // 8 % 4]} thing {row}" for row, label in enumerate(labels)
    ]
    write(tmp_path / "known.jsonl", texts, labels)

    def call(**model: Any) -> Run:
        sections = {
            "task": "text",
            "data": {"kind": "jsonl", "path": "known.jsonl"},
            "model": model or {"kind": "tfidf", "least": 1},
        }
        return tiny("train", sections=sections)

    return call


POOL = ["fine great thing 0", "happy happy lovely fine", "fine awful", "awful sad poor dreadful", "zebra quartz jumps"]


def chosen(run: Run, pool: Path, count: int, by: str) -> list[str]:
    return [row["row"] for row in choose_rows(run.folder, str(pool), count, by)]


def test_the_undecided_come_first_and_the_known_not_at_all(trained: Callable[..., Run], tmp_path: Path) -> None:
    made = trained()
    pool = write(tmp_path / "pool.jsonl", [*POOL, POOL[2], "fine fine thing 0"])
    found = choose_rows(made.folder, str(pool), 10, "uncertainty")
    assert len(found) == 5
    assert {row["row"] for row in found[:2]} == {"pool.jsonl:3", "pool.jsonl:5"}
    assert [row["score"] for row in found] == sorted((row["score"] for row in found), reverse=True)
    assert {row["label"] for row in found} == {"good", "bad"}
    assert len(chosen(made, pool, 2, "uncertainty")) == 2
    assert chosen(made, pool, 3, "random") == chosen(made, pool, 3, "random")


def test_a_network_that_disagrees_with_itself(trained: Callable[..., Run], tmp_path: Path) -> None:
    pool = write(tmp_path / "pool.jsonl", POOL)
    made = trained(kind="bag", embedding=8, buckets=16, dropout=0.5)
    found = choose_rows(made.folder, str(pool), 5, "bald")
    assert found == choose_rows(made.folder, str(pool), 5, "bald")
    assert found[0]["score"] > 0
    with pytest.raises(RecipeError, match="has no dropout"):
        choose_rows(trained(kind="bag", embedding=8, buckets=16).folder, str(pool), 5, "bald")


def test_what_is_unlike_all_that_is_known(trained: Callable[..., Run], tmp_path: Path) -> None:
    made = trained(kind="bag", embedding=8, buckets=16)
    pool = write(tmp_path / "pool.jsonl", ["fine great thing 99", "thing thing thing thing", "awful sad thing 98"])
    assert chosen(made, pool, 1, "diversity") == ["pool.jsonl:2"]


def test_the_undecided_that_are_unlike_each_other(trained: Callable[..., Run], tmp_path: Path) -> None:
    # Twenty rows about one undecided thing, and one about another: both are asked about.
    pool = write(
        tmp_path / "pool.jsonl", [f"fine awful {row}" for row in range(19)] + ["great sad sad great poor happy"]
    )
    found = chosen(trained(), pool, 2, "mixed")
    assert "pool.jsonl:20" in found
    assert len(set(found)) == 2


def test_pictures_are_asked_for_too(tiny: Tiny) -> None:
    made = tiny("train")
    with pytest.raises(RecipeError, match="reads no file"):
        choose_rows(made.folder, "anything", 1, "uncertainty")


def test_a_pool_of_known_rows_and_a_run_without_a_model(
    trained: Callable[..., Run], tiny: Tiny, tmp_path: Path
) -> None:
    made = trained()
    pool = write(tmp_path / "pool.jsonl", ["fine fine thing 0"])
    with pytest.raises(DataError, match="no row that is new"):
        choose_rows(made.folder, str(pool), 1, "uncertainty")
    with pytest.raises(RecipeError, match="no model was trained"):
        choose_rows(tmp_path / "elsewhere", str(pool), 1, "uncertainty")
