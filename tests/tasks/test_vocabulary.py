"""Text to tokens and back: without loss, and with every character of the text counted once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright.core.errors import RecipeError
from modelwright.tasks import vocabulary as module
from modelwright.tasks.vocabulary import END, UNKNOWN, Vocabulary, learn_vocabulary

TEXTS = ["The cat sat.\n\n  On the mat, the cat sat!", "床前明月光，疑是地上霜。", "naïve 😀 café\r\n"]
BPE = learn_vocabulary(TEXTS, "bpe", 300, 1)
CHARACTERS = learn_vocabulary(TEXTS, "characters", 1000, 1)


@given(st.text())
@settings(deadline=None, max_examples=60)
def test_bytes_know_every_text(text: str) -> None:
    known = Vocabulary(BPE)
    encoded = known.encode(text)
    assert known.decode(encoded.tokens) == text
    assert (np.diff(encoded.ends) >= 0).all()
    assert (encoded.ends[-1] if text else 0) == len(text)


@pytest.mark.parametrize("learnt", [BPE, CHARACTERS], ids=["bpe", "characters"])
def test_training_texts_come_back(learnt: dict[str, object]) -> None:
    known = Vocabulary(learnt)
    for text in TEXTS:
        tokens = known.encode(text).tokens
        assert known.decode(tokens) == text
        assert known.decode([END, *tokens, END]) == text
        assert END not in tokens


def test_a_character_that_training_has_not_seen() -> None:
    known = Vocabulary(CHARACTERS)
    assert known.encode("catz").tokens[-1] == UNKNOWN
    assert known.decode(known.encode("catz").tokens) == "cat\ufffd"


def test_rare_characters_and_large_vocabularies_are_cut() -> None:
    assert learn_vocabulary(["aaab"], "characters", 1000, 2)["vocabulary"] == ["a"]
    assert learn_vocabulary(["aaabbc"], "characters", 4, 1)["vocabulary"] == ["a", "b"]


def test_long_texts_are_cut_at_lines_and_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 10)
    text = "one line\nand another\n" * 9 + "x" * 50
    known = Vocabulary(BPE)
    assert len(list(module._pieces(text))) > 3
    assert known.decode(known.encode(text).tokens) == text
    assert known.encode(text).ends[-1] == len(text)


def test_the_tokeniser_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(BPE["tokeniser"], encoding="utf-8")
    learnt = learn_vocabulary([], f"hf:{tmp_path}", 0, 1)
    assert (learnt["size"], learnt["end"]) == (BPE["size"], END)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "a"}}))
    assert learn_vocabulary([], f"hf:{tmp_path}", 0, 1)["end"] == Vocabulary(BPE).encode("a").tokens[0]
    assert "template" not in learnt
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    assert learn_vocabulary([], f"hf:{tmp_path}", 0, 1)["template"] == "{{ messages }}"
    stripped = json.loads(BPE["tokeniser"])
    stripped["added_tokens"] = []
    del stripped["model"]["vocab"]["<|endoftext|>"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(stripped))
    (tmp_path / "tokenizer_config.json").unlink()
    with pytest.raises(RecipeError, match="no token that ends a text"):
        learn_vocabulary([], f"hf:{tmp_path}", 0, 1)
    with pytest.raises(RecipeError, match="cannot be read"):
        learn_vocabulary([], f"hf:{tmp_path}/none", 0, 1) if (tmp_path / "none").mkdir() is None else None
