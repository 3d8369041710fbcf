"""A GGUF file of a decoder: weights, configuration and tokeniser in one file, read by `transformers`.

Weights that are rounded in the file stay rounded; they are numbers of 32 bits from then on.
"""

from __future__ import annotations

from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from ..core.errors import DamagedArtifact, MissingExtra
from .llama_folder import our_name

MAGIC = b"GGUF"


def read_gguf(file: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor], list[Path]]:
    """Return the configuration, the weights under our names in float32, and the file.

    Raises:
        MissingExtra: what reads such files is not installed.
        DamagedArtifact: it is no such file.
    """
    transformers = _reader(file)
    transformers.utils.logging.disable_progress_bar()
    try:
        # What turns the weights into numbers of 32 bits shows a bar of its own, which cannot be switched off.
        with redirect_stderr(StringIO()):
            model = transformers.AutoModelForCausalLM.from_pretrained(
                file.parent, gguf_file=file.name, dtype=torch.float32, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # the library raises many kinds for a damaged file
        raise _damaged(file, error) from None
    config: dict[str, Any] = model.config.to_dict()
    weights = {our_name(name): tensor for name, tensor in model.state_dict().items()}
    if config.get("tie_word_embeddings"):
        weights.pop("head.weight", None)
    return config, weights, [file]


def read_tokeniser(file: Path) -> tuple[str, dict[str, str], str]:
    """Return the tokeniser as the JSON text of `tokenizers`, the texts of its special tokens, and the template of conversations.

    Raises:
        MissingExtra: what reads such files is not installed.
        DamagedArtifact: it is no such file.
    """
    transformers = _reader(file)
    try:
        found = transformers.AutoTokenizer.from_pretrained(
            file.parent, gguf_file=file.name, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # as above
        raise _damaged(file, error) from None
    named = {name: value for name, value in found.special_tokens_map.items() if isinstance(value, str)}
    return found.backend_tokenizer.to_str(), named, str(found.chat_template or "")


def _reader(file: Path) -> Any:
    """Return transformers, once the file is known to be what its name says."""
    try:
        with file.open("rb") as stream:
            begins = stream.read(len(MAGIC))
    except OSError as error:
        raise DamagedArtifact(f"the file cannot be read: {error.strerror}", where=file) from None
    if begins != MAGIC:
        raise DamagedArtifact(
            f"the file begins with {begins!r}", where=file, expected=f"{MAGIC!r}, as a GGUF file does"
        )
    try:
        import gguf  # noqa: F401
        import transformers
    except ImportError as error:
        raise MissingExtra(
            f"the library {error.name} is not installed",
            where=file,
            expected="transformers and gguf, to read this file",
            next_step="pip install 'modelwright[text]'",
        ) from None
    return transformers


def _damaged(file: Path, error: Exception) -> DamagedArtifact:
    said = (str(error) or type(error).__name__).strip().splitlines()[0]
    return DamagedArtifact(f"the file cannot be read: {said}"[:300], where=file, expected="a GGUF file of a decoder")
