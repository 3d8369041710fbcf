"""The verb `calibrate`: measure this machine for about five seconds, for what a plan cannot measure operation by operation."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from .words import say


def add_arguments(command: ArgumentParser) -> None:
    """Ask where to write, and for how many threads."""
    command.add_argument(
        "--out", type=Path, metavar="FILE", help="the machine file to write (default: in your folder of configuration)"
    )
    command.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all cores)")
    command.add_argument(
        "--price", type=float, default=0.0, help="what an hour of this machine costs (default: nothing)"
    )


def calibrate(options: Namespace) -> dict[str, Any]:
    """Measure this machine and write down what was found."""
    from ..core import registry

    result: dict[str, Any] = registry.function_of("action", "calibrate")(
        options.out, options.threads, options.price, options.dry_run
    )
    constants = result.get("machine", {}).get("constants", {})
    lines = [f"{name:<28} {item['value']:>12.4g} {item['unit']}  ({item['how']})" for name, item in constants.items()]
    for line in [*lines, f"{say('the machine file is')}   {result['file']}"]:
        print(line, file=sys.stderr if options.json else sys.stdout)
    return result
