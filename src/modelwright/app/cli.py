"""The command line: `modelwright VERB ...`. The process border: the only place where every error ends, with its exit code."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import calibrating, launch_files, submitting
from .processes import add_arguments, carry_out, ended, who
from .words import say

# Verb -> what it does. The stages' verbs are the registered stages.
STAGES = {
    "tune": "search for better settings, judged on the validation part",
    "prepare": "read the data and deal it out into parts",
    "plan": "say what a run will cost before it runs, and choose what fits",
    "train": "train the model",
    "compress": "make the model smaller and faster, and measure what it costs",
    "evaluate": "judge the model on the test part",
    "explain": "show why the model answers as it does, and put the explanations to the test",
    "audit": "look at privacy, fairness and security, claimed against measured; or list what is overdue",
    "prove-resume": "kill and resume this very training, and prove that it ends in the same bytes",
    "release": "judge the gates and make the signed folder",
}
VERBS = {
    "run": "do everything that a recipe asks for",
    **STAGES,
    "init": "look at your data and write a recipe for it",
    "check": "say everything that is wrong with a recipe",
    "show": "show a recipe with every default filled in",
    "resume": "go on with an interrupted run",
    "runs": "list the runs in a folder",
    "report": "write the report page of a run",
    "predict": "answer from a release alone",
    "verify": "check a release: digests, signature, journal, golden answers",
    "serve": "answer over HTTP from a release",
    "keys": "make, list and take back the keys of a served release",
    "submit": "plan several recipes and hand them to Ray, which runs each where and when there is room",
    "launch-files": "write the files that start a recipe on Slurm, Kubernetes, Docker or SkyPilot",
    "label": "choose the rows of a pool whose labels would tell a trained model most",
    "forget": "take rows out of all that was made of them, and never use them again",
    "calibrate": "measure this machine for about five seconds, for the times of a plan",
    "doctor": "say what this machine can do and what is missing",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    # Read by libgomp when torch is first imported: threads that wait by spinning cost others their core.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        options = _parse(arguments)
    except SystemExit as stopped:
        code = int(stopped.code or 0)
        if code and "--json" in (sys.argv[1:] if arguments is None else arguments):
            print(
                json.dumps(
                    {
                        "error": "Usage",
                        "exit_code": code,
                        "problems": [{"found": "the command line is not understood; see standard error"}],
                    }
                )
            )
        return code
    from ..core.errors import Interrupted, ModelwrightError

    try:
        return ended(options, carry_out(options, arguments, _call))
    except ModelwrightError as error:
        _complain(error, options)
        return ended(options, error.exit_code, error)
    except KeyboardInterrupt:
        _complain(
            Interrupted(
                "stopped at once",
                where=options.verb,
                next_step="the same command again goes on from the last checkpoint",
            ),
            options,
        )
        return ended(options, Interrupted.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return ended(options, _bug(error, options))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; overrides may stand anywhere, also behind options, where argparse alone loses them."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    stray = [word for word in rest if word.startswith("-") or "=" not in word or not hasattr(options, "overrides")]
    if stray:
        parser.error(f"unrecognised: {' '.join(stray)}")
    if rest:
        options.overrides = [*options.overrides, *rest]
    return options


def _call(options: argparse.Namespace) -> int:
    from . import verbs

    result: Any = getattr(verbs, options.verb.replace("-", "_"))(options)
    if options.json and result is not None:
        print(json.dumps(result, ensure_ascii=False, allow_nan=False))
    return 0


def _complain(error: Any, options: argparse.Namespace) -> None:
    if options.debug:
        traceback.print_exc()
    if options.json:
        problems = [problem.__dict__ for problem in error.problems]
        print(
            json.dumps(
                {"error": type(error).__name__, "exit_code": error.exit_code, "problems": problems}, ensure_ascii=False
            )
        )
    for problem in error.problems:
        parts = [f"{who(options)}{say('error')}: {problem.where + ': ' if problem.where else ''}{problem.found}"]
        if problem.expected:
            parts.append(f"  {say('expected')}: {problem.expected}")
        if problem.next_step:
            parts.append(f"  {say('next')}: {problem.next_step}")
        print("\n".join(parts), file=sys.stderr)


def _bug(error: Exception, options: argparse.Namespace) -> int:
    """A failure that is ours: say so, and keep what a report of it needs."""
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"modelwright-bug-{os.getpid()}.txt"
    path.write_text("".join(traceback.format_exception(error)))
    if options.debug:
        traceback.print_exc()
    if options.json:
        print(
            json.dumps(
                {
                    "error": "bug",
                    "exit_code": 1,
                    "problems": [{"found": f"{type(error).__name__}: {error}", "where": str(path)}],
                }
            )
        )
    print(
        f"{who(options)}{say('error')}: this is a bug of modelwright: {type(error).__name__}: {error}\n"
        f"  details: {path}\n  {say('next')}: modelwright doctor --json, and send both",
        file=sys.stderr,
    )
    return 1


def _parser() -> argparse.ArgumentParser:
    from .. import __version__

    parser = argparse.ArgumentParser(
        prog="modelwright",
        description="From raw data to a signed, gated release, from one recipe.",
        epilog="Exit codes: 0 ok, 1 bug, 2 recipe or usage, 3 data, 4 disk or memory or budget, 5 damaged, 6 busy, "
        "7 gate failed, 75 interrupted: resume me.",
    )
    parser.add_argument("--version", action="version", version=f"modelwright {__version__}")
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument(
        "--json", action="store_true", help="one JSON object on standard output, everything else on standard error"
    )
    every.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    every.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, what in VERBS.items():
        command = commands.add_parser(verb, help=what, description=what, parents=[every])
        _ARGUMENTS.get(verb, _recipe_arguments)(command)
    return parser


def _recipe_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipe", type=Path, help="the recipe file")
    command.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="changes to the recipe, such as train.batch=64"
    )
    command.add_argument("--runs", type=Path, default=Path("runs"), help="the folder of runs (default: runs)")
    command.add_argument("--from-scratch", action="store_true", help="forget what was made before")
    command.add_argument("--again", action="store_true", help="do the stage of this verb anew, and no other")
    _allow_change_argument(command)
    command.add_argument("--smoke", action="store_true", help="64 rows and 2 steps: does it run at all?")
    add_arguments(command)


def _audit_arguments(command: argparse.ArgumentParser) -> None:
    _recipe_arguments(command)
    command.add_argument(
        "--since",
        metavar="AGE",
        help="RECIPE is a run, a release, or a folder of these: list what is overdue, such as audits older than 30d; exit code 7 "
        "if anything is",
    )


def _allow_change_argument(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--allow-change",
        action="store_true",
        help="go on with an unfinished training although its recipe, data, code or environment has changed",
    )


def _init_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("data", type=Path, nargs="?", help="a file or folder of data")
    command.add_argument(
        "--sample", metavar="NAME", help="use a data set that comes inside an installed package, such as digits"
    )
    command.add_argument("--target", default="", help="the column to predict")
    command.add_argument(
        "--out", type=Path, default=Path("recipe.yaml"), help="the recipe to write (default: recipe.yaml)"
    )


def _prepare_arguments(command: argparse.ArgumentParser) -> None:
    _recipe_arguments(command)
    command.add_argument(
        "--explain", metavar="ROW", default="", help="say what became of a row, such as train.csv:17, and why"
    )


def _forget_arguments(command: argparse.ArgumentParser) -> None:
    _check_arguments(command)
    command.add_argument("--runs", type=Path, default=Path("runs"), help="the folder of runs (default: runs)")
    command.add_argument(
        "--rows", nargs="+", required=True, metavar="ROW", help="rows as messages name them, such as train.csv:17"
    )
    command.add_argument("--reason", required=True, help="why: who asked, under which number; the journal keeps it")


def _label_arguments(command: argparse.ArgumentParser) -> None:
    _run_arguments(command)
    command.add_argument("pool", help="data without labels, in the format of the recipe's data")
    command.add_argument("--rows", type=int, default=20, metavar="N", help="how many rows to ask for (default: 20)")
    command.add_argument(
        "--by",
        choices=("uncertainty", "mixed", "bald", "diversity", "random"),
        default="uncertainty",
        help="uncertainty: the model is undecided; mixed: so, and unlike each other; bald: it disagrees with itself under "
        "dropout; diversity: unlike all that is known",
    )
    command.add_argument("--out", type=Path, metavar="FILE", help="write the rows as a table that a person can fill in")


def _check_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipe", type=Path, help="the recipe file")
    command.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    command.add_argument("--processes", type=int, default=1, metavar="N", help="to be trained in so many processes")


def _show_arguments(command: argparse.ArgumentParser) -> None:
    _check_arguments(command)
    command.add_argument("--origin", action="store_true", help="say of every value where it comes from")


def _run_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", type=Path, help="the run folder")


def _resume_arguments(command: argparse.ArgumentParser) -> None:
    _run_arguments(command)
    _allow_change_argument(command)
    add_arguments(command)


def _runs_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--runs", type=Path, default=Path("runs"), help="the folder of runs (default: runs)")


def _predict_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("release", type=Path, help="the release folder")
    command.add_argument("inputs", nargs="+", metavar="INPUT", help="what to answer: picture files")
    command.add_argument("--out", type=Path, help="where a picture in another style is written: a PNG, or a folder")


def _verify_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("release", type=Path, help="the release folder")
    command.add_argument("--public-key", type=Path, help="the public key (PEM) of who should have signed")
    command.add_argument("--witness", type=Path, help="the witness file of the run's journal")


def _serve_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("release", type=Path, help="the release folder")
    command.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="changes to how it asks to be served, such as serve.port=9000"
    )
    command.add_argument("--public-key", type=Path, help="the public key (PEM) of who should have signed")
    command.add_argument(
        "--ask",
        default="",
        metavar="INPUT",
        help="answer this one input over HTTP, and stop: does it work here at all?",
    )
    command.add_argument(
        "--out", type=Path, metavar="FILE.png", help="with --ask: where to write an answer that is a picture"
    )
    _state_argument(command)


def _keys_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=("add", "list", "revoke"), help="what to do")
    command.add_argument("release", type=Path, help="the release folder")
    command.add_argument(
        "name", nargs="?", default="", help="add: who it is for; revoke: the first characters of the key"
    )
    command.add_argument(
        "--scope",
        action="append",
        default=[],
        help="predict, feedback, metrics or admin; may be repeated (default: predict, feedback)",
    )
    command.add_argument("--days", type=float, help="for how many days it is valid (default: until it is revoked)")
    _state_argument(command)


def _state_argument(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--state",
        type=Path,
        help="the folder of keys and feedback (default: beside the release, with `.served` behind its name)",
    )


def _report_arguments(command: argparse.ArgumentParser) -> None:
    _run_arguments(command)
    _state_argument(command)


def _doctor_arguments(command: argparse.ArgumentParser) -> None:
    pass


def _plan_arguments(command: argparse.ArgumentParser) -> None:
    _recipe_arguments(command)
    command.add_argument("--html", type=Path, metavar="FILE", help="write the picture of memory over a step, too")


_ARGUMENTS = {
    "plan": _plan_arguments,
    "audit": _audit_arguments,
    "init": _init_arguments,
    "prepare": _prepare_arguments,
    "forget": _forget_arguments,
    "label": _label_arguments,
    "check": _check_arguments,
    "show": _show_arguments,
    "resume": _resume_arguments,
    "report": _report_arguments,
    "runs": _runs_arguments,
    "predict": _predict_arguments,
    "verify": _verify_arguments,
    "serve": _serve_arguments,
    "keys": _keys_arguments,
    "calibrate": calibrating.add_arguments,
    "doctor": _doctor_arguments,
    "launch-files": launch_files.add_arguments,
    "submit": submitting.add_arguments,
}
