"""Prepare: read, quarantine, deal out into parts, learn from the training part only, store."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ...core import registry
from ...core.errors import DataError
from ...core.evidence import Evidence
from ...core.files import write_json
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.dataset import LEDGER, PARTS, write_learnt, write_origins, write_part
from ...engine.groups import FOLDER as GROUPS
from ...methods.splitting import split as splitting
from ...sources.checks import find_overlap, quarantine_limit, suspicious_columns
from ...sources.rows import Rows, cut_texts
from ...tasks.task import Task
from .cleaning import Entry, claims, clean, summarise
from .croissant import CROISSANT, croissant
from .declared import declared
from .forgotten import without_forgotten
from .groups import write_declared
from .profile import PROFILE, profile
from .profile import claims as claims_of_profile
from .settings import Prepare, Split
from .survey import survey
from .texts import tidy_texts

SHEET = "datasheet.json"


def run(context: Context) -> None:
    """Make the dataset of a recipe.

    Raises:
        DataError: the data cannot be read, is too bad, or has too little in it.
    """
    settings: Prepare = context.settings
    data: Any = context.recipe.sections["data"]
    context.check_interrupt(message=f"reading {getattr(data, 'path', '') or data.kind}")
    rows, forgotten = without_forgotten(_read(data, settings.limit, context), context.recipe.base / settings.forgotten)
    quarantine_limit(rows, settings.bad_rows)
    if not len(rows):
        raise DataError("the data has no rows", where=_where(context), expected="labelled rows")
    task_settings: Any = context.recipe.sections["task"]
    if getattr(type(task_settings), "labelled", True):
        _require_labels(rows, context)
    rows = _limited(rows, settings.limit, derive_seed(context.recipe.seed, "limit"))
    ledger = [Entry(item.origin, "", "quarantine", "dropped", item.reason) for item in rows.quarantined]
    ledger += forgotten
    rows, tidied = tidy_texts(rows, context.recipe.sections["task"])
    if settings.split.by == "position":
        rows = cut_by_position(rows, settings.split)
    parts = deal_out(rows, settings.split, derive_seed(context.recipe.seed, "split"))
    context.check_interrupt(message="looking at the data")
    seen = survey(rows)
    profiled = profile(rows, parts, seen)
    parts, overlap, left_out = _without_overlap(rows, parts, settings.overlap, context, seen.contents)
    parts, cleaned = clean(context, rows, parts, settings.clean)
    ledger += [*tidied, *left_out, *cleaned]
    task = _task(context)
    folder = context.work / "dataset"
    # A killed process may have left a part of it.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    learnt: dict[str, Any] | None = None
    for part in PARTS:
        context.check_interrupt(message=f"preparing {part}")
        chosen = rows.take(parts[part])
        examples = task.examples(chosen, learnt)
        learnt = examples.learnt
        write_part(folder, part, examples)
        write_origins(folder, part, chosen.origins)
        if part == "train":
            write_learnt(folder, examples)
    sheet = datasheet(rows, parts, overlap)
    write_json(folder / SHEET, {**sheet, "cleaning": summarise([*tidied, *cleaned])})
    write_json(folder / PROFILE, profiled)
    write_json(folder / CROISSANT, croissant(context.recipe, sheet, profiled))
    (folder / LEDGER).write_text(
        "".join(json.dumps(entry.to_json(), ensure_ascii=False) + "\n" for entry in ledger), encoding="utf-8"
    )
    _keep_groups(context, folder, rows, parts)
    dataset = context.give("dataset", folder)
    about = {"dataset": dataset.digest}
    context.claim(
        *(Evidence(f"rows[{part}]", len(parts[part]), unit="rows", about=about, method="counted") for part in PARTS),
        Evidence("quarantined", len(rows.quarantined), unit="rows", about=about, method="counted"),
        Evidence("overlap", overlap["between_parts"], unit="rows", about=about, method="equal content in two parts"),
        *claims(cleaned, settings.clean, about),
        *claims_of_profile(profiled, about),
        *([Evidence("tidied", len(tidied), unit="rows", about=about, method="counted")] if tidied else []),
    )
    for item in rows.quarantined:
        context.note("row quarantined", origin=item.origin, reason=item.reason)


def _keep_groups(context: Context, folder: Path, rows: Rows, parts: dict[str, np.ndarray]) -> None:
    """Keep declared groups: beside the dataset what is only compared, so that declaring it trains no model anew."""
    compared, weighed = declared(context.recipe)
    if weighed:
        write_declared(folder / GROUPS, rows, weighed, parts)
    apart = context.work / GROUPS
    shutil.rmtree(apart, ignore_errors=True)
    write_declared(apart, rows, compared, parts)
    context.give("groups", apart)


def deal_out(rows: Rows, split: Split, seed: int) -> dict[str, np.ndarray]:
    """Return the indices of each part.

    Raises:
        DataError: a part would be empty, or the column to split by is missing.
    """
    given = np.asarray(rows.parts) if rows.parts is not None else np.full(len(rows), "")
    test = np.flatnonzero(given == "test")
    validation = np.flatnonzero(given == "validation")
    rest = np.flatnonzero(~np.isin(given, ["test", "validation"]))
    generator = np.random.default_rng(seed)
    if not len(test) and split.test:
        chosen, others = _cut(rows, rest, split.test, split, generator)
        test, rest = chosen, others
    if split.folds:
        pool = np.sort(np.concatenate([rest, validation]))
        labels = [rows.columns["label"][index] for index in pool] if "label" in rows.columns else [0] * len(pool)
        fold = splitting.folds(labels, split.folds, np.random.default_rng(derive_seed(seed, "folds")))[split.fold]
        # The real test part stays closed: inside a fold, the fold itself is what is judged.
        test, rest = pool[fold], np.delete(pool, fold)
        validation = np.empty(0, dtype=np.int64)
    if not len(validation):
        validation, rest = _cut(rows, rest, split.validation, split, generator)
    parts = {"train": rest, "validation": validation, "test": test}
    for name, indices in parts.items():
        # Who asks for no test part (a Python estimator, whose caller judges) gets none.
        if not len(indices) and (name != "test" or split.test):
            raise DataError(
                f"the {name} part has no rows",
                where="prepare.split",
                expected="rows in every part",
                next_step="give more data or other shares",
            )
    return parts


def cut_by_position(rows: Rows, split: Split) -> Rows:
    """Return rows whose texts are the beginnings, middles and ends of the texts there were, each for a part of its own.

    Raises:
        DataError: there is no text, or the data states its parts itself.
    """
    if "text" not in rows.columns or rows.parts is not None or split.folds:
        found = "there is no text" if "text" not in rows.columns else "the parts are given" if rows.parts else "folds"
        raise DataError(
            f"{found}, so no text can be cut",
            where="prepare.split.by",
            expected="texts that are not divided yet",
            next_step="leave prepare.split.by out",
        )
    rest = 1 - split.test
    shares = {"train": rest * (1 - split.validation), "validation": rest * split.validation, "test": split.test}
    return cut_texts(rows, {part: share for part, share in shares.items() if share})


def _cut(
    rows: Rows, pool: np.ndarray, share: float, split: Split, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Take a share of the rows in `pool`; return them and the others."""
    if split.by == "random" or (split.by == "stratified" and "label" not in rows.columns):
        chosen, others = splitting.random_split(len(pool), [share], generator)
    else:
        name = split.column if split.by in ("grouped", "time") else "label"
        if name not in rows.columns:
            raise DataError(
                f"there is no column '{name}' to split by",
                where="prepare.split.column",
                expected=f"one of {', '.join(rows.columns)}",
            )
        values = [rows.columns[name][index] for index in pool]
        if split.by == "time":
            chosen, others = splitting.time_split(values, [share])
        else:
            cut = splitting.grouped_split if split.by == "grouped" else splitting.stratified_split
            chosen, others = cut(values, [share], generator)
    return pool[chosen], pool[others]


