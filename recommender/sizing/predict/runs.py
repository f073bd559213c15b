"""Predicts rows of the runs table: accelerator-hours of whole published runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from recommender.sizing.predict.evaluate import Mark, measured_value
from recommender.sizing.predict.lookup import model_of, part_of
from recommender.sizing.predict.prediction import Points, unsupported
from recommender.sizing.predict.sanity import absurd
from recommender.sizing.predict.table import Row
from recommender.sizing.run_hours import CONSTANTS, Run, kind_of, run_constants, run_gpu_hours
from recommender.sizing.simple_fit import fit_logs
from recommender.sizing.training_rates import training_unit
from warehouse.reference import Accelerator


def _counted(row: Row, _: Mapping[str, str]) -> bool:
    return row.text("use_for_test").lower() == "yes"


MARKS = (Mark("GPU-hours of whole runs", "gpu_hours", _counted, 0.18, 0.95),)


def predict_points(rows: Sequence[Row], constants: Any = None) -> list[Points]:
    """Middles, one per row and in order."""
    found = constants or run_constants()
    return [_predict(row, found) for row in rows]


def _predict(row: Row, c: Mapping[str, float]) -> Points:
    case = _case(row)
    if isinstance(case, str):
        return unsupported(case)
    run, part, peak = case
    kind = "moe" if run.moe else "dense"
    return Points(
        values={"gpu_hours": run_gpu_hours(run, part, peak, c)}, band=f"{kind}/{kind_of(part) or 'ampere'}"
    )


def _case(row: Row) -> tuple[Run, Accelerator, float] | str:
    wrong = absurd(row)
    if wrong:
        return wrong
    part, model = part_of(row), model_of(row)
    tokens = row.number("tokens")
    active = row.number("params_active") or row.number("params_total")
    if part is None:
        return f"accelerator {row.text('accelerator') or row.text('accel_raw') or 'blank'!r} is not known"
    if active is None and model is not None:
        active = model.active_parameters
    if not tokens or not active:
        return f"{'tokens' if not tokens else 'params_total'} is blank"
    unit = training_unit(part, "bf16") or training_unit(part, "fp32")
    if unit is None:
        return f"{part.title}: no dense 16-bit rate is known"
    total = row.number("params_total") or active
    calendar = row.text("grade").upper().startswith("B") or "quantity" in row.text("hours_basis").lower()
    return Run(active, tokens, year_of(row.text("date")), calendar, active < 0.95 * total), part, unit[1]


def year_of(date: str) -> float | None:
    """2022.5 of ``2022-07``; the middle of the year where only that is given."""
    found = re.match(r"^((?:19|20)\d\d)(?:-(\d\d))?", date)
    if not found:
        return None
    return int(found[1]) + ((int(found[2]) - 1) / 12 if found[2] else 0.5)


def fit(rows: Sequence[Row], measured: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """Constants from the runs that count."""
    chosen = [
        (row, truth)
        for row, values in zip(rows, measured, strict=True)
        if _counted(row, values)
        and (truth := measured_value(values, "gpu_hours")) is not None
        and not isinstance(_case(row), str)
    ]

    def predicted(c: Mapping[str, float]) -> list[float]:
        return [_predict(row, c).values["gpu_hours"] for row, _ in chosen]

    return fit_logs(CONSTANTS, predicted, [truth for _, truth in chosen], [1.0] * len(chosen), noise=0.25)
