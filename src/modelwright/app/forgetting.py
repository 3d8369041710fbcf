"""The verb `forget`: rows of a person, out of all that was made of them."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from .words import say


def forget(options: Namespace) -> dict[str, Any]:
    """Take rows out of all that was made of them, and say what is gone and what is left to do."""
    from ..core import registry
    from ..core.execute import with_defaults
    from ..core.recipe import load_recipe

    recipe, _ = with_defaults(load_recipe(options.recipe, tuple(options.overrides)), "prepare")
    result: dict[str, Any] = registry.function_of("action", "forget_rows")(
        recipe, options.rows, options.runs / recipe.name, options.reason, options.dry_run
    )
    lines = [
        f"{say('rows forgotten')}: {len(result['rows'])} ({say('copies in the data')}: {result['copies']})",
        f"{say('the list')}: {result['list']}",
        *(f"{say('removed')}: {name}" for name in result["removed"]),
        *(f"{say('take it out of the raw data too')}: {name}" for name in result["still_in"]),
    ]
    if result["removed"]:
        lines.append(f"{say('next')}: modelwright run {options.recipe}")
    for line in lines:
        print(line, file=sys.stderr if options.json else sys.stdout)
    return result