def _without_overlap(
    rows: Rows, parts: dict[str, np.ndarray], policy: str, context: Context, contents: list[bytes]
) -> tuple[dict[str, np.ndarray], dict[str, Any], list[Entry]]:
    """Find rows that stand in two parts, and do with them what the recipe says; also return what became of each."""
    # The later part of each pair is the one that loses the row: test before validation before train.
    found = find_overlap(
        {part: rows.take(parts[part]) for part in reversed(PARTS)},
        {part: [contents[index] for index in parts[part]] for part in PARTS},
    )
    summary: dict[str, Any] = {
        "between_parts": len(found),
        "policy": policy,
        "examples": [{"kind": item.kind, "parts": item.parts, "origins": item.origins} for item in found[:20]],
    }
    if not found:
        return parts, summary, []
    if policy == "stop":
        (one, other), (here, there) = found[0].parts, found[0].origins
        raise DataError(
            f"{len(found)} rows stand in two parts, first {here} ({one}) and {there} ({other})",
            where="prepare.overlap",
            expected="no row in two parts",
            next_step="overlap: drop keeps each on one side",
        )
    context.note("rows in two parts", **summary)
    action = "reported" if policy == "keep" else "dropped"
    entries = [
        Entry(
            item.origins[1],
            item.parts[1],
            "overlap",
            action,
            f"{item.kind}ly the content of {item.origins[0]} ({item.parts[0]})",
        )
        for item in found
    ]
    if policy == "keep":
        return parts, summary, entries
    losers = {item.origins[1] for item in found}
    kept = {}
    for part, indices in parts.items():
        stays = np.asarray([rows.origins[index] not in losers for index in indices], dtype=bool)
        kept[part] = indices[stays]
        summary[f"dropped_from_{part}"] = int((~stays).sum())
    return kept, summary, entries


