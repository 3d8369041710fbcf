"""Which parts of a training need what a layout for several processes does not provide, by name. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...core import registry
from ...core.errors import LayoutError

if TYPE_CHECKING:
    from .settings import Train

# What a part may need of the layout; one process has it all.
WHOLE_BATCH, WHOLE_LOSSES, WHOLE_MATRICES = "whole-batch", "whole-losses", "whole-matrices"
WHOLE_PARAMETERS, SHORT_PARAMETERS, WHOLE_GRADIENT = "whole-parameters", "short-parameters", "whole-gradient"
EXAMPLE_GRADIENTS, ANY_MODEL, ONE_PROCESS = "example-gradients", "any-model", "one-process"
# Optimisers that look at a matrix as a whole, or at blocks of its entries.
OF_MATRICES = ("muon", "adafactor", "adamw8bit")


@dataclass(frozen=True)
class Need:
    """A part of a recipe, where it stands, what it needs of the layout, and what to do without."""

    part: str
    key: str
    needs: str
    holds: Callable[[Any, dict[str, Any]], bool]
    next_step: str


def _normalises_by_batch(train: Any, sections: dict[str, Any]) -> bool:
    model: Any = sections.get("model")
    return getattr(model, "normalisation", "") == "batch"


NEEDS = (
    Need(
        "a model that normalises by the statistics of its batch",
        "layout",
        WHOLE_BATCH,
        _normalises_by_batch,
        "model.normalisation: group or layer",
    ),
    Need(
        "privacy: dp_sgd",
        "privacy",
        EXAMPLE_GRADIENTS,
        lambda train, sections: train.privacy.kind != "none",
        "train in one process",
    ),
    Need(
        "gradient_release: true",
        "gradient_release",
        WHOLE_GRADIENT,
        lambda train, sections: train.gradient_release is True,
        "gradient_release: false",
    ),
    Need(
        "objective: group_robust",
        "objective",
        WHOLE_LOSSES,
        lambda train, sections: train.objective.kind == "group_robust",
        "objective: reweighing",
    ),
    Need(
        f"optimiser: {', '.join(OF_MATRICES[:-1])} or {OF_MATRICES[-1]}",
        "optimiser",
        WHOLE_MATRICES,
        lambda train, sections: train.optimiser.kind in OF_MATRICES,
        "optimiser: adamw",
    ),
    Need(
        "average: ema or swa",
        "average",
        WHOLE_PARAMETERS,
        lambda train, sections: train.average.kind != "none",
        "average: none",
    ),
    Need(
        "compile: true",
        "compile",
        WHOLE_PARAMETERS,
        lambda train, sections: train.compile is not False,
        "compile: false",
    ),
    Need(
        "precision: bfloat16_parameters",
        "precision",
        SHORT_PARAMETERS,
        lambda train, sections: train.precision == "bfloat16_parameters",
        "precision: bfloat16",
    ),
    Need(
        "a model of which nothing says how it is cut",
        "layout",
        ANY_MODEL,
        lambda train, sections: getattr(sections.get("model"), "kind", "") not in registry.names("pieces"),
        "model: decoder or transformer",
    ),
    Need(
        "adversarial: gan",
        "adversarial",
        ONE_PROCESS,
        lambda train, sections: train.adversarial.kind != "none",
        "train in one process",
    ),
    Need(
        "a model that is fitted at once",
        "layout",
        ONE_PROCESS,
        lambda train, sections: getattr(type(sections.get("model")), "at_once", False),
        "a network, or one process",
    ),
)


def require_provided(train: Train, sections: dict[str, Any], network: Any, layout: Any, processes: int) -> None:
    """Refuse, in several processes, what the layout that `auto` became cannot carry, and what only the network itself shows.

    Raises:
        LayoutError: names it.
    """
    from ...models.needs import needs_of

    if processes == 1:
        return
    found = [
        f"{need.part} needs {need.needs}"
        for need in NEEDS
        if need.needs not in layout.provides and need.holds(train, sections)
    ]
    found += [f"the model needs {need}" for need in sorted(needs_of(network) - layout.provides)]
    if found:
        raise LayoutError(
            f"{'; '.join(found)}: not provided in {processes} processes by this layout",
            where="train.layout",
            expected="parts that need no more than the layout provides",
            next_step="change train.layout or the part, or train in one process",
        )


def layout_disagreements(train: Train, sections: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (key, what was found, what was expected) for every part that the chosen layout cannot carry."""
    layout: Any = train.layout
    if not getattr(type(layout), "spreads", False):
        return
    provides: frozenset[str] = getattr(type(layout), "provides", frozenset())
    for need in NEEDS:
        if need.needs not in provides and need.holds(train, sections):
            found = f"{need.part} needs {need.needs}, which 'train.layout: {layout.kind}' does not provide"
            yield need.key, found, f"{need.next_step}, or another layout"
