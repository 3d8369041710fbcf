"""Evaluate a language model: loss and bits with intervals, the floor that counting n-grams sets, and samples to read."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from typing import Any, cast

import numpy as np

from ...core.digest import digest_of
from ...core.evidence import Evidence, not_applicable
from ...core.files import write_json
from ...core.metering import Reading
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.dataset import read_part
from ...engine.generation import Sampling, write
from ...engine.predictor import Predictor, build_task, open_predictor
from ...methods.ngrams.kneser_ney import fit, score
from ...methods.statistics.ratio import bootstrap_ratio
from ...tasks.chat import COUNTED
from ...tasks.language_metrics import resampled
from ...tasks.pairs import has_pairs
from ...tasks.ragged import Ragged
from ...tasks.task import Examples
from ...tasks.vocabulary import UNKNOWN, Vocabulary
from . import choices, own_choices, preferences
from .choices import require_conversations
from .opening import answer_once
from .settings import Evaluate

ORDER = 5
# Tokens of the beginning of a test document that a sample goes on from.
PROMPT = 16


def judge(context: Context) -> None:
    """Judge the language model of a recipe on the test part, which is opened once per model."""
    settings: Evaluate = context.settings
    about = {"model": context.inputs["model"].digest, "dataset": context.inputs["dataset"].digest}
    dataset = context.inputs["dataset"].path
    predictor = open_predictor(context.inputs["model"].path)
    test = read_part(dataset, "test")
    asked = dict(about)
    if settings.choices.answers:
        require_conversations(test)
        # Other answers are other questions.
        asked["choices"] = digest_of(settings.choices.model_dump(mode="json"))
    if settings.choices.by_row:
        own_choices.require_options(test)
        asked["choices"] = digest_of(settings.choices.model_dump(mode="json"))
    predictions, drawn = answer_once(context, asked, "reading the test part", lambda: _losses(context, predictor, test))
    losses = np.load(predictions.path / "losses.npy", allow_pickle=False)
    context.check_interrupt(message="measuring")
    seed = derive_seed(context.recipe.seed, "bootstrap")
    targets = targets_of(test)
    task = build_task(context.recipe.sections["task"])
    claims = task.metrics(targets, losses[:, None], settings.resamples, settings.confidence, seed)
    context.claim(
        *(replace(item, about=about) for item in [*claims, _unknown(test)]), _energy(context, drawn, test, about)
    )
    if settings.choices.answers:
        names = ("right", "chosen", *(("chosen_before",) if settings.choices.before else ()))
        found = {name: np.load(predictions.path / f"{name}.npy", allow_pickle=False) for name in names}
        context.claim(*choices.claims(settings, found, about, context.recipe.seed))
    if settings.choices.by_row:
        context.claim(*own_choices.claims(context, predictions.path, test, about))
    if has_pairs(test.columns):
        context.claim(*preferences.claims(context, predictions.path, about))
    floors = _floor(context, read_part(dataset, "train"), test, losses, about) if settings.floor == "auto" else []
    folder = context.work / "evaluation"
    # A killed process may have left a part of it.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    samples = _samples(context, predictor, test) if settings.samples.count else []
    hardest = [
        {**task.render(test, int(index)), "loss": float(losses[index]), "row": int(index)}
        for index in np.argsort(-losses, kind="stable")[: settings.worst]
    ]
    write_json(folder / "summary.json", {"samples": samples, "hardest": hardest, "floors": floors})
    context.give("evaluation", folder)


def _losses(context: Context, predictor: Predictor, test: Examples) -> tuple[dict[str, np.ndarray], Reading]:
    """Ask the model about the test part; return its losses, and what they cost."""
    assert predictor.losses is not None, "a language model is trained by steps"
    before = context.meter.read()
    losses, _ = predictor.losses(test)
    drawn = context.meter.read().minus(before)
    found = {"losses": losses}
    if context.settings.choices.answers:
        found |= choices.score(context, predictor, test)
    if context.settings.choices.by_row:
        found |= own_choices.score(context, predictor, test)
    if has_pairs(test.columns):
        found |= preferences.score(context, predictor, test)
    return found, drawn


def _energy(context: Context, drawn: Reading | None, test: Examples, about: dict[str, str]) -> Evidence:
    if drawn is None:
        why = "the losses were there already; --from-scratch asks for them again"
        return not_applicable("energy_per_answer", why, **about)
    method = f"{len(test)} windows of up to {test.learnt['length']} tokens, read in batches"
    return context.meter.energy("energy_per_answer", drawn, len(test), about, method)


def targets_of(examples: Examples) -> np.ndarray:
    """Return what the measures of a language model divide by.

    Shapes: n examples -> (n, 4) int64: tokens, characters, bytes, document
    """
    tokens = cast(Ragged, examples.columns["tokens"])
    columns = [
        # Of a conversation only the answers are predicted.
        examples.columns.get("predicted", tokens.stop - tokens.start - 1),
        *(examples.columns[name] for name in ("characters", "bytes", "document")),
    ]
    return np.stack([np.asarray(column, dtype=np.int64) for column in columns], axis=1)


def _unknown(test: Examples) -> Evidence:
    """Say how many tokens of the test part stand for characters that training has not seen; bytes know them all."""
    tokens = cast(Ragged, test.columns["tokens"]).values
    unknown = int((np.asarray(tokens) == UNKNOWN).sum()) if "vocabulary" in test.learnt else 0
    method = "share of the test part's tokens that stand for a character unseen in training"
    return Evidence("unknown_tokens", unknown / len(tokens), unit="fraction", n=len(tokens), method=method)


def _floor(
    context: Context, training: Examples, test: Examples, losses: np.ndarray, about: dict[str, str]
) -> list[dict[str, Any]]:
    """Claim what counting n-grams reaches on the same text, and how many bits a character the model gains over it."""
    settings: Evaluate = context.settings
    context.check_interrupt(message=f"the floor: {ORDER}-gram Kneser-Ney")
    floor = fit(documents_of(training), test.learnt["size"], ORDER)
    targets, seed = targets_of(test), derive_seed(context.recipe.seed, "bootstrap")
    nats = -np.concatenate([np.log(score(floor, document)) for document in documents_of(test)])
    tokens, counted = cast(Ragged, test.columns["tokens"]), test.columns.get(COUNTED)
    assert len(nats) == int((tokens.stop - tokens.start - 1).sum()), "each token is predicted once"
    if counted is not None:
        nats = nats * np.concatenate([counted.row(index)[1:] for index in range(len(test))])
    theirs = np.add.reduceat(nats, _first_predictions(test))
    ours = losses * targets[:, 0]
    name = f"{ORDER}-gram Kneser-Ney"
    claims = build_task(context.recipe.sections["task"]).metrics(
        targets, (theirs / targets[:, 0])[:, None], settings.resamples, settings.confidence, seed
    )
    context.claim(
        *(
            replace(item, name=f"floor[{item.name}]", about=about, method=f"{name} on the same text; {item.method}")
            for item in claims
        )
    )
    unit, of = resampled(targets[:, 3])
    gain = bootstrap_ratio(
        theirs - ours,
        targets[:, 1] * math.log(2),
        unit,
        resamples=settings.resamples,
        confidence=settings.confidence,
        generator=np.random.default_rng(seed),
    )
    context.claim(
        Evidence(
            "gain_over_floor",
            gain.value,
            unit="bits",
            low=gain.low,
            high=gain.high,
            confidence=gain.confidence,
            n=gain.n,
            about=about,
            method=f"bits a character of {name} less those of the model, on the same text; paired bootstrap over {of}",
        )
    )
    return [{"name": name, "claims": [item.to_json() for item in claims]}]


def documents_of(examples: Examples) -> list[np.ndarray]:
    """Return the tokens of each document whole, with the end before and behind it."""
    tokens = cast(Ragged, examples.columns["tokens"])
    documents = np.asarray(examples.columns["document"])
    first = np.flatnonzero(np.diff(documents, prepend=-1))
    last = np.append(first[1:], len(documents)) - 1
    return [
        np.asarray(tokens.values[start:stop], dtype=np.int64)
        for start, stop in zip(tokens.start[first], tokens.stop[last], strict=True)
    ]


def _first_predictions(test: Examples) -> np.ndarray:
    tokens = cast(Ragged, test.columns["tokens"])
    counts = np.asarray(tokens.stop - tokens.start - 1)
    return np.cumsum(counts) - counts


def _prompt(test: Examples, index: int) -> list[int]:
    """Return what a sample goes on from: the beginning of a document, or all that stands before the first answer."""
    tokens = cast(Ragged, test.columns["tokens"]).row(index)
    if COUNTED not in test.columns:
        return tokens[: PROMPT + 1].tolist()
    return tokens[: max(1, int(np.argmax(test.columns[COUNTED].row(index))))].tolist()


def _samples(context: Context, predictor: Predictor, test: Examples) -> list[dict[str, str]]:
    """Let the model write: from nothing, and from the beginnings of test documents."""
    settings = context.settings.samples
    context.check_interrupt(message="writing samples")
    vocabulary = Vocabulary(predictor.learnt)
    chosen = np.linspace(0, len(test) - 1, settings.count).astype(np.int64)
    prompts = [_prompt(test, int(index)) for index in chosen]
    if COUNTED not in test.columns:
        prompts[0] = [vocabulary.end]
    sampling = Sampling(settings.temperature, 0, settings.nucleus)
    seed = derive_seed(context.recipe.seed, "samples")
    written = write(predictor.network, prompts[: settings.count], settings.tokens, vocabulary.end, sampling, seed)
    return [
        {"prompt": vocabulary.decode(prompt), "text": vocabulary.decode(row)}
        for prompt, row in zip(prompts, written, strict=False)
    ]
