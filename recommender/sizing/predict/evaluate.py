"""Compares predictions with measurements: errors by group, shipped constants or out of sample."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from recommender.sizing.predict import lookup
from recommender.sizing.predict.bands import (
    Residual,
    fit_bands,
    predictor,
    quantile,
    with_band,
)
from recommender.sizing.predict.prediction import OK, Points, Prediction
from recommender.sizing.predict.table import Row, Table, as_number
from warehouse.errors import UsageError

MEASURED_COLUMNS = {  # quantity -> columns that hold its measurement, the first that is filled counts
    "tflops_per_gpu": ("tflops_per_gpu_reported",),
    "mem_peak_gib": ("mem_peak_gib", "mem_peak_gib_per_accel"),
}
LEAVE_OUT = ("source", "family", "pair")
EACH_ALONE = (
    10  # groups beyond this many are left out several at a time, so that a fit per fold stays affordable
)


@dataclass(frozen=True, slots=True)
class Mark:
    """One figure that is judged.

    Attributes:
        name: what is printed.
        quantity: key of `Points.values`.
        wanted: does this row count? It sees the row and the texts of what was measured.
        limit: median absolute error that is aimed at. answered: share of wanted rows to be answered.
        configuration: rows with the same text are one configuration and weigh one together; None: each row
            weighs one.
    """

    name: str
    quantity: str
    wanted: Callable[[Row, Mapping[str, str]], bool]
    limit: float | None = None
    answered: float | None = None
    configuration: Callable[[Row], str] | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Errors of one group of rows under one mark, as fractions; bias is predicted / measured."""

    mark: str
    by: str
    group: str
    rows: int
    answered: float
    median_error: float | None
    p90_error: float | None
    bias: float | None
    in_band: float | None
    limit: float | None = None
    answered_limit: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All lines: per mark the whole (`by` = "all") first, then its groups."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    row: Row
    measured: float
    weight: float
    predicted: float | None
    inside: bool


def measured_value(measured: Mapping[str, str], quantity: str) -> float | None:
    """The positive measurement of a quantity in one row, None where there is none."""
    for column in MEASURED_COLUMNS.get(quantity, (quantity,)):
        value = as_number(measured.get(column, ""))
        if value is not None and value > 0:
            return value
    return None


def evaluate_table(table: Table, predictions: Sequence[Prediction]) -> Report:
    """Errors of all marks: whole, and by source, family, accelerator, precision, dense or MoE."""
    lines: list[Line] = []
    for mark in marks(table.kind):
        cases = _cases(table, predictions, mark)
        if not cases:
            continue
        lines.append(_line(mark, "all", "all", cases))
        for by, key in GROUPS.items():
            groups: dict[str, list[_Case]] = defaultdict(list)
            for case in cases:
                groups[key(case.row)].append(case)
            lines += [_line(mark, by, name, groups[name]) for name in sorted(groups)]
    return Report(tuple(lines))


def marks(kind: str) -> tuple[Mark, ...]:
    """The marks of one table; those of a table without its own are all quantities."""
    found: tuple[Mark, ...] = getattr(predictor(kind), "MARKS", ())
    return found


def cross_validate(table: Table, by: str) -> list[Prediction]:
    """Predictions of every row by constants and bands that were fitted without its group.

    Args:
        by: `source` (whole source groups are left out), `family` (of models), `pair` (model, accelerator).

    The band of a group comes from the left-out errors of the other groups.

    Raises:
        UsageError: an unknown way of leaving out, or a table whose constants are not fitted.
    """
    folds = folds_of(table, by)
    points = left_out_points(table, folds)
    answers: list[Prediction] = [Prediction(found.status, {}) for found in points]
    for inside in folds:
        others = [n for n in range(len(points)) if n not in inside]
        bands = fit_bands(residuals(table, points, others))
        for n in inside:
            answers[n] = with_band(points[n], bands)
    return answers


def folds_of(table: Table, by: str) -> list[set[int]]:
    """Positions of the rows of each fold. Raises UsageError for an unknown way of leaving out."""
    if by not in LEAVE_OUT:
        raise UsageError(f"cross-validate {by!r} is not one of {', '.join(LEAVE_OUT)}")
    return _folds([_LEFT_OUT[by](row) for row in table.rows], by)


def left_out_points(table: Table, folds: Sequence[set[int]]) -> list[Points]:
    """Middles of every row by constants that were fitted to the other folds."""
    module = predictor(table.kind)
    if not hasattr(module, "fit"):
        raise UsageError(f"the {table.kind} table has no constants to fit; evaluate without --cross-validate")
    points: list[Points] = [Points(status="unsupported: not predicted")] * len(table.rows)
    for inside in folds:
        kept = [n for n in range(len(table.rows)) if n not in inside]
        constants = module.fit([table.rows[n] for n in kept], [table.measured[n] for n in kept])
        held = sorted(inside)
        found = module.predict_points([table.rows[n] for n in held], constants)
        for n, answer in zip(held, found, strict=True):
            points[n] = answer
    return points


