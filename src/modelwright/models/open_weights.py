"""A decoder that begins with weights from outside: a Hugging Face folder of Llama or Qwen, or a GGUF file of one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ..core.errors import DamagedArtifact, RecipeError
from .decoder import DecoderModel
from .decoder_settings import Decoder
from .gguf import read_gguf
from .llama_folder import read_folder, settings_of
from .pretrained import GGUF, Pretrained, find_folder
from .pretrained_settings import OpenWeights


def read_weights(settings: OpenWeights, base: Path) -> Pretrained:
    """Read the weights, and all that must be stored with the model so that it can be opened without them.

    Raises:
        RecipeError: nothing is there, or a model of another shape.
        DamagedArtifact: the weights cannot be read.
    """
    path = find_folder(settings.path, base)
    config, weights, files = read_gguf(path) if path.suffix == GGUF else read_folder(path)
    decoder, vocabulary, length = settings_of(config, path)
    facts = {"decoder": decoder.model_dump(mode="json"), "vocabulary": vocabulary, "length": length}
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return Pretrained(digest.hexdigest(), weights, {"pretrained": facts})


def build(settings: OpenWeights, learnt: dict[str, Any]) -> DecoderModel:
    """Build the decoder that the weights were read for, at the length of the task.

    Raises:
        RecipeError: the tokens are not this model's, or there are more at once than it was made for.
    """
    about = learnt.get("pretrained")
    if about is None:
        raise DamagedArtifact(
            "what is known of the open weights is missing", where="preprocessing.json", expected="the key 'pretrained'"
        )
    if learnt["size"] > about["vocabulary"]:
        raise RecipeError(
            f"the task has {learnt['size']} tokens and the model knows {about['vocabulary']}",
            where="task.tokens",
            expected="the model's own tokens",
            next_step="task.tokens: hf:PATH with the PATH of model.path",
        )
    if learnt["length"] > about["length"]:
        raise RecipeError(
            f"a window has {learnt['length']} tokens and the model was made for {about['length']}",
            where="task.length",
            expected=f"at most {about['length']}",
        )
    decoder = Decoder.model_validate({**about["decoder"], "dropout": settings.dropout})
    return DecoderModel(decoder, about["vocabulary"], learnt["length"])
