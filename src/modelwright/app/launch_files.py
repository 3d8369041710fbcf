"""The verb `launch-files`: write what starts a recipe on other machines."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from .. import __version__

ON = ("slurm", "kubernetes", "docker", "skypilot")


def add_arguments(command: ArgumentParser) -> None:
    """Ask for the recipe, the place, and what each machine has."""
    command.add_argument("recipe", type=Path, help="the recipe file, as it will be called there")
    command.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="changes to the recipe, for what is checked here"
    )
    command.add_argument("--on", choices=ON, required=True, help="what starts it")
    command.add_argument("--out", type=Path, default=Path(), help="the folder to write into (default: here)")
    command.add_argument(
        "--start", choices=("train", "run", "tune"), default="run", help="what is started (default: run)"
    )
    command.add_argument("--processes", type=int, default=1, metavar="N", help="processes on each machine")
    command.add_argument("--machines", type=int, default=1, metavar="N", help="how many machines")
    command.add_argument("--cores", type=int, default=2, help="cores for each process (default: 2)")
    command.add_argument("--memory", type=int, default=8, metavar="GIB", help="memory of each machine (default: 8)")
    command.add_argument(
        "--accelerators", default="", metavar="NAME", help="one of these for each process, such as H100"
    )
    command.add_argument("--hours", type=int, default=24, help="how long it may take (default: 24)")
    command.add_argument("--image", default=f"modelwright:{__version__}", help="the container image")


def write(options: Namespace) -> list[Path]:
    """Check the recipe for so many processes, and write the files; those that are there already are written anew.

    Raises:
        RecipeError: the recipe is wrong, or cannot be trained so.
    """
    from ..core.files import explained
    from ..core.recipe import load_recipe
    from .cluster_files import PLACES, Order
    from .processes import require_layout

    recipe = load_recipe(options.recipe, tuple(options.overrides))
    require_layout(recipe, options.processes * options.machines)
    order = Order(
        name=recipe.name,
        recipe=str(options.recipe),
        verb=options.start,
        processes=options.processes,
        machines=options.machines,
        cores=options.cores,
        memory_gib=options.memory,
        accelerators=options.accelerators,
        hours=options.hours,
        image=options.image,
        searches="tune" in recipe.sections,
    )
    files: dict[str, str] = PLACES[options.on](order)
    written = []
    for name, text in files.items():
        path = options.out / name
        if not options.dry_run:
            with explained(path):
                options.out.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        written.append(path)
    return written


def launch_files(options: Namespace) -> dict[str, Any]:
    """Write the files that start a recipe somewhere else, and say which."""
    written = write(options)
    for path in written:
        print(path, file=sys.stderr if options.json else sys.stdout)
    return {"files": [str(path) for path in written]}
