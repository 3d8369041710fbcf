"""Questions that list their own answers, judged by likelihood as transformers would."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from edited_recipe import path_of, run_edited

from modelwright.core.errors import DataError, RecipeError
from modelwright.core.run import Run

transformers = pytest.importorskip("transformers")
sys.path.insert(0, str(Path(__file__).parent))
from open_folder import WORDS, write_open_model  # noqa: E402

RECIPE: dict[str, Any] = {
    "version": 1,
    "name": "exam",
    "seed": 1,
    "task": {"kind": "language", "tokens": "hf:open", "length": 64},
    "data": {"kind": "jsonl", "path": "exam.jsonl"},
    "model": {"kind": "open_weights", "path": "open"},
    "prepare": {"split": {"test": 0.5, "validation": 0.1}},
    "train": {"length": "1 steps", "batch": 8, "threads": 1, "optimiser": {"kind": "sgd", "lr": 0.1}},
    "evaluate": {"floor": "none", "samples": {"count": 0}, "choices": {"by_row": True, "before": True}},
}


def rows(count: int = 30) -> list[dict[str, Any]]:
    dice = np.random.default_rng(2)
    made = []
    for number in range(count):
        choices = [" ".join([*dice.permutation(WORDS)[: 1 + at % 3], "abcd"[at]]) for at in range(2 + number % 3)]
        answer = choices[number % len(choices)]
        said = [{"role": "user", "content": f"which {number}"}, {"role": "assistant", "content": answer}]
        made.append({"messages": said, "choices": choices})
    return made


def run_in(place: Path, name: str, made: list[dict[str, Any]], until: str = "evaluate", **edits: Any) -> Run:
    (place / "exam.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    return run_edited(RECIPE, place, place / "runs" / name, until, **edits)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exam")
    write_open_model(folder / "open")
    return folder


def test_each_question_has_its_own_answers(place: Path) -> None:
    asked = rows()
    made = run_in(place, "exam", asked)
    base = transformers.AutoModelForCausalLM.from_pretrained(place / "open").eval()
    tokeniser = transformers.AutoTokenizer.from_pretrained(place / "open")
    found = np.load(path_of(made, "predictions") / "chosen_before.npy")
    origins = (path_of(made, "dataset") / "test" / "origins.txt").read_text().splitlines()
    hits, hits_by_byte = 0, 0
    for index, origin in enumerate(origins):
        row = asked[int(origin.rpartition(":")[2]) - 1]
        prompt = tokeniser.apply_chat_template(row["messages"][:1], add_generation_prompt=True, return_dict=False)
        theirs = []
        for choice in row["choices"]:
            tokens = tokeniser(choice, add_special_tokens=False)["input_ids"]
            with torch.inference_mode():
                logprobs = base(torch.tensor([[*prompt, *tokens]])).logits[0].log_softmax(dim=-1)
            theirs.append(sum(float(logprobs[len(prompt) - 1 + at, token]) for at, token in enumerate(tokens)))
        assert found[index, : len(theirs)] == pytest.approx(theirs, abs=1e-3)
        assert np.isneginf(found[index, len(theirs) :]).all()
        right = row["choices"].index(row["messages"][1]["content"])
        hits += int(np.argmax(theirs)) == right
        by_byte = [value / len(choice.encode()) for value, choice in zip(theirs, row["choices"], strict=True)]
        hits_by_byte += int(np.argmax(by_byte)) == right
    claims = {item.name: item for item in made.evidence()}
    assert claims["before[choice_accuracy]"].value == pytest.approx(hits / len(origins))
    assert claims["before[choice_accuracy_by_byte]"].value == pytest.approx(hits_by_byte / len(origins))
    assert claims["choice_accuracy"].status == "measured"
    assert "guessing reaches 0." in claims["choice_accuracy"].method
    plain = run_in(place, "plain", asked, evaluate__choices={})
    assert "choice_accuracy" not in {item.name for item in plain.evidence()}


BAD: dict[str, Any] = {
    "one": ["home"],
    "twice": ["home", "home"],
    "number": ["home", 3],
    "text": "home",
    "other": ["a", "b"],
}


@pytest.mark.parametrize("what", BAD)
def test_choices_that_are_none_are_named_with_their_row(place: Path, what: str) -> None:
    asked = rows()
    asked[4]["choices"] = BAD[what]
    with pytest.raises(DataError, match="exam.jsonl:5: choices"):
        run_in(place, "bad", asked, "prepare")


def test_rows_without_choices_and_two_ways_at_once_are_refused(place: Path) -> None:
    without = [{"messages": row["messages"]} for row in rows()]
    with pytest.raises(DataError, match="lists no choices"):
        run_in(place, "without", without)
    with pytest.raises(RecipeError, match="one of the two"):
        run_in(place, "both", rows(), evaluate__choices={"by_row": True, "answers": ["a", "b"]})
