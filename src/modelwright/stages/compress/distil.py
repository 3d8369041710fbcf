"""The step `distil`: a smaller model learns from the answers of the model, whatever that is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ...core import registry
from ...core.errors import RecipeError
from ...core.files import read_json
from ...core.randomness import derive_seed
from ...engine.fine_tuning import fine_tune
from ...engine.network_folder import Stored, write_network
from ...engine.predictor import CONFIG, open_predictor
from ...methods.compression.settings import Distil
from ...methods.compression.soft_targets import distillation_losses, soften
from ...tasks.task import Batch
from .bench import Bench


def run(settings: Distil, bench: Bench, before: Path, after: Path) -> dict[str, Any]:
    """Write the student; the teacher may be of any kind, as only its answers are needed.

    Raises:
        RecipeError: the student cannot be trained by steps, or not for this task.
    """
    section: Any = settings.student
    _refuse_student(section, bench)
    teacher = open_predictor(before)
    bench.tell(0, 0, "the teacher answers the training part")
    soft = soften(torch.from_numpy(teacher.predict(bench.training)), settings.temperature).float()
    torch.manual_seed(derive_seed(bench.seed, "build"))
    network: torch.nn.Module = registry.function_of("model", section.kind)(section, bench.training.learnt)

    def losses(batch: Batch) -> torch.Tensor:
        logits = network(**batch.inputs).float()
        return distillation_losses(
            logits, batch.targets, soft[torch.from_numpy(batch.indices)], settings.temperature, settings.weight
        )

    steps = fine_tune(
        network,
        bench.task,
        bench.training,
        length=settings.length,
        batch=settings.batch,
        rate=settings.rate,
        seed=derive_seed(bench.seed, "distil"),
        losses=losses,
        tell=lambda step, total: bench.tell(step, total, "the student learns"),
    )
    config = {
        "format": "torch",
        "task": read_json(before / CONFIG)["task"],
        "model": section.model_dump(mode="json"),
    }
    write_network(after, Stored(network, config, bench.training.learnt))
    return {"student": section.kind, "steps": steps, "teacher_parameters": teacher.parameters}


def _refuse_student(section: Any, bench: Bench) -> None:
    kind = type(section)
    found = ""
    if getattr(kind, "at_once", False):
        found = "is fitted at once, and cannot learn from probabilities"
    elif section.kind in registry.names("pretrained"):
        found = "begins with weights from outside, which a student does not"
    elif bench.task.modality not in getattr(kind, "serves", (bench.task.modality,)):
        found = f"does not serve the task {bench.task.modality}"
    if found:
        raise RecipeError(
            f"the student '{section.kind}' {found}",
            where=bench.place,
            expected="a network from scratch that serves the task",
            next_step="choose another student",
        )
