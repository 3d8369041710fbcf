"""What a recipe keeps under a key: which artifacts, whether checkpoints, and what becomes of what was kept otherwise before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from .errors import RecipeError
from .files import UNFINISHED, new_folder
from .opened import SUFFIX, is_sealed_folder, private_place, seal_folder
from .recipe import Recipe
from .sealing import Key, is_sealed, read_key, rewrap
from .settings import Sequence, Settings

SECTION = "encrypt"


class Encrypt(Settings):
    """What is kept under a key. Leaving the section out leaves everything open; what is sealed already stays sealed."""

    key: str = Field(
        pattern="^(env|file):.+",
        description="where the key is: env:NAME for a variable, file:PATH for a file, relative to the recipe; 64 hexadecimal digits",
    )
    before: Sequence[str] = Field(
        (),
        description="keys that were used before, as in key; what they have sealed is given over to key at the next run",
    )
    artifacts: Sequence[str] = Field(
        ("dataset", "groups", "model", "predictions", "evaluation", "explanation", "compression", "audit"),
        description="kinds of artifacts that are sealed in the run folder; all of these may hold rows of the data, a model by its "
        "golden examples. A release is never sealed",
    )
    checkpoints: bool = Field(True, description="seal the checkpoints of an unfinished training, too")


@dataclass(frozen=True)
class Vault:
    """The keys of one recipe, and the kinds of artifacts that are sealed."""

    key: Key | None = None
    before: tuple[Key, ...] = ()
    kinds: tuple[str, ...] = ()
    checkpoints: bool = False

    def key_for(self, kind: str) -> Key | None:
        """Return the key that an artifact of this kind is sealed with; none where it stays open."""
        return self.key if kind in self.kinds else None

    def key_for_checkpoints(self) -> Key | None:
        """Return the key that checkpoints are sealed with."""
        return self.key if self.checkpoints else None

    def place_of_work(self, run: Path, resumable: bool) -> Path:
        """Return where a stage may lay what it makes, before it is stored: where nobody else can look, unless it must go on later."""
        return run if self.key is None or resumable else private_place()

    def settle(self, run: Path, note: Callable[..., object]) -> None:
        """Seal what still lies open in a run folder, and give over what an old key has sealed; note how many files of each."""
        if self.key is None:
            return
        sealed = sum(self._seal_folder(folder) for folder in self._open_ones(run))
        given_over = sum(rewrap(path, self.key, self.before) for path in self._sealed_ones(run)) if self.before else 0
        if sealed or given_over:
            note("files sealed", sealed=sealed, given_over=given_over, key=self.key.id)

    def _open_ones(self, run: Path) -> Iterator[Path]:
        for kind in self.kinds:
            yield from (
                folder
                for folder in sorted(run.glob(f"**/artifacts/{kind}-*"))
                if folder.is_dir() and not is_sealed_folder(folder)
            )

    def _seal_folder(self, folder: Path) -> int:
        assert self.key is not None
        aside = folder.with_name(f"{UNFINISHED}{os.getpid()}-open-{folder.name}")
        # The whole folder changes its place first, so that none of it is ever half of each.
        with new_folder(folder.with_name(f"{folder.name}{SUFFIX}")) as sealed:
            number = seal_folder(folder, sealed, self.key)
        os.replace(folder, aside)
        os.replace(folder.with_name(f"{folder.name}{SUFFIX}"), folder)
        shutil.rmtree(aside)
        return number

    def _sealed_ones(self, run: Path) -> Iterator[Path]:
        for place in ("**/artifacts/*/**/*", "**/work/**/*"):
            yield from (path for path in sorted(run.glob(place)) if path.is_file() and is_sealed(path))


def vault_of(recipe: Recipe) -> Vault:
    """Return the vault that a recipe asks for; without the section, one that seals nothing.

    Raises:
        RecipeError: a key is not to be had.
    """
    settings = recipe.sections.get(SECTION)
    if not isinstance(settings, Encrypt):
        return Vault()
    if "release" in settings.artifacts:
        raise RecipeError("a release is there to be opened by others", where="encrypt.artifacts", expected="no release")
    key, *before = (read_key(_placed(place, recipe.base)) for place in (settings.key, *settings.before))
    return Vault(key, tuple(before), tuple(settings.artifacts), settings.checkpoints)


def _placed(place: str, base: Path) -> str:
    kind, _, name = place.partition(":")
    return place if kind == "env" else f"file:{(base / Path(name).expanduser()).absolute()}"
