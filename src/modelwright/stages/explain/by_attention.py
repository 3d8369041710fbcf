"""Attention rollout: how attention mixes the tokens of each text, whatever the class."""

from __future__ import annotations

import numpy as np

from ...core import registry
from ...core.errors import RecipeError
from ...methods.attribution.rollout import roll_out
from ...methods.attribution.settings import AttentionRollout
from .question import Answer, Question


def run_attention_rollout(settings: AttentionRollout, question: Question) -> Answer:
    """Roll out the attention of a Transformer.

    Raises:
        RecipeError: the model has no attention that it shows.
    """
    network, kind = question.subject.inside("attention_rollout"), question.subject.kind
    if kind not in registry.names("attention"):
        raise RecipeError(
            f"the model '{kind}' has no attention to roll out",
            where="explain.attributions",
            expected=f"one of the models {', '.join(registry.names('attention'))}",
            next_step="use occlusion, shapley or integrated_gradients",
        )
    attention_of = registry.function_of("attention", kind)
    weights = []
    for number, cut in enumerate(question.cuts):
        question.tell(number, len(question.cuts))
        inputs = question.subject.predictor.task.collate(cut.example, np.arange(1)).inputs
        layers = [layer[0].double().numpy() for layer in attention_of(network, **inputs)]
        tokens = roll_out(layers)
        # As one number a token, in the place of what its embedding gives.
        weights.append(cut.gather({"tokens": tokens[None, :, None]})[0])
    return Answer(tuple(weights))
