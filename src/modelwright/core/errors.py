"""The errors a user can meet: one root, few families, each with its exit code.

A message answers four questions: where, what was found, what was expected, what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in the four parts that every message of ours has."""

    found: str
    where: str = ""
    expected: str = ""
    next_step: str = ""

    def __str__(self) -> str:
        sentences = [f"{self.where}: {self.found}" if self.where else self.found]
        if self.expected:
            sentences.append(f"expected {self.expected}")
        if self.next_step:
            sentences.append(f"next: {self.next_step}")
        return "; ".join(sentences)


class ModelwrightError(Exception):
    """Root of every error that is the user's, the data's or the machine's, and not a bug of ours."""

    exit_code = 1

    def __init__(self, found: str, *, where: object = "", expected: str = "", next_step: str = "") -> None:
        self.problems: tuple[Problem, ...] = (Problem(found, str(where), expected, next_step),)
        super().__init__(found)

    @classmethod
    def of(cls, problems: list[Problem]) -> ModelwrightError:
        """One error that carries many problems, because they are reported all at once."""
        error = cls(problems[0].found)
        error.problems = tuple(problems)
        return error

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class RecipeError(ModelwrightError):
    """The recipe or the command line says something that cannot be done."""

    exit_code = 2


class LayoutError(RecipeError):
    """A part needs what the chosen layout does not provide."""


class MissingExtra(RecipeError):
    """A package that is not among the core dependencies is needed."""


class DataError(ModelwrightError):
    """The data cannot be read, or is not what the recipe says."""

    exit_code = 3


class BudgetError(ModelwrightError):
    """Disk, memory, time, energy or money has run out."""

    exit_code = 4


class DamagedArtifact(ModelwrightError):
    """A stored file is not what its digest says."""

    exit_code = 5


class Busy(ModelwrightError):
    """Somebody else holds the run folder or the port."""

    exit_code = 6


class GateFailed(ModelwrightError):
    """The evidence does not support a release."""

    exit_code = 7


class Interrupted(ModelwrightError):
    """The run was asked to stop, has saved its state and can be resumed."""

    exit_code = 75
