"""One command in several processes: who starts them, who is the first of them, and what the others do."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from typing import Any

from ..core.crew import ALONE, LostContact
from ..core.errors import LayoutError
from .words import say

RESTARTS, PATIENCE = 3, 40.0


def add_arguments(command: ArgumentParser) -> None:
    """Let a verb that trains be carried out by several processes."""
    command.set_defaults(crew=ALONE)
    command.add_argument(
        "--processes", type=_count, default=1, metavar="N", help="train in so many processes (on each machine)"
    )
    command.add_argument(
        "--machines", type=_count, default=1, metavar="N", help="the same command is given on so many machines"
    )
    command.add_argument("--meet", default="", metavar="HOST:PORT", help="where the machines meet: the first of them")
    command.add_argument(
        "--least", type=int, default=0, metavar="N", help="on Ray: how few processes are still enough (default: all)"
    )
    command.add_argument(
        "--restarts", type=int, default=RESTARTS, help=f"how often all begin again when one fails (default: {RESTARTS})"
    )
    command.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        metavar="SECONDS",
        help=f"without a step for so long, a process is taken to hang (default: {PATIENCE:g})",
    )


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"found {text}, expected a whole number from 1")
    return int(text)


def carry_out(options: Namespace, arguments: Sequence[str] | None, here: Callable[[Namespace], int]) -> int:
    """Do what the command line says: here alone, here with others, or by starting processes that do it."""
    if not hasattr(options, "crew"):
        return here(options)
    if int(os.environ.get("WORLD_SIZE", 1)) > 1 and "RANK" in os.environ:
        return _as_one_of_many(options, here)
    if options.dry_run or options.processes * options.machines == 1:
        return here(options)
    return _start(options, list(sys.argv[1:] if arguments is None else arguments))


def _start(options: Namespace, arguments: list[str]) -> int:
    from ..core import registry

    on = "here"
    if options.verb != "resume":
        from ..core.recipe import load_recipe

        recipe = load_recipe(options.recipe, tuple(options.overrides))
        require_layout(recipe, options.processes * options.machines)
        on = getattr(recipe.sections.get("train"), "on", on)
    if options.machines > 1 and not options.meet and on == "here":
        raise LayoutError(
            f"{options.machines} machines, and nowhere to meet",
            where="--machines",
            expected="--meet HOST:PORT, the same on each",
        )

    def told(line: str) -> None:
        print(f"{say('processes')}: {line}", file=sys.stderr, flush=True)

    crowd = registry.load("modelwright.engine.launch:Crowd")(
        options.processes, options.machines, options.meet, options.restarts, options.least
    )
    code: int = registry.function_of("action", "launch" if on == "here" else "launch_on_ray")(arguments, crowd, told)
    return code


def _as_one_of_many(options: Namespace, here: Callable[[Namespace], int]) -> int:
    """Be the first process, which does it all, or another one, which follows it."""
    from ..core import registry

    rank = int(os.environ["RANK"])
    again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0
    registry.load("modelwright.engine.launch:settle_in")(rank)
    options.rank = rank
    options.crew = crew = registry.function_of("action", "join")(options.patience)
    if rank:
        crew.follow()
        return 0
    if again and options.verb != "resume":
        # What was made before the restart is what all go on from.
        options.from_scratch = options.again = False
    try:
        return here(options)
    except LostContact:
        # There is nobody to be dismissed.
        crew = None
        raise
    finally:
        if crew:
            crew.dismiss()


def ended(options: Namespace, code: int, error: BaseException | None = None) -> int:
    """Return the exit code of this process; where it is the first of several, its launcher hears of it another way."""
    if getattr(options, "rank", None) != 0 or isinstance(error, LostContact):
        return code
    from ..core import registry

    left: int = registry.load("modelwright.engine.launch:leave")(code)
    return left


def who(options: Namespace) -> str:
    """Say which of several processes speaks; nothing of the first, and of one alone."""
    return f"rank {options.rank}: " if getattr(options, "rank", 0) else ""


def require_layout(recipe: Any, processes: int) -> None:
    """Refuse a recipe that cannot be trained in so many processes.

    Raises:
        RecipeError: names the parts that do not go together.
    """
    train: Any = recipe.sections.get("train")
    if processes < 2 or train is None:
        return
    if train.layout.kind == "auto":
        recipe.edited({"train.layout": "data"})
    fits: Callable[[int], str] | None = getattr(train.layout, "misfit", None)
    wrong = fits(processes) if fits else ("it is for one" if train.layout.kind == "local" else "")
    if wrong:
        raise LayoutError(
            f"{processes} processes, and the layout is {train.layout.kind}: {wrong}",
            where="train.layout",
            expected="a layout for so many processes",
            next_step="change train.layout, or --processes",
        )
