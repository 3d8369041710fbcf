"""What the release of a language model answers: how a text goes on, or is answered, and which tokens were likely to come first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ...core.errors import RecipeError
from ...engine.generation import write
from ...engine.predictor import Predictor
from ...sources.rows import Rows
from ...tasks.chat import tokens_before
from ...tasks.vocabulary import Vocabulary

TOKENS = 64
RUNNERS_UP = 3


def tell(predictor: Predictor, rows: Rows, out: Path | None = None) -> list[dict[str, Any]]:
    """Return the most likely continuation of each text, with the first token's probability and its runners-up.

    Raises:
        RecipeError: pictures are wanted.
    """
    if out is not None:
        raise RecipeError("the answers of a language model are no pictures", where="predict --out")
    vocabulary = Vocabulary(predictor.learnt)
    told = []
    for name, text in zip(rows.origins, rows.columns["text"], strict=True):
        prompt = tokens_before(text, predictor.learnt, vocabulary)[-predictor.network.length :]
        with torch.inference_mode():
            last = (torch.tensor([0]), torch.tensor([len(prompt) - 1]))
            logits = predictor.network.eval()(torch.tensor([prompt]), only=last)[0]
        best = logits.float().softmax(dim=-1).topk(min(RUNNERS_UP + 1, len(logits)))
        ranked = [
            {"label": vocabulary.name(token), "probability": probability}
            for token, probability in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]
        written = write(predictor.network, [prompt], TOKENS, vocabulary.end)[0]
        told.append({"input": name, "text": vocabulary.decode(written), **ranked[0], "runners_up": ranked[1:]})
    return told
