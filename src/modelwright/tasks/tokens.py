"""Text to token numbers: words, characters, trained byte-level BPE, or the tokeniser of a Hugging Face folder.

0 is padding and 1 an unknown token, whatever the way. What was learnt is plain data and goes with the model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DataError, RecipeError
from ..models.pretrained import find_folder

PADDING, UNKNOWN = 0, 1
RESERVED = 2
LONGEST = 512
WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
# Han, kana and hangul: scripts that do not put blanks between words.
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")
LETTER = re.compile(r"[^\W\d_]")


def learn_tokens(
    texts: Sequence[str], tokens: str, vocabulary: int, least: int, length: int, base: Path = Path()
) -> dict[str, Any]:
    """Learn a vocabulary and a length from training texts; return them as plain data.

    The path of a tokeniser is seen from `base`.

    Raises:
        RecipeError: the tokeniser that is named cannot be read.
    """
    way = _way(texts) if tokens == "auto" else tokens
    learnt: dict[str, Any] = {"tokens": way}
    if way in ("words", "characters"):
        counts = Counter(token for text in texts for token in _cut(text, way))
        # By count, then by the token itself, so that ties do not depend on the order of rows.
        ranked = sorted(
            (token for token, count in counts.items() if count >= least), key=lambda token: (-counts[token], token)
        )
        learnt["vocabulary"] = ranked[: vocabulary - RESERVED]
        learnt["size"] = len(learnt["vocabulary"]) + RESERVED
    else:
        learnt["tokeniser"] = _train_bpe(texts, vocabulary) if way == "bpe" else _foreign(way.removeprefix("hf:"), base)
        learnt["size"] = _load(learnt["tokeniser"]).get_vocab_size()
        if way.startswith("hf:"):
            learnt["padding"] = _padding(learnt["tokeniser"])
    if not length:
        lengths = [len(row) for row in encoder(learnt)(texts)]
        length = max(1, min(LONGEST, int(np.quantile(lengths, 0.99, method="higher"))))
    return {**learnt, "length": length}


def encoder(learnt: dict[str, Any]) -> Callable[[Sequence[str]], list[list[int]]]:
    """Return the function that turns texts into lists of token numbers."""
    if "vocabulary" in learnt:
        numbers = {token: number for number, token in enumerate(learnt["vocabulary"], RESERVED)}
        way = learnt["tokens"]
        return lambda texts: [[numbers.get(token, UNKNOWN) for token in _cut(text, way)] for text in texts]
    tokeniser = _load(learnt["tokeniser"])
    if learnt.get("length"):
        # Cut by the tokeniser itself, which leaves room for the token that ends a text.
        tokeniser.enable_truncation(learnt["length"])
    return lambda texts: [encoded.ids for encoded in tokeniser.encode_batch(list(texts))]


def encode(texts: Sequence[str], learnt: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return token numbers, cut and padded to the learnt length, and how many of them are real.

    Shapes: n texts -> tokens (n, length) int32, lengths (n,) int32. A text without tokens becomes one unknown token.
    """
    tokens = np.full((len(texts), learnt["length"]), learnt.get("padding", PADDING), dtype=np.int32)
    lengths = np.empty(len(texts), dtype=np.int32)
    for row, numbers in enumerate(encoder(learnt)(texts)):
        kept = numbers[: learnt["length"]] or [UNKNOWN]
        tokens[row, : len(kept)] = kept
        lengths[row] = len(kept)
    return tokens, lengths


def _way(texts: Iterable[str]) -> str:
    sample = "".join(text for text, _ in zip(texts, range(1000), strict=False))
    letters = len(LETTER.findall(sample))
    return "characters" if letters and len(UNSPACED.findall(sample)) > 0.3 * letters else "words"


def _cut(text: str, way: str) -> list[str]:
    lowered = text.lower()
    return [letter for letter in lowered if not letter.isspace()] if way == "characters" else WORD.findall(lowered)


def _train_bpe(texts: Sequence[str], vocabulary: int) -> str:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokeniser = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokeniser.normalizer = normalizers.NFC()
    tokeniser.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokeniser.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["[PAD]", "[UNK]"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokeniser.train_from_iterator(texts, trainer)
    trained: str = tokeniser.to_str()
    return trained


def _foreign(path: str, base: Path) -> str:
    """Read the tokeniser of a Hugging Face folder: plain JSON, never code."""
    file = find_folder(path, base) / "tokenizer.json"
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(
            f"the tokeniser cannot be read: {error.strerror}",
            where=file,
            expected="a Hugging Face folder with tokenizer.json",
        ) from None


def _padding(text: str) -> int:
    """Return the number that the tokeniser itself pads with, else that of a token of the usual name, else 0."""
    from tokenizers import Tokenizer

    tokeniser = Tokenizer.from_str(text)
    if tokeniser.padding:
        return int(tokeniser.padding["pad_id"])
    numbers = (tokeniser.token_to_id(name) for name in ("[PAD]", "<pad>"))
    return next((number for number in numbers if number is not None), PADDING)


def _load(text: str) -> Any:
    from tokenizers import Tokenizer

    try:
        tokeniser = Tokenizer.from_str(text)
    except Exception as error:  # the library raises bare Exception for every kind of bad file
        raise DataError(f"the tokeniser cannot be read: {error}", where="tokenizer.json") from None
    tokeniser.no_padding()
    tokeniser.no_truncation()
    return tokeniser
