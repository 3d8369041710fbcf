"""The same trials on Ray Tune: Ray says where and when, the search says what.

The run folder must be seen by all nodes, as Ray's own storage must be; on one machine it is.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ...core.errors import DataError, Interrupted, MissingExtra
from ...core.stage import Context
from .search import Search
from .worker import STOP, Job, Sitting


def search_on_ray(context: Context, search: Search, tell: Callable[[], None], job: Job) -> None:
    """Run all trials that are left as trials of Ray Tune.

    Raises:
        MissingExtra: Ray is not installed.
        DataError: Ray could not run a trial.
    """
    ray = _ray()
    from ray import tune

    begun = search.begun()
    left = search.limit - len(search.tried()) - len(begun)
    if not begun and left <= 0:
        return
    (context.work / STOP).unlink(missing_ok=True)
    address = context.settings.ray_address or os.environ.get("RAY_ADDRESS")
    started = not ray.is_initialized()
    if started:
        ray.init(address=address or "local", log_to_driver=False, include_dashboard=None if address else False)
    # A process of Ray's is no child of ours, and Ray ends it when we end.
    described = asdict(replace(job, parent=0))

    def sit(configuration: dict[str, Any]) -> None:
        sitting = Sitting(Job(**described))
        number = configuration["begun"]
        asked = sitting.search.ask() if number is None else sitting.search.take_up(number)
        if asked is None:
            tune.report({"state": "none", "number": -1})
            return
        outcome = sitting.run(asked)
        told = {"state": outcome.state, "number": asked.number, "value": outcome.value, "seconds": outcome.seconds}
        tune.report({name: value for name, value in told.items() if value is not None})

    try:
        with tempfile.TemporaryDirectory(dir=context.work) as storage:
            tuner = tune.Tuner(
                sit,
                param_space={"begun": tune.grid_search([*begun, *[None] * max(0, left)])},
                tune_config=tune.TuneConfig(max_concurrent_trials=context.settings.processes),
                run_config=tune.RunConfig(
                    name=context.recipe.name, storage_path=str(Path(storage).resolve()), verbose=0
                ),
            )
            results = tuner.fit()
    except KeyboardInterrupt:
        raise Interrupted(
            "stopped at once", where=context.stage.name, next_step=f"modelwright resume {context.folder}"
        ) from None
    finally:
        if started:
            ray.shutdown()
    tell()
    if results.errors:
        raise DataError(
            f"Ray could not run {len(results.errors)} of the trials: {str(results.errors[0])[-1000:]}",
            where="tune.on: ray",
            expected="trials that end",
            next_step="try one with tune.on=local; look at Ray's log",
        )


def _ray() -> Any:
    try:
        import ray
        import ray.tune
    except ImportError as error:
        raise MissingExtra(
            "ray is not installed",
            where="tune.on: ray",
            expected="the extra 'ray'",
            next_step="pip install 'modelwright[ray]', or take on: local with processes",
        ) from error
    return ray
