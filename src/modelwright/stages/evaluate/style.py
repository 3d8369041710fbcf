"""Evaluate a generator: distances to the true pictures and to the style, beside what needs no model at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.evidence import Evidence, not_applicable
from ...core.files import write_bytes, write_json
from ...core.metering import Reading
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.dataset import read_part
from ...engine.pictures import FILM, as_pixels, png_of
from ...engine.predictor import build_task, open_predictor
from ...methods.statistics.kernel_distance import Distance, difference, kernel_distance
from ...methods.statistics.pictures import edge_agreement, transfer_colours
from ...models.perception import NAME, Perception, texture_distances
from ...tasks.style_metrics import mean_claim
from ...tasks.task import Examples
from .folds import cross_validate
from .opening import answer_once
from .settings import Evaluate

# Fewer pictures have no distribution to speak of.
FEWEST = 10
SHOWN, PENALTY = 8, 1.0
SHEET = "pictures.png"
OURS = ""
FLOORS = {"copy": "the picture as it is", "mean_colour": "its colours moved", "nearest": "the nearest picture of style"}


@dataclass(frozen=True)
class Subject:
    """Pictures of both kinds from the test part and from the training part, as pixels, and how they are looked at."""

    content: np.ndarray
    style: np.ndarray
    paired: bool
    learnt_content: np.ndarray
    learnt_style: np.ndarray
    eye: Perception
    about: dict[str, str]
    settings: Evaluate
    seed: int

    def mean(self, name: str, values: np.ndarray, what: str, source: str = "") -> Evidence:
        """Return a claim about the mean of some values."""
        said = self.settings
        found = mean_claim(name, values, what, source, said.resamples, said.confidence, self.seed)
        return replace(found, about=self.about)


def judge(context: Context) -> None:
    """Judge the generator of a recipe on the test part, which is opened once per model."""
    settings: Evaluate = context.settings
    about = {"model": context.inputs["model"].digest, "dataset": context.inputs["dataset"].digest}
    dataset, model = context.inputs["dataset"].path, context.inputs["model"].path
    test, training = read_part(dataset, "test"), read_part(dataset, "train")
    predictions, drawn = answer_once(context, about, "answering the test part", lambda: _answers(context, test))
    outputs = np.load(predictions.path / "pixels.npy", allow_pickle=False)
    context.check_interrupt(message=f"measuring with {NAME}")
    subject = Subject(
        content=np.asarray(test.columns["image"]),
        style=np.asarray(test.columns["style"]),
        paired=bool(np.asarray(test.columns["paired"]).all()),
        learnt_content=np.asarray(training.columns["image"]),
        learnt_style=np.asarray(training.columns["style"]),
        eye=Perception(),
        about=about,
        settings=settings,
        seed=derive_seed(context.recipe.seed, "bootstrap"),
    )
    candidates = {OURS: outputs, **(_floors(subject) if settings.floor == "auto" else {})}
    claims = [
        *_from_pairs(context, subject, candidates),
        *_of_style(subject, candidates),
        *_of_content(subject, outputs),
    ]
    context.claim(*claims, _energy(context, drawn, len(test), about))
    folds = cross_validate(context, subject.settings.folds, about) if subject.settings.folds else []
    folder = context.work / "evaluation"
    # A killed process may have left a part of it.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_bytes(folder / SHEET, _sheet(subject, candidates))
    pictures = {SHEET: ["content", "output", "style", *(name for name in candidates if name != OURS)]}
    if (model / FILM).exists():
        shutil.copy(model / FILM, folder / FILM)
        pictures[FILM] = []
    floors = [{"name": FLOORS[name], "claims": _floor_claims(claims, name)} for name in candidates if name != OURS]
    write_json(folder / "summary.json", {"pictures": pictures, "floors": floors, "folds": folds})
    context.give("evaluation", folder)


def _answers(context: Context, test: Examples) -> tuple[dict[str, np.ndarray], Reading]:
    """Ask the model about the test part; return its answers as pixels, and what they cost."""
    predictor = open_predictor(context.inputs["model"].path)
    before = context.meter.read()
    pixels = as_pixels(predictor.predict(test))
    return {"pixels": pixels}, context.meter.read().minus(before)


def _energy(context: Context, drawn: Reading | None, count: int, about: dict[str, str]) -> Evidence:
    if drawn is None:
        why = "the answers were there already; --from-scratch asks for them again"
        return not_applicable("energy_per_answer", why, **about)
    return context.meter.energy("energy_per_answer", drawn, count, about, f"{count} pictures in batches")


def _floors(subject: Subject) -> dict[str, np.ndarray]:
    """Return what can be answered without a model."""
    ours, theirs = subject.eye.features(subject.content), subject.eye.features(subject.learnt_style)
    apart = (ours**2).sum(axis=1)[:, None] - 2 * ours @ theirs.T + (theirs**2).sum(axis=1)
    return {
        "copy": subject.content,
        "mean_colour": transfer_colours(subject.content, subject.learnt_style),
        "nearest": subject.learnt_style[apart.argmin(axis=1)],
    }


def _named(name: str, candidate: str) -> str:
    return f"{name}[{candidate}]" if candidate else name


def _from_pairs(context: Context, subject: Subject, candidates: dict[str, np.ndarray]) -> Iterator[Evidence]:
    """Measure distances to the true pictures, where those are known."""
    if not subject.paired:
        for name in ("l1", "ssim", "perceptual"):
            yield not_applicable(name, "the true pictures of the test part are not known", **subject.about)
        return
    task, said = build_task(context.recipe.sections["task"]), subject.settings
    found: dict[str, np.ndarray] = {}
    for candidate, pixels in candidates.items():
        sides = [side.transpose(0, 3, 1, 2) / 127.5 - 1.0 for side in (subject.style, pixels)]
        for item in task.metrics(sides[0], sides[1], said.resamples, said.confidence, subject.seed):
            yield replace(item, name=_named(item.name, candidate), about=subject.about)
        found[candidate] = subject.eye.distances(pixels, subject.style)
        what = f"distance to the true picture, seen by {NAME}"
        yield subject.mean(_named("perceptual", candidate), found[candidate], what, "Zhang et al. 2018, equation 1")
    for floor in candidates:
        if floor:
            what = f"perceptual distance of {FLOORS[floor]} less that of the output, picture by picture"
            yield subject.mean(f"perceptual_gain[{floor}]", found[floor] - found[OURS], what)


def _of_style(subject: Subject, candidates: dict[str, np.ndarray]) -> Iterator[Evidence]:
    """Measure how near outputs are to the style, as a whole and each by its textures; and what a classifier takes them for."""
    wanted = subject.eye.textures(subject.style)
    textures = {
        name: texture_distances(subject.eye.textures(pixels), wanted)
        for name, pixels in candidates.items()
        if name in (OURS, "copy")
    }
    for name, values in textures.items():
        what = f"distance of textures to the mean of the test part's style, seen by {NAME}"
        yield subject.mean(_named("style_distance", name), values, what, "Gatys, Ecker and Bethge 2016, equation 4")
    if "copy" in textures:
        ratio = float(textures[OURS].mean() / textures["copy"].mean())
        method = "style_distance of the outputs divided by that of their contents"
        yield Evidence("style_distance_ratio", ratio, n=len(textures[OURS]), about=subject.about, method=method)
    yield _taken_for_style(subject, candidates[OURS])
    if len(subject.content) < FEWEST:
        why = f"{len(subject.content)} pictures are no distribution"
        yield from (not_applicable(name, why, **subject.about) for name in ("kid", "kid_gain"))
        return
    features = {name: subject.eye.features(pixels) for name, pixels in candidates.items()}
    yield from _kernel_distances(subject, features, subject.eye.features(subject.style))


def _kernel_distances(subject: Subject, features: dict[str, np.ndarray], wanted: np.ndarray) -> Iterator[Evidence]:
    confidence = subject.settings.confidence
    source = "Binkowski et al. 2018, section 4"
    method = f"kernel distance to the test part's style, features of {NAME}; jackknife over pictures"
    found: dict[str, Distance] = {name: kernel_distance(seen, wanted, confidence) for name, seen in features.items()}

    def claim(name: str, value: float, low: float, high: float, method: str) -> Evidence:
        return Evidence(
            name,
            value,
            low=low,
            high=high,
            confidence=confidence,
            n=len(wanted),
            method=method,
            source=source,
            about=subject.about,
        )

    for name, item in found.items():
        yield claim(_named("kid", name), item.value, item.low, item.high, method)
    for name, item in found.items():
        if name:
            gained = f"kid of {FLOORS[name]} less that of the outputs; jackknife over pictures, both at once"
            yield claim(f"kid_gain[{name}]", *difference(item, found[OURS], confidence), gained)


def _taken_for_style(subject: Subject, outputs: np.ndarray) -> Evidence:
    """Ask a classifier of contents against style, fitted on the training part, what it takes the outputs for."""
    from sklearn.linear_model import LogisticRegression

    sides = [subject.eye.features(side) for side in (subject.learnt_content, subject.learnt_style)]
    known = np.concatenate(sides)
    kinds = np.repeat([0, 1], [len(side) for side in sides])
    centre, spread = known.mean(axis=0), known.std(axis=0) + 1e-6
    model = LogisticRegression(C=PENALTY / known.shape[1], max_iter=500).fit((known - centre) / spread, kinds)

    def share(pixels: np.ndarray) -> np.ndarray:
        taken: np.ndarray = model.predict((subject.eye.features(pixels) - centre) / spread) == 1
        return taken.astype(np.float64)

    right = (1 - share(subject.content).mean() + share(subject.style).mean()) / 2
    what = f"share of outputs that a classifier of the training part takes for style; it is right about {right:.1%} of the test part"
    return replace(subject.mean("taken_for_style", share(outputs), what), unit="fraction")


def _of_content(subject: Subject, outputs: np.ndarray) -> Iterator[Evidence]:
    sides = [side.astype(np.float64) for side in (outputs, subject.content)]
    what = "F1 of the edges of output and content, one pixel apart at most"
    yield subject.mean("edge_f1", edge_agreement(*sides), what, "Martin, Fowlkes and Malik 2004, section 3")


def _floor_claims(claims: list[Evidence], name: str) -> list[dict[str, Any]]:
    return [
        replace(item, name=item.name.partition("[")[0]).to_json()
        for item in claims
        if item.name.endswith(f"[{name}]") and "gain" not in item.name
    ]


def _sheet(subject: Subject, candidates: dict[str, np.ndarray]) -> bytes:
    """Draw some test pictures: content, output, style, and what needs no model."""
    chosen = np.unique(np.linspace(0, len(subject.content) - 1, SHOWN).astype(np.int64))
    others = [pixels for name, pixels in candidates.items() if name != OURS]
    columns = [subject.content, candidates[OURS], subject.style, *others]
    return png_of(np.concatenate([np.concatenate(list(column[chosen]), axis=0) for column in columns], axis=1))
