"""The trace of a training told to others: curves by step for TensorBoard and MLflow, from the record that lies with the model."""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.evidence import Evidence
from ..core.files import new_folder
from .tracker_settings import Mlflow, Tensorboard

MOST_PARAMETER = 500
# What is said of a layer at each look, in the order of the record.
OF_LAYERS = ("gradient_norm", "weight_norm", "update_ratio")


@dataclass(frozen=True)
class Story:
    """What there is to tell of a run: its folders, its recipe as plain data, the record of the training, evidence, digests."""

    folder: Path
    base: Path
    recipe: dict[str, Any]
    training: dict[str, Any]
    evidence: tuple[Evidence, ...]
    digests: dict[str, str]


def scalars_of(training: dict[str, Any]) -> Iterator[tuple[str, int, float]]:
    """Yield (curve, step, value) of losses, validation, learning rate, norms of gradients and weights, and update ratios by layer."""
    yield from _points("training", training.get("loss") or [])
    yield from _points("validation", training.get("validation") or [])
    for point in training.get("trace") or []:
        step, turn = int(point["step"]) + 1, point.get("turn", "model")
        values = {f"{turn}/learning_rate": point.get("lr"), f"{turn}/gradient_norm": point.get("norm")}
        for layer, seen in (point.get("layers") or {}).items():
            values |= {f"{name}/{layer}": value for name, value in zip(OF_LAYERS, seen, strict=False)}
        yield from ((name, step, float(value)) for name, value in values.items() if _is_number(value))


def _points(part: str, points: list[dict[str, Any]]) -> Iterator[tuple[str, int, float]]:
    for point in points:
        for name, value in point.items():
            if name != "step" and _is_number(value):
                yield f"{part}/{name}", int(point["step"]), float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def write_tensorboard(settings: Tensorboard, story: Story) -> str:
    """Write one event file with all curves, in the place of an older one; return where it lies."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    place = story.folder / settings.folder
    shutil.rmtree(place, ignore_errors=True)
    with new_folder(place) as folder:
        writer = EventFileWriter(str(folder))
        for name, step, value in scalars_of(story.training):
            summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
            writer.add_event(Event(step=step, summary=summary))
        writer.close()
    return str(place)


def write_mlflow(settings: Mlflow, story: Story) -> str:
    """Log a run, unless this very model with this very recipe was logged before; return the address of the store."""
    # The library tells its makers who uses it, unless told not to.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

    address = f"sqlite:///{(story.base / settings.store).resolve()}"
    client = MlflowClient(tracking_uri=address)
    name = settings.experiment or str(story.recipe["name"])
    experiment = client.get_experiment_by_name(name)
    number = experiment.experiment_id if experiment else client.create_experiment(name)
    tags = {f"modelwright.{kind}": digest for kind, digest in story.digests.items()}
    same = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    if client.search_runs([number], filter_string=same, max_results=1):
        return address
    run = client.create_run(number, run_name=str(story.recipe["name"])).info.run_id
    for batch in _batches(
        [Metric(_plain(key), value, 0, step) for key, step, value in scalars_of(story.training)], 900
    ):
        client.log_batch(run, metrics=batch)
    said = [Metric(_plain(item.name), item.value or 0.0, 0, 0) for item in story.evidence if _is_number(item.value)]
    for batch in _batches(said, 900):
        client.log_batch(run, metrics=batch)
    written = [Param(_plain(key), str(value)[:MOST_PARAMETER]) for key, value in _flat(story.recipe)]
    for batch in _batches(written, 90):
        client.log_batch(run, params=batch)
    client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])
    client.set_terminated(run)
    return address


def _batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    yield from (items[start : start + size] for start in range(0, len(items), size))


def _plain(name: str) -> str:
    """Return a name without what MLflow refuses: `recall[8]` becomes `recall.8`."""
    return re.sub(r"[^\w\-. /]+", ".", name).strip(".")


def _flat(data: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, data
