"""The training of a recipe, walked through on tensors that are only shapes: what `run` does, in its order, with its parts."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist, median
from typing import Any

import numpy as np
import torch

from ...core import registry
from ...core.artifact import Artifact
from ...core.metering import Meter
from ...core.randomness import derive_seed
from ...core.recipe import Recipe
from ...core.settings import AUTO
from ...core.stage import Context
from ...core.units import Span
from ...engine.averaging import Average
from ...engine.checkpoint import SHARD_BYTES, set_apart
from ...engine.dataset import read_part
from ...engine.dead_units import count_dead_units
from ...engine.fit import draw_samples
from ...engine.golden import COUNT
from ...engine.loop import Moment, Verdict, train
from ...engine.pool import Slot
from ...engine.predictor import Predictor, build_task
from ...engine.subset import take_subset
from ...engine.tracing.longest import LOOKED_AT, ask, longest_batches, longest_chunk, other_answers
from ...engine.tracing.ordinary import ordinary_batch
from ...engine.tracing.outside import outside_weights
from ...engine.tracing.tracer import Tracer
from ...engine.trial import STEPS, WARM_UP, seconds_per_step
from ...methods.energy.settings import Energy
from ...methods.planning.timing import ORDINARY
from ...tasks.pairs import with_reference
from ...tasks.task import Examples, Task
from . import parts
from .assembly import Assembly, assemble
from .players import build_players
from .preferring import comparing_task
from .rate import with_rate
from .run import resample
from .settings import STAGE, Train
from .speed import LONG, TINY
from .thrift import adapt_network, build_local

# A batch is made so often to see how long that takes.
BATCHES = 11
# Of so few trainings a batch may be drawn that is larger than was planned for.
RARELY = 1e-3


def rehearse(recipe: Recipe, dataset: Path, threads: int, tracer: Tracer) -> dict[str, Any]:
    """Walk through the training of a recipe; return what there is to know of its steps."""
    settings: Train = recipe.sections["train"]  # type: ignore[assignment]
    tried = settings.precision == AUTO or (settings.threads == AUTO and parts.count_cores() > 1)
    fixed = settings.model_copy(
        update={
            "threads": threads,
            "compile": False,
            "precision": "float32" if settings.precision == AUTO else settings.precision,
        }
    )
    section: Any = recipe.sections["model"]
    if getattr(type(section), "at_once", False):
        return {"at_once": section.kind}
    with tempfile.TemporaryDirectory() as folder:
        context = context_of(replace(recipe, sections={**recipe.sections, "train": fixed}), dataset, Path(folder))
        return _rehearse_in(context, settings if tried else fixed, tracer)


def _rehearse_in(context: Context, asked: Train, tracer: Tracer) -> dict[str, Any]:
    """Walk through the training of a context, in whose folder parts may leave what they leave."""
    recipe, settings, dataset = context.recipe, context.settings, context.inputs["dataset"].path
    task = build_task(recipe.sections["task"])
    training, validation = (read_part(dataset, part) for part in ("train", "validation"))
    training = take_subset(training, settings.subset.share, settings.subset.seed)
    training = resample(_without_a_game(context), task, training)
    comparing = comparing_task(settings, task, training)
    if comparing is not task:
        # Of what the reference finds only the shape is needed; what it takes to find it, a validation takes too.
        task = comparing
        training, validation = (with_reference(part, np.zeros((len(part), 2))) for part in (training, validation))
    stage = _Stage(context, task, training, validation, tracer)
    # Before there are shapes alone: what making a batch remembers must be real.
    made = stage.make_batches(int(settings.threads))
    with tracer.tracing():
        predictor, network, facts = stage.fit(asked)
        stage.look_back(predictor, network)
    return facts | made


def _without_a_game(context: Context) -> Context:
    """Let players that make rows take a single step: of what they make, a plan needs the number alone."""
    settings: Train = context.settings
    if settings.resample.kind != "gan":
        return context
    short = settings.resample.model_copy(update={"length": Span(1, "steps")})
    sections = {**context.recipe.sections, "train": settings.model_copy(update={"resample": short})}
    return replace(context, recipe=replace(context.recipe, sections=sections))


class _Stage:
    """State: what the walk goes through: data, task, settings, and who writes it down."""

    def __init__(self, context: Context, task: Task, training: Examples, validation: Examples, tracer: Tracer) -> None:
        self.context, self.task, self.tracer = context, task, tracer
        self.training, self.validation = training, validation
        self.settings: Train = context.settings

    def fit(self, asked: Train) -> tuple[Predictor, torch.nn.Module, dict[str, Any]]:
        """Do as `fit_by_steps`, at the few steps at which something happens for the first time."""
        context, settings, tracer = self.context, self.settings, self.tracer
        tracer.phase("building")
        section: Any = context.recipe.sections["model"]
        pretrained = outside_weights(context.recipe)
        if pretrained:
            self.training = replace(self.training, learnt={**self.training.learnt, **pretrained.facts})
        network = parts.build_network(
            context, registry.function_of("model", section.kind), self.training.learnt, pretrained
        )
        adapt_network(settings, section, network, context.recipe.seed, context.note)
        tracer.hold("parameters", [*network.parameters(), *network.buffers()])
        sampler = parts.build_sampler(settings, self.training, derive_seed(context.recipe.seed, "sampler"))
        total = settings.length.steps(sampler.steps_per_epoch)
        if settings.privacy.kind == "none" and (
            asked.precision == AUTO or (asked.threads == AUTO and total >= LONG) or settings.optimiser.lr == AUTO
        ):
            tracer.phase("trial")
            self._try(asked, network, longest_batches(sampler, self.training, [total - 1])[total - 1])
            settings = with_rate(settings, TINY) if settings.optimiser.lr == AUTO else settings
            self.context = context = _with_settings(context, settings)
        tracer.phase("building")
        made = assemble(context, self.task, network, self.training, longest_chunk(self.validation))
        tracer.hold(
            "parameters",
            [tensor for turn in made.turns for tensor in (*turn.model.parameters(), *turn.model.buffers())],
        )
        if settings.guard.then == "rewind":
            self._save(made)
        batches_of = longest_batches(sampler, self.training, steps_of(made))
        ordinary = ordinary_step(made)
        if ordinary:
            # No larger than what comes between its neighbours: at that step of a short training there may be none as large.
            largest = batches_of[min(step for step in batches_of if step > ordinary)]
            walked = self.indices if len(self.indices) <= len(largest) else largest
            batches_of = dict(sorted({**batches_of, ordinary: walked}.items()))
        if made.private:
            size = largest_drawn(settings.batch, len(self.training), made.total)
            # Memory is that of the largest; the time of a step is that of an ordinary one.
            drawn = {step: np.resize(indices, size) for step, indices in batches_of.items() if step != ordinary}
            batches_of = {**batches_of, **drawn}
        self._walk(made, batches_of, ordinary)
        self._save(made)
        tracer.phase("saving")
        kept = made.watch.finish(made.turns[0].model)
        for tensor in made.keeper.now().tensors.values():
            tensor.detach().contiguous()
        tracer.phase("validation")
        # The optimiser's state lives on meanwhile.
        count_dead_units(kept, self.task, self.validation)
        facts = {
            "steps": made.total,
            "steps_per_epoch": made.sampler.steps_per_epoch,
            "batch": max(len(indices) for indices in batches_of.values()),
            "validations": made.total // made.watch.every + bool(made.total % made.watch.every),
            "validation_rows": len(self.validation),
        }
        return made.predictor, kept, facts

    def _try(self, asked: Train, network: torch.nn.Module, indices: np.ndarray) -> None:
        """Do as `choose_speed` and `choose_rate`: some steps on a copy."""
        for precision in ("float32", "bfloat16") if asked.precision == AUTO else (self.settings.precision,):
            trial = with_rate(self.settings.model_copy(update={"precision": precision}), TINY)
            load = parts.build_load(trial, self.task, self.training, seed=0)
            layout = build_local(trial, network)
            room = Slot()
            seconds_per_step(
                layout.place(network),
                lambda copied, trial=trial: build_players(trial, self.task, copied, STEPS, STEPS, 0).turns,  # type: ignore[misc]
                ((step, load(step, indices, room)) for step in range(WARM_UP + 2)),
                layout,
                parts.build_objective(trial, self.training),
            )

    def _walk(self, made: Assembly, batches_of: dict[int, np.ndarray], ordinary: int | None) -> None:
        """Take the steps, each with its batch."""
        tracer, model = self.tracer, made.turns[0].model
        hook = model.register_forward_hook(lambda module, inputs, output: tracer.hold("logits", output))
        room = made.loader.pool.slot(0)
        # The keeper saves by itself what is saved apart from this; the accountant would miss the steps that are left out.
        left_out = (made.keeper, made.private.accountant if made.private else None)
        watchers = [observer for observer in made.observers if observer not in left_out]
        place, average = watchers.index(made.watch), _average_of(made)

        def held(turn: Any, losses: torch.Tensor) -> Verdict:
            tracer.hold("gradients", [parameter.grad for parameter in turn.parameters()])
            return Verdict.APPLY

        def before(moment: Moment) -> bool:
            tracer.hold("optimiser", [tensor for _, tensor in _state_of(made)])
            made.watch.best_at = -1
            tracer.phase("validation" if _validates(made, moment.step) else "other")
            rows = len(self.validation) if _validates(made, moment.step) else 0
            self.answers = torch.empty(other_answers(rows, self.validation.learnt), dtype=torch.float64)
            return False

        def after(moment: Moment) -> bool:
            tracer.hold("copies", [made.watch.best, average.average if average else {}])
            del self.answers
            tracer.phase("training")
            return False

        def batches() -> Any:
            tracer.phase("training")
            for step, indices in batches_of.items():
                if step == ordinary:
                    tracer.phase(ORDINARY)
                yield step, made.loader.load(step, indices, room)

        train(
            turns=made.turns,
            batches=batches(),
            layout=made.layout,
            objective=made.objective,
            rules=[held, *made.rules],
            observers=[*watchers[:place], before, made.watch, after],
            seed_of_step=lambda step: step,
        )
        hook.remove()

    def _save(self, made: Assembly) -> None:
        """Do as the keeper when it saves."""
        self.tracer.phase("saving")
        tensors = made.keeper.now().tensors
        if sum(tensor.nbytes for tensor in tensors.values()) <= SHARD_BYTES:
            set_apart(tensors)

    def make_batches(self, threads: int) -> dict[str, Any]:
        """Make the batch of an ordinary step for real, some times; return how long it takes, and whether that is done ahead."""
        settings = self.settings
        sampler = parts.build_sampler(settings, self.training, derive_seed(self.context.recipe.seed, "sampler"))
        self.indices = ordinary_batch(sampler, self.training, settings.length.steps(sampler.steps_per_epoch))
        load, room = parts.build_load(settings, self.task, self.training, seed=0), Slot()
        laps = []
        for step in range(BATCHES):
            began = time.thread_time()
            load(step, self.indices, room)
            laps.append(time.thread_time() - began)
        spare = threads < parts.count_cores()
        return {"batch_seconds": median(laps), "ahead": spare if settings.workers == AUTO else settings.workers > 0}

    def look_back(self, predictor: Predictor, network: torch.nn.Module) -> None:
        """Do as `run` when the training is over: answers for the diagnosis, golden examples, the folder of the model."""
        self.tracer.phase("validation")
        seed = derive_seed(self.context.recipe.seed, "diagnosis")
        for sample in draw_samples(self.training, self.validation, np.random.default_rng(seed)):
            ask(predictor, sample)
        self.tracer.phase("saving")
        saved = [tensor.detach().contiguous() for tensor in network.state_dict().values()]
        del saved
        ask(predictor, self.validation.take(np.arange(min(COUNT, len(self.validation)))))


def largest_drawn(batch: int, examples: int, steps: int) -> int:
    """Return what no batch of a private training exceeds, but for one training in a thousand: its batches are drawn by chance.

    Source: Mironov et al. 2019, section 2, for the sampling; De Moivre and Laplace for the quantile.
    """
    share = batch / examples
    deviation = math.sqrt(batch * (1 - share))
    return min(examples, math.ceil(batch + deviation * NormalDist().inv_cdf(1 - RARELY / steps)))


def steps_of(made: Assembly) -> list[int]:
    """Return the steps at which something may happen for the first time, and the last one."""
    validated = [step for step in range(min(made.total, LOOKED_AT)) if _validates(made, step)][:1]
    chosen = {0, 1, made.trace.every, made.total - 1, *validated}
    average = _average_of(made)
    if average:
        chosen.add(average.start + average.every - 1)
    return sorted(step for step in chosen if 0 <= step < made.total)


def ordinary_step(made: Assembly) -> int | None:
    """Return a step at which nothing happens but what happens at all of them; None where there is no such step."""
    taken = set(steps_of(made))
    free = (step for step in range(2, min(made.total, LOOKED_AT)) if step % made.trace.every and step not in taken)
    return next((step for step in free if not _validates(made, step)), None)


def _average_of(made: Assembly) -> Average | None:
    return next((observer for observer in made.observers if isinstance(observer, Average)), None)


def _validates(made: Assembly, step: int) -> bool:
    return (step + 1) % made.watch.every == 0 or step + 1 == made.total


def _state_of(made: Assembly) -> list[tuple[str, torch.Tensor]]:
    found = made.keeper.now().tensors
    return [(name, tensor) for name, tensor in found.items() if "/optimiser/" in name]


def _with_settings(context: Context, settings: Train) -> Context:
    return replace(context, recipe=replace(context.recipe, sections={**context.recipe.sections, "train": settings}))


def context_of(recipe: Recipe, dataset: Path, folder: Path | None = None) -> Context:
    """Return the context of a training that is walked through; what parts of it write lies in `folder`."""

    def nothing(*args: Any, **named: Any) -> Any:
        return "go"

    chosen: Callable[[str], Any] = lambda name: None  # noqa: E731
    return Context(
        stage=STAGE,
        recipe=recipe,
        inputs={"dataset": Artifact("dataset", "", dataset)},
        gathered=(),
        folder=folder or dataset,
        work=folder or dataset,
        on_progress=nothing,
        run_recipe=nothing,
        store=nothing,
        find=nothing,
        note=nothing,
        choose=lambda name, decide: decide()[0],
        chosen=chosen,
        meter=Meter(Energy()),
    )