def residuals(table: Table, points: Sequence[Points], chosen: Sequence[int] | None = None) -> list[Residual]:
    """ln(measured / predicted) of all marked quantities of the chosen rows; a configuration counts once."""
    found: list[Residual] = []
    for mark in marks(table.kind):
        seen: set[str] = set()
        for n in range(len(points)) if chosen is None else chosen:
            row, value = table.rows[n], points[n].values.get(mark.quantity)
            truth = measured_value(table.measured[n], mark.quantity)
            if not value or not truth or not mark.wanted(row, table.measured[n]):
                continue
            name = mark.configuration(row) if mark.configuration else str(n)
            if name not in seen:
                seen.add(name)
                found.append((mark.quantity, points[n].band, math.log(truth / value)))
    return found


def _folds(names: Sequence[str], by: str) -> list[set[int]]:
    groups: dict[str, set[int]] = defaultdict(set)
    for n, name in enumerate(names):
        groups[name].add(n)
    ordered = sorted(groups.values(), key=lambda inside: (-len(inside), min(inside)))
    if by != "pair" or len(ordered) <= EACH_ALONE:
        return ordered
    folds: list[set[int]] = [set() for _ in range(EACH_ALONE)]
    for number, inside in enumerate(ordered):
        folds[number % EACH_ALONE] |= inside
    return folds


def _cases(table: Table, predictions: Sequence[Prediction], mark: Mark) -> list[_Case]:
    chosen = [
        (row, truth, found)
        for row, measured, found in zip(table.rows, table.measured, predictions, strict=True)
        if (truth := measured_value(measured, mark.quantity)) is not None and mark.wanted(row, measured)
    ]
    names = [mark.configuration(row) if mark.configuration else str(row.position) for row, _, _ in chosen]
    counts: dict[str, int] = defaultdict(int)
    for name in names:
        counts[name] += 1
    cases = []
    for (row, truth, found), name in zip(chosen, names, strict=True):
        spread = found.values.get(mark.quantity) if found.status == OK else None
        inside = spread is not None and spread.p10 <= truth <= spread.p90
        cases.append(_Case(row, truth, 1 / counts[name], spread.p50 if spread else None, inside))
    return cases


def _line(mark: Mark, by: str, group: str, cases: Sequence[_Case]) -> Line:
    total = sum(case.weight for case in cases)
    answered = [case for case in cases if case.predicted is not None]
    share = sum(case.weight for case in answered) / total
    limits = (mark.limit, mark.answered) if by == "all" else (None, None)
    if not answered:
        return Line(mark.name, by, group, len(cases), share, None, None, None, None, *limits)
    ratios = [(case.predicted or 0) / case.measured for case in answered]
    weights = [case.weight for case in answered]
    errors = [abs(ratio - 1) for ratio in ratios]
    return Line(
        mark.name,
        by,
        group,
        len(cases),
        share,
        weighted_quantile(errors, weights, 0.5),
        weighted_quantile(errors, weights, 0.9),
        weighted_quantile(ratios, weights, 0.5),
        sum(case.weight for case in answered if case.inside) / sum(weights),
        *limits,
    )


def weighted_quantile(values: Sequence[float], weights: Sequence[float], share: float) -> float:
    """Quantile of weighted values; with equal weights the usual one."""
    if len(set(weights)) == 1:
        return median(values) if share == 0.5 else quantile(sorted(values), share)
    order = sorted(range(len(values)), key=lambda n: values[n])
    wanted, reached = share * sum(weights), 0.0
    for n in order:
        reached += weights[n]
        if reached >= wanted:
            return values[n]
    return values[order[-1]]


def _kind(row: Row) -> str:
    model = lookup.model_of(row)
    return "model not known" if model is None else "moe" if model.is_moe else "dense"


_LEFT_OUT: dict[str, Callable[[Row], str]] = {
    "source": lambda row: row.text("source_group") or row.text("source"),
    "family": lambda row: row.text("family"),
    "pair": lambda row: f"{row.text('model')} {row.text('accelerator')}",
}
GROUPS: dict[str, Callable[[Row], str]] = {
    "source": lambda row: row.text("source_group") or "not stated",
    "family": lambda row: row.text("family") or "not stated",
    "accelerator": lambda row: row.text("accelerator") or row.text("accel_raw") or "not stated",
    "precision": lambda row: row.text("precision").lower() or "not stated",
    "model": _kind,
}
