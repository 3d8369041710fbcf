"""A stage is data and one function; the context is all that the function sees of the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from .artifact import Artifact
from .crew import ALONE, Crew
from .errors import Interrupted
from .evidence import Evidence
from .metering import Meter
from .recipe import Recipe

Answer = Literal["go", "stop", "interrupt"]
# Dotted keys of the recipe and their new values, as JSON, in an artifact of a stage that edits.
EDITS = "edits.json"


@dataclass(frozen=True)
class Stage:
    """What the core knows of a stage: what it reads, needs, gives and may claim, and where its function is."""

    name: str
    settings: str
    function: str
    reads: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    # A stage that gives a kind which it also needs changes it: whoever else needs that kind takes what the last such stage gave.
    gives: tuple[str, ...] = ()
    # Of the kinds needed, those that it takes as they were first made, whatever became of them later.
    needs_first: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    # A stage that gathers comes after all others that may claim something, and sees all their evidence.
    gathers: bool = False
    # A stage that keeps what it has done so far in its work folder, and goes on from there.
    resumable: bool = False
    # A stage that all processes of a crew carry out together; the others are carried out by the first of them alone.
    joint: bool = False
    # Address of a function (recipe) -> text that joins the key: what the stage reads that no artifact and no recipe holds.
    fingerprint: str = ""
    # Sections of the recipe that this stage may change for all that comes after it, by the file EDITS in what it gives.
    # It runs before every stage that owns or reads one of them, except those that it needs itself.
    edits: tuple[str, ...] = ()
    # Address of a function (recipe) -> [(place, found, expected)]: what is wrong with this stage's section in this recipe.
    problems: str = ""
    # Address of a function (recipe) -> [(place, found, expected, next)]: what must be there before a run that comes to this stage.
    demands: str = ""


@dataclass(frozen=True)
class Progress:
    """One sign of life from a stage: how far it is, and what it saw last."""

    stage: str
    step: int = 0
    total: int = 0
    values: dict[str, float] = field(default_factory=dict)
    message: str = ""
    # A row of a table, by column, for a screen that can show one in the place of messages; the first cell names the row.
    row: dict[str, str] = field(default_factory=dict)


OnProgress = Callable[[Progress], Answer]


class RunRecipe(Protocol):
    """How a stage asks for another stage's result: a recipe, run by the core in a run of its own."""

    def __call__(self, recipe: Recipe, until: str, on_progress: OnProgress | None = None) -> Any: ...


@dataclass
class Context:
    """Owns what one execution of a stage has given and claimed so far."""

    stage: Stage
    recipe: Recipe
    inputs: dict[str, Artifact]
    gathered: tuple[Evidence, ...]
    folder: Path
    work: Path
    on_progress: OnProgress
    meter: Meter
    run_recipe: RunRecipe
    store: Callable[[Path, str], Artifact]
    find: Callable[[str, dict[str, str]], Artifact | None]
    note: Callable[..., Any]
    choose: Callable[[str, Callable[[], tuple[Any, str]]], Any]
    chosen: Callable[[str], Any]
    crew: Crew = ALONE
    outputs: dict[str, Artifact] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)

    @property
    def settings(self) -> Any:
        """The stage's own section of the recipe."""
        return self.recipe.sections[self.stage.name]

    def give(self, kind: str, filled: Path) -> Artifact:
        """Store a filled folder as an artifact that this stage gives."""
        if kind not in self.stage.gives:
            raise AssertionError(f"stage {self.stage.name} does not declare that it gives '{kind}'")
        self.outputs[kind] = self.store(filled, kind)
        return self.outputs[kind]

    def claim(self, *evidence: Evidence) -> None:
        """Record evidence; only what the stage declares it may claim."""
        for item in evidence:
            base = item.name.split("[")[0]
            if base not in self.stage.claims:
                raise AssertionError(f"stage {self.stage.name} does not declare that it may claim '{base}'")
        self.evidence.extend(evidence)

    def progress(self, step: int = 0, total: int = 0, message: str = "", **values: float) -> Answer:
        """Tell the world how far the stage is; the answer says whether to go on, stop early or be interrupted."""
        self.crew.sign()
        return self.on_progress(Progress(self.stage.name, step, total, values, message))

    def check_interrupt(self, step: int = 0, total: int = 0, message: str = "") -> None:
        """Report progress, and stop here when asked to.

        Raises:
            Interrupted: somebody asked; nothing was stored.
        """
        if self.progress(step, total, message) == "interrupt":
            raise Interrupted("stopped as asked", where=self.stage.name, next_step=f"modelwright resume {self.folder}")
