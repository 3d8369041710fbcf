"""The tokeniser of a Hugging Face folder: its special tokens stay where they belong, its padding is used."""

from __future__ import annotations

import json

import numpy as np
import pytest

from modelwright.core.errors import MissingExtra, RecipeError
from modelwright.tasks.tokens import encode, learn_tokens


@pytest.fixture
def folder(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = {word: number for number, word in enumerate(["[UNK]", "[CLS]", "[SEP]", "a", "cat", "sat", "[PAD]"])}
    tokeniser = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokeniser.pre_tokenizer = pre_tokenizers.Whitespace()
    tokeniser.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    # As in published folders, where they would cut and pad behind our back.
    tokeniser.enable_truncation(3)
    tokeniser.enable_padding(pad_id=6, pad_token="[PAD]", length=9)
    tokeniser.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_a_long_text_keeps_its_first_and_its_last_token(folder):
    learnt = learn_tokens(["a cat sat", "a cat"], f"hf:{folder}", 1000, 1, 4)
    tokens, lengths = encode(["a cat sat a cat", "cat", ""], learnt)
    assert tokens.tolist() == [[1, 3, 4, 2], [1, 4, 2, 6], [1, 2, 6, 6]]
    assert lengths.tolist() == [4, 3, 2]
    assert learnt["size"] == 7


def test_the_length_is_learnt_from_whole_texts(folder):
    assert learn_tokens(["a cat sat"] * 9, f"hf:{folder}", 1000, 1, 0)["length"] == 5


def test_padding_is_found_by_name_where_the_file_does_not_say(folder):
    from tokenizers import Tokenizer

    tokeniser = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokeniser.no_padding()
    tokeniser.save(str(folder / "tokenizer.json"))
    learnt = learn_tokens(["a"], f"hf:{folder}", 1000, 1, 5)
    assert np.array_equal(encode(["a"], learnt)[0], [[1, 3, 2, 6, 6]])


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(RecipeError, match=r"tokenizer\.json"):
        learn_tokens(["a"], f"hf:{tmp_path}", 1000, 1, 5)
    with pytest.raises(MissingExtra, match="pip install no-such-package"):
        learn_tokens(["a"], "hf:package:no_such_package/model", 1000, 1, 5)


def test_a_relative_path_is_seen_from_the_recipe(folder):
    from modelwright.app import api
    from modelwright.core.recipe import recipe_from

    words = [{"text": f"cat {number}", "label": "ab"[number % 2]} for number in range(40)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, words)))
    data = {"version": 1, "task": {"kind": "text", "tokens": "hf:mine"}, "model": "bag"}
    recipe = recipe_from({**data, "data": {"kind": "jsonl", "path": "rows.jsonl"}}, folder)
    with pytest.raises(RecipeError, match="nothing is there"):
        api.run(recipe, until="prepare", runs=folder / "runs")
    (folder / "mine").mkdir()
    (folder / "tokenizer.json").rename(folder / "mine" / "tokenizer.json")
    made = api.run(recipe, until="prepare", runs=folder / "runs")
    tokens = np.load(made.artifact("dataset").path / "train" / "tokens.npy")
    assert tokens[0].tolist() == [1, 4, 0, 2]
