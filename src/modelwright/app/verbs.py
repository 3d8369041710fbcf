"""One function per verb of the command line: options in, printed lines and one JSON-able result out."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from .answered import answered
from .asking import label as label
from .calibrating import calibrate as calibrate
from .forgetting import forget as forget
from .headline import headline
from .launch_files import launch_files as launch_files
from .submitting import submit as submit
from .words import say

# Rows and steps of `--smoke`: enough to touch every line, too little to learn.
SMOKE = {
    "train.length": "2 steps",
    "train.save.every": "1 steps",
    "prepare.limit": 64,
    "release.gates": [],
    "release.overrides": [],
    "release.owner": "a smoke test",
    "release.purpose": "To see whether the recipe runs at all.",
    "release.approver": "nobody: not for use",
    # Two steps teach too little for two models to agree.
    "compress.least_agreement": 0,
    "compress.rounds": 3,
    "compress.resamples": 100,
    "evaluate.resamples": 100,
    "evaluate.folds": 0,
    "prove_resume.kills": 1,
    "audit.privacy.canaries": 0,
    "audit.privacy.shadows": 0,
    "tune.trials": 2,
    "explain.examples": 32,
    "explain.checks.examples": 2,
    "explain.checks.models": 2,
}
# Of one task alone: a text is long however few there are, and each step reads many tokens.
SMOKE_OF = {"language": {"task.longest": 4000, "train.batch": 4, "evaluate.samples.tokens": 20}}
SMOKE_BATCH = 8


def _stage_verb(options: Namespace) -> dict[str, Any]:
    from ..core.recipe import load_recipe

    recipe = load_recipe(options.recipe, tuple(options.overrides))
    until = None if options.verb == "run" else options.verb.replace("-", "_")
    if options.smoke:
        recipe = _smaller(recipe, until)
    if options.dry_run:
        return _dry_run(recipe, until, options)
    from . import api
    from .screen import Screen

    if options.again:
        api.forget(recipe, until or "release", options.runs)
    with Screen() as screen:
        made = api.run(
            recipe,
            until=until,
            runs=options.runs,
            on_progress=screen.on_progress,
            from_scratch=options.from_scratch,
            allow_change=options.allow_change,
            crew=options.crew,
        )
    return _told(made, options)


def _smaller(recipe: Any, until: str | None) -> Any:
    """Make the recipe of a smoke test; it has a name of its own, so that it takes no place of a real run."""
    from ..core.execute import with_defaults

    complete, stages = with_defaults(recipe, until)
    asked = {stage.name for stage in stages}
    kind = complete.sections["task"].model_dump()["kind"]
    small = {**SMOKE, **SMOKE_OF.get(kind, {})}
    changes = {key: value for key, value in small.items() if key.split(".")[0] in {*asked, "task"}}
    train: Any = complete.sections.get("train")
    if "train" in asked and train.privacy.kind != "none":
        # An expected batch larger than all there is, is refused.
        changes["train.batch"] = SMOKE_BATCH
    return complete.edited({"name": f"{recipe.name}-smoke", **changes})


def prepare(options: Namespace) -> dict[str, Any]:
    """Prepare, and say what became of a row where that is asked."""
    result = _stage_verb(options)
    if not options.explain or options.dry_run:
        return result
    from ..core import registry
    from ..core.run import Run

    dataset = Run(Path(result["run"])).artifact("dataset")
    assert dataset is not None, "prepare has just given it"
    rows = registry.function_of("action", "explain_row")(dataset.path, options.explain)
    lines = []
    for row in rows:
        lines.append(
            f"{row['row']}: {say('in the part')} {row['part']}" if row["part"] else f"{row['row']}: {say('in no part')}"
        )
        lines += [f"  {say(entry['action'])} ({entry['rule']}): {entry['reason']}" for entry in row["entries"]]
    _print(lines, options)
    return {**result, "rows": rows}


def audit(options: Namespace) -> dict[str, Any]:
    """Audit the model of a recipe; or list what is overdue in a run, a release, or a folder of these."""
    if options.since is None and not options.recipe.is_dir():
        return _stage_verb(options)
    from .overdue import require_nothing_overdue

    places = require_nothing_overdue(options.recipe, options.since)
    _print([f"{say('nothing is overdue')}: {places}"], options)
    return {"overdue": [], "places": places}


run = tune = train = compress = evaluate = explain = prove_resume = release = _stage_verb


def plan(options: Namespace) -> dict[str, Any]:
    """Say what a run will cost, and write the picture of it on demand."""
    from ..core.recipe import load_recipe
    from . import api
    from .planned import lines_of
    from .screen import Screen

    recipe = load_recipe(options.recipe, tuple(options.overrides))
    # A search would run before the plan, and take as long as it takes; the plan is of the recipe as it is written.
    recipe = recipe.without("tune") if "tune" in recipe.sections else recipe
    if options.smoke:
        recipe = _smaller(recipe, "plan")
    if options.dry_run:
        return _dry_run(recipe, "plan", options)
    with Screen() as screen:
        made = api.run(
            recipe,
            until="plan",
            runs=options.runs,
            on_progress=screen.on_progress,
            from_scratch=options.from_scratch,
            allow_change=options.allow_change,
        )
    found = api.planned(made.folder)
    if options.html:
        from .report.planned import write_plan

        write_plan(options.html, found)
    _print(lines_of(found), options)
    return {"run": str(made.folder), "plan": found, "evidence": [item.to_json() for item in made.evidence()]}


def _told(made: Any, options: Namespace) -> dict[str, Any]:
    from .publish import RELEASE

    result: dict[str, Any] = {
        "run": str(made.folder),
        "report": str(made.folder / "report.html"),
        "stages": {
            name: {"key": record.key, "seconds": record.seconds, "outputs": record.outputs}
            for name, record in made.current().items()
        },
        "evidence": [item.to_json() for item in made.evidence()],
    }
    lines = headline({item.name: item for item in made.evidence()})
    lines += [
        f"{'resume_bit_equal':<26} {say('equal in every byte')} ({item.n:.0f} x kill -9)"
        for item in made.evidence()
        if item.name == "resume_bit_equal" and item.value == 1.0 and item.n
    ]
    lines.append(f"{say('the report is')}   {made.folder / 'report.html'}")
    if (made.folder / RELEASE).exists():
        result["release"] = str(made.folder / RELEASE)
        lines += [
            f"{say('the release is')}  {made.folder / RELEASE}",
            f"{say('try')}: modelwright verify {made.folder / RELEASE}",
        ]
    _print(lines, options)
    return result


def _dry_run(recipe: Any, until: str | None, options: Namespace) -> dict[str, Any]:
    return _plan(options.runs / recipe.name, recipe, until, options)


def _plan(folder: Path, recipe: Any, until: str | None, options: Namespace) -> dict[str, Any]:
    """Say which stages would run."""
    from ..core.execute import with_defaults
    from ..core.run import Run

    complete, stages = with_defaults(recipe, until)
    made = Run(folder).current() if (folder / "run.json").exists() else {}
    same = bool(made) and Run(folder).state()["recipe"] == complete.resolved()
    plan: list[dict[str, Any]] = [
        {"stage": stage.name, "needs": stage.needs, "gives": stage.gives, "made_already": same and stage.name in made}
        for stage in stages
    ]
    _print(
        [
            f"{say(item['stage']):<10} {say('made already') if item['made_already'] else say('would run')}"
            for item in plan
        ],
        options,
    )
    return {"run": str(folder), "plan": plan}


def check(options: Namespace) -> dict[str, Any]:
    """Say everything that is wrong with a recipe, or that nothing is; and what must be filled in before it can be released."""
    from ..core.demands import unmet_demands
    from ..core.execute import with_defaults
    from ..core.recipe import load_recipe
    from .processes import require_layout

    recipe = load_recipe(options.recipe, tuple(options.overrides))
    require_layout(recipe, options.processes)
    complete, ordered = with_defaults(recipe, None)
    stages = [stage.name for stage in ordered]
    lines = [f"{say('the recipe is good')}: {', '.join(say(name) for name in stages)}"]
    missing = unmet_demands(complete, ordered)
    lines += [f"{say('still to be filled in')}: {item.where}: {say(item.found)}" for item in missing]
    _print(lines, options)
    missing_json = [problem.__dict__ for problem in missing]
    return {"recipe": recipe.name, "digest": recipe.digest, "stages": stages, "missing": missing_json}


def show(options: Namespace) -> dict[str, Any]:
    """Show every value of a recipe, and on demand where it came from."""
    from ..core.recipe import load_recipe
    from .origins import listed

    recipe = load_recipe(options.recipe, tuple(options.overrides))
    values = listed(recipe)
    width = max(len(key) for key, _, _ in values)
    _print(
        [
            f"{key:<{width}}  {value!s:<24}{'  ' + origin if options.origin else ''}".rstrip()
            for key, value, origin in values
        ],
        options,
    )
    return {"values": [{"key": key, "value": value, "origin": origin} for key, value, origin in values]}


def init(options: Namespace) -> dict[str, Any]:
    """Write a commented recipe for the data at hand."""
    from .initialise import write_recipe

    path, found = write_recipe(options.data, options.sample, options.target, options.out, options.dry_run)
    _print([*found, f"{say('next')}: modelwright run {path}"], options)
    return {"recipe": str(path), "found": found}


def resume(options: Namespace) -> dict[str, Any]:
    """Go on with an interrupted run."""
    from ..core.run import Run
    from . import api
    from .screen import Screen

    if options.dry_run:
        return _plan(options.run, Run(options.run).recipe(), None, options)
    with Screen() as screen:
        made = api.resume(options.run, screen.on_progress, allow_change=options.allow_change, crew=options.crew)
    return _told(made, options)


def runs(options: Namespace) -> dict[str, Any]:
    """List the runs in a folder."""
    from ..core.run import Run

    found: list[dict[str, Any]] = []
    for state in sorted(options.runs.glob("*/run.json")):
        opened = Run(state.parent)
        claims = {item.name: item.value for item in opened.evidence()}
        found.append(
            {
                "run": str(opened.folder),
                "stages": list(opened.current()),
                "accuracy": claims.get("accuracy"),
                "released": (opened.folder / "release").exists(),
            }
        )
    _print(
        [
            f"{item['run']:<32} {' '.join(item['stages']):<36} {item['accuracy'] if item['accuracy'] is not None else '-'}"
            for item in found
        ],
        options,
    )
    return {"runs": found}


def report(options: Namespace) -> dict[str, Any]:
    """Write the report page of a run."""
    from . import api

    if options.dry_run:
        return {"report": str(options.run / "report.html")}
    path = api.report(options.run, options.state)
    _print([f"{say('the report is')}   {path}"], options)
    return {"report": str(path)}


def predict(options: Namespace) -> dict[str, Any]:
    """Answer from a release alone."""
    from . import api

    if options.dry_run:
        return {"inputs": options.inputs}
    answers = api.predict(options.release, *options.inputs, out=options.out)
    _print(list(map(answered, answers)), options)
    return {"answers": answers}


def verify(options: Namespace) -> dict[str, Any]:
    """Check a release."""
    from . import api

    if options.dry_run:
        return {"release": str(options.release)}
    result = api.verify(options.release, options.public_key, options.witness)
    _print([f"{say('the release is')}: {say(result['verdict'])}"], options)
    return result


def serve(options: Namespace) -> dict[str, Any] | None:
    """Answer over HTTP from a release, until told to stop; the one object says where, as soon as it does."""
    from . import api

    if options.dry_run:
        return {"release": str(options.release), "settings": api.serving(options.release, *options.overrides)}

    def tell(address: str) -> None:
        known = say("signed by the holder of the given key" if options.public_key else "signer unknown")
        _print([f"{say('serving at')} {address}   ({known})"], options)
        if options.json and not options.ask:
            print(json.dumps({"address": address, "process": os.getpid(), "release": str(options.release)}))
        sys.stdout.flush()

    places = {"state": options.state, "public_key": options.public_key, "out": options.out}
    summary = api.serve(options.release, *options.overrides, **places, tell=tell, question=options.ask)
    if options.ask:
        _print([answered({"input": options.ask, **summary["found"]})], options)
        return {"answer": summary["found"]}
    _print([f"{say('requests')}: {json.dumps(summary['statuses'])}"], options)
    return None


def keys(options: Namespace) -> dict[str, Any]:
    """Make, list or take back keys."""
    from . import api

    if options.dry_run:
        return {"action": options.action, "release": str(options.release)}
    scopes = tuple(options.scope) or ("predict", "feedback")
    found = api.keys(
        options.action, options.release, options.name, scopes=scopes, days=options.days, state=options.state
    )
    if "key" in found:
        _print([found["key"], say("This key is shown once; only its digest is kept.")], options)
    for key in found.get("keys", []):
        _print([f"{key['prefix']}  {key['state']:<8} {' '.join(key['scopes']):<24} {key['name']}"], options)
    return found


def doctor(options: Namespace) -> dict[str, Any]:
    """Say what this machine can do."""
    from .doctor import examine

    findings = examine()
    _print(
        [
            f"{'ok ' if item['good'] else '-- '} {item['name']:<16} {item['found']}{'  ->  ' + item['next'] if item['next'] else ''}"
            for item in findings
        ],
        options,
    )
    return {"findings": findings}


def _print(lines: list[str], options: Namespace) -> None:
    for line in lines:
        print(line, file=sys.stderr if options.json else sys.stdout)
