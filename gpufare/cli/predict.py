"""Commands about measurements: predict a table, and say how far predictions are from what was measured."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gpufare.cli.context import context_of
from gpufare.cli.options import CSV, JSON
from gpufare.cli.output import Column, Output
from gpufare.exit_codes import ExitCode
from warehouse.errors import UsageError

if TYPE_CHECKING:
    from recommender.sizing.predict.evaluate import Report

TABLE = typer.Argument(..., help="CSV with the columns of a measurement table (CONTRACT 5).")
OUT = typer.Option(..., "--out", help="File to write: id, status, pred_* with p10 and p90.")
BY = ("all", "source", "family", "accelerator", "precision", "model")
PREDICT_EXAMPLE = "Example: gpufare predict measurements.csv --out predicted.csv"
EVALUATE_EXAMPLE = "Example: gpufare evaluate measurements.csv --by family --cross-validate source"


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("predict", help="Predict every row of a measurement table.", epilog=PREDICT_EXAMPLE)(predict)
    app.command(
        "evaluate", help="Predict, compare with what was measured, print the error.", epilog=EVALUATE_EXAMPLE
    )(evaluate)


def predict(
    ctx: typer.Context,
    table: Path = TABLE,
    out: Path = OUT,
) -> int:
    """Predict every row of a measurement table; measured columns are not read."""
    from recommender.sizing.predict.bands import predict_table
    from recommender.sizing.predict.prediction import write_out
    from recommender.sizing.predict.table import read_table

    output = Output(plain=context_of(ctx).settings.plain)
    if out.resolve() == table.resolve():
        raise UsageError(f"--out {out} is the table itself; name another file")
    found = read_table(table)
    predictions = predict_table(found)
    write_out(out, found.rows, predictions)
    answered = sum(item.answered for item in predictions)
    output.message(f"{found.kind}: {answered} of {len(predictions)} rows answered, written to {out}")
    return ExitCode.OK


def evaluate(
    ctx: typer.Context,
    table: Path = TABLE,
    by: str = typer.Option("all", "--by", help=f"Groups to print: {', '.join(BY)}, or several with commas."),
    cross_validate: str | None = typer.Option(
        None,
        "--cross-validate",
        help="Refit without each source, family or pair (model, accelerator) and predict it.",
    ),
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """Predict a table and print how far off that is."""
    from recommender.sizing.predict.bands import predict_table
    from recommender.sizing.predict.evaluate import cross_validate as leave_out
    from recommender.sizing.predict.evaluate import evaluate_table
    from recommender.sizing.predict.table import read_table

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    wanted = [name.strip() for name in by.split(",")]
    for name in wanted:
        if name not in BY:
            raise UsageError(f"--by {name!r} is not one of {', '.join(BY)}")
    found = read_table(table)
    with output.progress(f"predicting {len(found.rows)} rows") as step:
        step(found.kind)
        predictions = leave_out(found, cross_validate) if cross_validate else predict_table(found)
    report = evaluate_table(found, predictions)
    how = (
        f"left out by {cross_validate}: constants and bands fitted without"
        if cross_validate
        else "shipped constants"
    )
    output.rows(
        _lines(report, wanted, every=output.format != "table"),
        _COLUMNS,
        as_of=context.now,
        warnings=[f"{found.kind} table, {how}; errors are |predicted / measured - 1|"],
        empty="no row of this table has a measurement that is judged",
    )
    return ExitCode.OK


def _lines(report: Report, wanted: list[str], *, every: bool) -> list[dict[str, object]]:
    shown = BY if every and wanted == ["all"] else ("all", *wanted)
    return [asdict(line) for line in report.lines if line.by in shown]


def _percent(value: float) -> str:
    return f"{value:.1%}"


_COLUMNS = [
    Column("mark", "mark"),
    Column("group", "group"),
    Column("rows", "rows", right=True),
    Column("answered", "answered", right=True, show=_percent),
    Column("median_error", "median error", right=True, show=_percent),
    Column("p90_error", "p90", right=True, show=_percent),
    Column("bias", "bias", right=True, show=lambda value: f"{value:.2f}"),
    Column("in_band", "in band", right=True, show=_percent),
    Column("limit", "mark at most", right=True, show=_percent),
    Column("answered_limit", "answer at least", right=True, show=_percent),
]
