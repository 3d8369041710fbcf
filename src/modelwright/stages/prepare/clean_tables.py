"""Rules for tables: outlying numbers, and values that cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError, MissingExtra
from ...methods.cleaning.outliers import iqr_bounds, isolation_scores, outside, robust_bounds, z_score_bounds
from ...methods.cleaning.settings import Iqr, IsolationForest, Limits, RobustZScore, Schema, ZScore
from ...sources.rows import Rows
from .cleaning import Dirt

Bounds = Callable[[NDArray[np.float64]], tuple[float, float]]


def z_score(settings: ZScore, dirt: Dirt) -> Iterator[tuple[int, str]]:
    """Find numbers too many standard deviations from the mean."""
    measure = f"{settings.threshold:g} standard deviations"
    yield from _outlying(settings, dirt, partial(z_score_bounds, threshold=settings.threshold), measure)


def robust_z_score(settings: RobustZScore, dirt: Dirt) -> Iterator[tuple[int, str]]:
    """Find numbers too many robust deviations from the median."""
    measure = f"{settings.threshold:g} robust deviations"
    yield from _outlying(settings, dirt, partial(robust_bounds, threshold=settings.threshold), measure)


def iqr(settings: Iqr, dirt: Dirt) -> Iterator[tuple[int, str]]:
    """Find numbers too far outside the middle half of their column."""
    measure = f"{settings.factor:g} widths of the middle half"
    yield from _outlying(settings, dirt, partial(iqr_bounds, factor=settings.factor), measure)


def isolation_forest(settings: IsolationForest, dirt: Dirt) -> Iterator[tuple[int, str]]:
    """Find rows that are isolated more easily than all but a share of the training part."""
    names = _columns(settings.columns, dirt.rows)
    table = np.stack([_numbers(dirt.rows, name) for name in names], axis=1)
    judged = dirt.judged(settings.parts)
    train, scores = isolation_scores(table[dirt.parts["train"]], table[judged], settings.trees, dirt.seed)
    limit = float(np.quantile(train, 1 - settings.share))
    for index, score in zip(judged, scores, strict=True):
        if score > limit:
            yield index, f"isolated with score {score:.3f}, above {limit:.3f}, taking {', '.join(names)} together"


def schema(settings: Schema, dirt: Dirt) -> Iterator[tuple[int, str]]:
    """Find values that the declared schema does not allow.

    Raises:
        DataError: a declared column is not there.
        MissingExtra: pandera is not installed.
    """
    pandas, pandera = _pandera()
    for name in settings.columns:
        _require(name, dirt.rows, "prepare.clean.schema")
    judged = dirt.judged(settings.parts)
    chosen = dirt.rows.take(judged)
    found: dict[int, list[str]] = {}
    for name, limits in settings.columns.items():
        frame = pandas.DataFrame({name: pandas.Series(list(chosen.columns[name]), dtype=object)})
        declared = pandera.DataFrameSchema({name: pandera.Column(checks=_checks(pandera, limits), nullable=True)})
        try:
            declared.validate(frame, lazy=True)
        except pandera.errors.SchemaErrors as errors:
            for case in errors.failure_cases.itertuples():
                found.setdefault(int(case.index), []).append(f"{name} is {case.failure_case!r}, expected {case.check}")
        if not limits.missing:
            for row in np.flatnonzero(frame[name].isna().to_numpy()).tolist():
                found.setdefault(row, []).append(f"{name} is missing")
    for row, reasons in sorted(found.items()):
        yield judged[row], "; ".join(dict.fromkeys(reasons))


def _pandera() -> tuple[Any, Any]:
    try:
        import pandas
        import pandera.pandas
    except ImportError:
        raise MissingExtra(
            "the rule schema needs the package pandera",
            where="prepare.clean",
            expected="pandera",
            next_step="pip install 'modelwright[data]'",
        ) from None
    return pandas, pandera.pandas


def _checks(pandera: Any, limits: Limits) -> list[Any]:
    """Return pandera's checks, each named as a person would say it; a missing value is judged by none."""
    import re
    from datetime import datetime

    def is_date(value: Any) -> bool:
        try:
            datetime.fromisoformat(value)
        except (TypeError, ValueError):
            return False
        return True

    def is_number(value: Any) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool)

    wanted: list[tuple[str, Callable[[Any], bool]]] = []
    if limits.type == "number":
        wanted.append(("a number", is_number))
    elif limits.type == "date":
        wanted.append(("a date", is_date))
    elif limits.type == "text":
        wanted.append(("text", lambda value: isinstance(value, str)))
    if limits.least is not None:
        least = limits.least
        wanted.append((f"at least {least:g}", lambda value: is_number(value) and value >= least))
    if limits.most is not None:
        most = limits.most
        wanted.append((f"at most {most:g}", lambda value: is_number(value) and value <= most))
    if limits.one_of:
        wanted.append((f"one of {', '.join(limits.one_of)}", lambda value: str(value) in limits.one_of))
    if limits.pattern:
        pattern = re.compile(limits.pattern)
        wanted.append(
            (f"text like {limits.pattern}", lambda value: isinstance(value, str) and bool(pattern.fullmatch(value)))
        )
    return [pandera.Check(judge, element_wise=True, ignore_na=True, error=said) for said, judge in wanted]


def _outlying(settings: Any, dirt: Dirt, bounds_of: Bounds, measure: str) -> Iterator[tuple[int, str]]:
    judged = dirt.judged(settings.parts)
    reasons: dict[int, list[str]] = {}
    for name in _columns(settings.columns, dirt.rows):
        values = _numbers(dirt.rows, name)
        low, high = bounds_of(values[dirt.parts["train"]])
        for row in np.flatnonzero(outside(values[judged], (low, high))).tolist():
            value = values[judged[row]]
            reasons.setdefault(judged[row], []).append(
                f"{name} is {value:.10g}, outside {low:.6g} to {high:.6g} ({measure})"
            )
    yield from ((index, "; ".join(said)) for index, said in reasons.items())


def _columns(stated: tuple[str, ...], rows: Rows) -> list[str]:
    """Return the columns of numbers that are asked for.

    Raises:
        DataError: one is not there, or holds no numbers; or none is.
    """
    for name in stated:
        _require(name, rows, "prepare.clean.columns")
    names = [name for name in stated or rows.columns if name != "label"]
    numeric = [name for name in names if _is_numeric(rows.columns[name])]
    other = next((name for name in stated if name not in numeric), "")
    if other or not numeric:
        raise DataError(
            f"the column '{other}' holds no numbers" if other else "there is no column of numbers",
            where="prepare.clean.columns",
            expected="columns of numbers",
        )
    return numeric


def _require(name: str, rows: Rows, where: str) -> None:
    if name not in rows.columns:
        raise DataError(f"there is no column '{name}'", where=where, expected=f"one of {', '.join(rows.columns)}")


def _is_numeric(values: Any) -> bool:
    present = [value for value in values if value is not None]
    return bool(present) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in present)


def _numbers(rows: Rows, name: str) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else float(value) for value in rows.columns[name]])
