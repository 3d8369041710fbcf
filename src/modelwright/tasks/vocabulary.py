"""Text to token numbers and back without loss: characters, trained byte-level BPE, or the tokeniser of a Hugging Face folder.

Unlike the tokens of a classifier these keep case, blanks and line ends, and know one more: the end of a text, which also
stands before its beginning. What was learnt is plain data and goes with the model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DamagedArtifact, RecipeError
from ..core.files import read_json
from ..models.pretrained import GGUF, find_folder

END, UNKNOWN = 0, 1
RESERVED = 2
END_NAME = "<|endoftext|>"
# Special tokens that a template of conversations may ask for by name.
SPECIALS = ("bos_token", "eos_token", "pad_token", "unk_token")
# What is shown for a character that training has not seen.
UNKNOWN_SHOWN = "\ufffd"
# Tokenisers hold much for each token of a text at once, so a long text is handed over in pieces that end with a line.
PIECE = 1 << 16


@dataclass(frozen=True)
class Encoded:
    """The tokens of a text, and how many characters of it are read when each of them has been.

    Shapes: tokens (t,) int64, ends (t,) int64
    """

    tokens: np.ndarray
    ends: np.ndarray


def learn_vocabulary(
    texts: Sequence[str], tokens: str, vocabulary: int, least: int, base: Path = Path()
) -> dict[str, Any]:
    """Learn a vocabulary from training texts; return it as plain data. The path of a tokeniser is seen from `base`.

    Raises:
        RecipeError: the tokeniser that is named cannot be read, or has no token that ends a text.
    """
    if tokens == "characters":
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        known = [character for character, count in counts.items() if count >= least]
        # By count, then by the character itself, so that ties do not depend on the order of rows.
        kept = sorted(known, key=lambda character: (-counts[character], character))[: vocabulary - RESERVED]
        return {"tokens": tokens, "vocabulary": kept, "size": len(kept) + RESERVED, "end": END}
    if tokens == "bpe":
        tokeniser = _train(texts, vocabulary)
        return {"tokens": tokens, "tokeniser": tokeniser, "size": load(tokeniser).get_vocab_size(), "end": END}
    path = find_folder(tokens.removeprefix("hf:"), base)
    tokeniser, specials, template = _foreign(path)
    known = load(tokeniser)
    learnt = {"tokens": tokens, "tokeniser": tokeniser, "size": known.get_vocab_size()}
    learnt["end"] = _end(known, specials.get("eos_token"), path)
    return {**learnt, "template": template, "specials": specials} if template else learnt


class Vocabulary:
    """State: the tables of one vocabulary, made once from what was learnt."""

    def __init__(self, learnt: dict[str, Any]) -> None:
        self.end: int = learnt["end"]
        self.size: int = learnt["size"]
        self.characters: list[str] | None = learnt.get("vocabulary")
        if self.characters is not None:
            codes = np.fromiter(map(ord, self.characters), dtype=np.int64, count=len(self.characters))
            # One entry for every code point there may be: a text is then encoded by indexing.
            self._numbers = np.full(0x110000, UNKNOWN, dtype=np.int64)
            self._numbers[codes] = np.arange(RESERVED, RESERVED + len(codes))
        else:
            self._tokeniser = load(learnt["tokeniser"])

    def encode(self, text: str) -> Encoded:
        """Return the tokens of a text, without the end."""
        if self.characters is not None:
            codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
            return Encoded(self._numbers[codes], np.arange(1, len(codes) + 1))
        tokens: list[int] = []
        ends: list[int] = []
        before = 0
        for piece in _pieces(text):
            encoded = self._tokeniser.encode(piece, add_special_tokens=False)
            tokens += encoded.ids
            ends += [before + stop for _, stop in encoded.offsets]
            before += len(piece)
        # Several tokens may share a character: it is read with the last of them that reaches further than all before.
        reached = np.maximum.accumulate(np.asarray(ends, dtype=np.int64)) if ends else np.empty(0, np.int64)
        return Encoded(np.asarray(tokens, dtype=np.int64), reached)

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of some tokens; the end of a text has none."""
        numbers = [number for number in tokens if number != self.end]
        if self.characters is None:
            text: str = self._tokeniser.decode(numbers, skip_special_tokens=False)
            return text
        return "".join(
            self.characters[number - RESERVED] if number >= RESERVED else UNKNOWN_SHOWN for number in numbers
        )

    @property
    def longest(self) -> int:
        """The most characters that one token stands for: no more than its own spelling has."""
        return 1 if self.characters is not None else max(map(len, self._tokeniser.get_vocab()))

    def name(self, token: int) -> str:
        """Return a token as people may read it."""
        return END_NAME if token == self.end else self.decode([token])


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > PIECE:
        line = text.find("\n", start + PIECE)
        if line < 0:
            break
        yield text[start : line + 1]
        start = line + 1
    yield text[start:]


def _train(texts: Sequence[str], vocabulary: int) -> str:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokeniser = Tokenizer(models.BPE())
    # No normaliser: what is decoded is what was encoded, byte by byte.
    tokeniser.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokeniser.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_NAME],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokeniser.train_from_iterator((piece for text in texts for piece in _pieces(text)), trainer)
    trained: str = tokeniser.to_str()
    return trained


def _foreign(path: Path) -> tuple[str, dict[str, str], str]:
    """Read the tokeniser of a Hugging Face folder or of a GGUF file, plain data and never code, the texts of its special tokens,
    and the template of conversations.
    """
    if path.suffix == GGUF:
        from ..models.gguf import read_tokeniser

        return read_tokeniser(path)
    file = path / "tokenizer.json"
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(
            f"the tokeniser cannot be read: {error.strerror}",
            where=file,
            expected="a Hugging Face folder with tokenizer.json",
        ) from None
    stated = path / "tokenizer_config.json"
    config = read_json(stated) if stated.exists() else {}
    beside = path / "chat_template.jinja"
    template = beside.read_text(encoding="utf-8") if beside.exists() else str(config.get("chat_template") or "")
    named = {name: config.get(name) for name in SPECIALS}
    texts = {name: value.get("content") if isinstance(value, dict) else value for name, value in named.items()}
    return text, {name: str(value) for name, value in texts.items() if value}, template


def _end(tokeniser: Any, named: str | None, path: Path) -> int:
    """Return the token that ends a text: the one that is named, else one of the usual name."""
    for candidate in (named, END_NAME, "</s>", "<|im_end|>"):
        if candidate and (number := tokeniser.token_to_id(candidate)) is not None:
            return int(number)
    raise RecipeError(
        "the tokeniser has no token that ends a text", where=path, expected="eos_token in tokenizer_config.json"
    )


def load(text: str) -> Any:
    """Return the tokeniser that a JSON text describes.

    Raises:
        DamagedArtifact: it describes none.
    """
    from tokenizers import Tokenizer

    try:
        tokeniser = Tokenizer.from_str(text)
    except Exception as error:  # the library raises bare Exception for every kind of bad file
        raise DamagedArtifact(f"the tokeniser cannot be read: {error}", where="tokenizer.json") from None
    tokeniser.no_padding()
    tokeniser.no_truncation()
    return tokeniser