def _task(context: Context) -> Task:
    """Build the task. Only here does it learn, and only what it learns from may lie beside the recipe: a tokeniser."""
    section: Any = context.recipe.sections["task"]
    task: Task = registry.function_of("task", section.kind)(section, context.recipe.base)
    return task


def _read(data: Any, limit: int, context: Context) -> Rows:
    """Read the rows; where rows are few and reading each is dear, only those that are drawn."""
    if limit and data.kind in registry.names("drawn"):
        seed = derive_seed(context.recipe.seed, "limit")
        drawn: Rows = registry.function_of("drawn", data.kind)(
            data, context.recipe.base, lambda strata: _draw(strata, limit, seed)
        )
        return drawn
    rows: Rows = registry.function_of("source", data.kind)(data, context.recipe.base)
    return rows


def _limited(rows: Rows, limit: int, seed: int) -> Rows:
    """Draw `limit` rows, stratified by label and given part; with so few, every class still needs some."""
    if not limit or limit >= len(rows):
        return rows
    parts = rows.parts if rows.parts is not None else [""] * len(rows)
    labels = rows.columns.get("label", [""] * len(rows))
    strata = [f"{part}/{label}" for part, label in zip(parts, labels, strict=True)]
    return rows.take(_draw(strata, limit, seed))


def _draw(strata: list[str], limit: int, seed: int) -> np.ndarray:
    """Return the indices of `limit` rows, in order, each stratum as strong as among all."""
    if limit >= len(strata):
        return np.arange(len(strata))
    chosen, _ = splitting.stratified_split(strata, [limit / len(strata)], np.random.default_rng(seed))
    return chosen


def _require_labels(rows: Rows, context: Context) -> None:
    if "label" not in rows.columns:
        raise DataError(
            f"no column is the label; there are {', '.join(rows.columns)}",
            where=_where(context),
            expected="a label column",
            next_step="name it in the section data",
        )


def _where(context: Context) -> str:
    data: Any = context.recipe.sections["data"]
    return (
        str(Path(context.recipe.base) / data.path)
        if getattr(data, "path", "") and isinstance(data.path, str)
        else f"data (kind: {data.kind})"
    )


def datasheet(rows: Rows, parts: dict[str, np.ndarray], overlap: dict[str, Any]) -> dict[str, Any]:
    """Return what a reader must know of the data: files, counts, classes by part, what was left out and why."""
    labels = rows.columns.get("label")
    return {
        "files": rows.files,
        "columns": list(rows.columns),
        "rows": {name: len(indices) for name, indices in parts.items()},
        "labels": {
            name: dict(sorted(Counter(str(labels[index]) for index in indices).items()))
            for name, indices in parts.items()
        }
        if labels is not None
        else {},
        "quarantined": [{"origin": item.origin, "reason": item.reason} for item in rows.quarantined],
        "overlap": overlap,
        "suspicious": [str(item) for item in suspicious_columns(rows)],
    }
