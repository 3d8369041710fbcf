"""The first weights of a model: one function for each name a recipe can say, drawn from the generator it is given.

The same in all: biases become zero, embeddings are normal, norms stay untouched, and so does any other vector. Each
parameter is drawn on the generator's device in float32 and then copied, so that device and type do not change it.
Recurrent layers are drawn gate by gate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from modelwright.core.errors import RecipeError

from . import initialisation_settings as kinds

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    Draw = Callable[[str, Tensor], object]


def default(settings: kinds.DefaultSettings, model: nn.Module, generator: Generator) -> None:
    """Leave the weights as the model's constructor drew them.

    Source: torch.nn, `reset_parameters` of each layer.
    """


def he_normal(settings: kinds.HeNormalSettings, model: nn.Module, generator: Generator) -> None:
    """Draw normal weights with variance 2 / ((1 + slope^2) fan_in).

    Source: He et al. 2015, equation 10 and section 2.2; torch.nn.init.kaiming_normal_.
    """
    from torch.nn import init

    _initialise(
        model,
        generator,
        settings.embedding_spread,
        lambda _, weight: init.kaiming_normal_(weight, settings.slope, generator=generator),
    )


def he_uniform(settings: kinds.HeUniformSettings, model: nn.Module, generator: Generator) -> None:
    """Draw uniform weights with variance 2 / ((1 + slope^2) fan_in).

    Source: He et al. 2015, equation 10 and section 2.2; torch.nn.init.kaiming_uniform_.
    """
    from torch.nn import init

    _initialise(
        model,
        generator,
        settings.embedding_spread,
        lambda _, weight: init.kaiming_uniform_(weight, settings.slope, generator=generator),
    )


def xavier_normal(settings: kinds.XavierNormalSettings, model: nn.Module, generator: Generator) -> None:
    """Draw normal weights with variance gain^2 * 2 / (fan_in + fan_out).

    Source: Glorot and Bengio 2010, equation 12; torch.nn.init.xavier_normal_.
    """
    from torch.nn import init

    _initialise(
        model,
        generator,
        settings.embedding_spread,
        lambda _, weight: init.xavier_normal_(weight, settings.gain, generator=generator),
    )


def xavier_uniform(settings: kinds.XavierUniformSettings, model: nn.Module, generator: Generator) -> None:
    """Draw uniform weights with variance gain^2 * 2 / (fan_in + fan_out).

    Source: Glorot and Bengio 2010, equation 16; torch.nn.init.xavier_uniform_.
    """
    from torch.nn import init

    _initialise(
        model,
        generator,
        settings.embedding_spread,
        lambda _, weight: init.xavier_uniform_(weight, settings.gain, generator=generator),
    )


def orthogonal(settings: kinds.OrthogonalSettings, model: nn.Module, generator: Generator) -> None:
    """Draw matrices whose rows or columns, whichever are fewer, are orthonormal up to the gain.

    Source: Saxe et al. 2014, section 3; torch.nn.init.orthogonal_.
    """
    from torch.nn import init

    _initialise(
        model,
        generator,
        settings.embedding_spread,
        lambda _, weight: init.orthogonal_(weight, settings.gain, generator=generator),
    )


def scaled_residual(settings: kinds.ScaledResidualSettings, model: nn.Module, generator: Generator) -> None:
    """Draw normal weights; those of residual projections are 1 / sqrt(2 * layers) times as wide.

    Raises:
        RecipeError: no parameter's name ends like a residual projection.
    Source: Radford et al. 2019 (GPT-2), section 2.3.
    """
    names = [name for name, parameter in model.named_parameters() if parameter.ndim >= 2]
    residual = {name for name in names if name.removesuffix(".weight").endswith(settings.residual)}
    if not residual:
        raise RecipeError(
            f"no weight of the model is named like a residual projection ({', '.join(settings.residual)})",
            where="initialisation.residual",
            expected=f"endings of names such as {', '.join(names[:3])}",
            next_step="set initialisation.residual, or choose another initialisation",
        )
    count = len(residual) if settings.layers == "auto" else 2 * settings.layers
    narrow = settings.spread / math.sqrt(count)

    def draw(name: str, weight: Tensor) -> None:
        weight.normal_(0.0, narrow if name in residual else settings.spread, generator=generator)

    _initialise(model, generator, settings.embedding_spread, draw)


def _initialise(model: nn.Module, generator: Generator, embedding_spread: float, draw: Draw) -> None:
    """Fill every parameter of a model in its order; a tied one is filled once, as an embedding if it is one."""
    import torch

    places = list(_places(model))
    embeddings = {id(parameter) for kind, _, parameter in places if kind == "embedding"}
    filled: set[int] = set()
    with torch.no_grad():
        for kind, name, parameter in places:
            if id(parameter) in filled or kind == "untouched":
                continue
            filled.add(id(parameter))
            if id(parameter) in embeddings:
                _fill(parameter, generator, 1, lambda part: part.normal_(0.0, embedding_spread, generator=generator))
            elif kind == "bias":
                parameter.zero_()
            else:
                gates = {"lstm": 4, "gru": 3}.get(kind, 1)
                _fill(parameter, generator, gates, partial(draw, name))
        _zero_padding(model, embeddings & filled)


def _places(model: nn.Module) -> Iterator[tuple[str, str, Tensor]]:
    """Give (kind, full name, parameter) for each place a parameter has in a model; a tied one has several."""
    from torch import nn

    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            full = f"{path}.{name}" if path else name
            if isinstance(module, (nn.Embedding, nn.EmbeddingBag)) or (parameter.ndim >= 2 and "embed" in name):
                yield "embedding", full, parameter
            elif parameter.ndim < 2:
                yield "bias" if "bias" in name and not _is_norm(module) else "untouched", full, parameter
            elif _is_norm(module):
                yield "untouched", full, parameter
            else:
                yield (
                    {nn.LSTM: "lstm", nn.GRU: "gru", nn.LSTMCell: "lstm", nn.GRUCell: "gru"}.get(
                        type(module), "weight"
                    ),
                    full,
                    parameter,
                )


def _is_norm(module: nn.Module) -> bool:
    # By name, so that a model's own norm is spared as well: every norm of torch has the word in its class's name.
    return "norm" in type(module).__name__.lower()


def _fill(parameter: Tensor, generator: Generator, parts: int, draw: Callable[[Tensor], object]) -> None:
    import torch

    for part in parameter.chunk(parts):
        values = torch.empty(part.shape, dtype=torch.float32, device=generator.device)
        draw(values)
        part.copy_(values)


def _zero_padding(model: nn.Module, embeddings: set[int]) -> None:
    from torch import nn

    for module in model.modules():
        if isinstance(module, nn.Embedding) and module.padding_idx is not None and id(module.weight) in embeddings:
            module.weight[module.padding_idx].zero_()
