"""The command decide: rent, buy, or call an API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from gpufare.cli.answer_text import wrapped
from gpufare.cli.context import context_of
from gpufare.cli.options import CSV, JSON
from gpufare.cli.output import Column, Output
from gpufare.cli.question_options import FILE, TASK, question_options, read_question
from gpufare.exit_codes import ExitCode
from gpufare.market import open_market

if TYPE_CHECKING:
    from datetime import datetime

    from recommender.decide import Decision

EXAMPLE = "Example: gpufare decide serve --model llama-3.1-70b --requests-per-second 10"


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(
        "decide",
        help="Rent, buy, or call an API: every way to pay for a workload, in one ranking.",
        epilog=EXAMPLE,
    )(decide)


@question_options(limits=True)
def decide(
    ctx: typer.Context,
    task: str | None = TASK,
    file: str | None = FILE,
    life_years: float | None = typer.Option(None, "--life-years", help="Years an owned machine is used [4]."),
    electricity: float | None = typer.Option(
        None, "--electricity-usd-per-kwh", help="Price of power [0.10]."
    ),
    pue: float | None = typer.Option(
        None, "--pue", help="Facility power over machine power [industry mean]."
    ),
    hosting: float | None = typer.Option(
        None, "--hosting-usd-per-kw-month", help="Space and cooling by stated power [184.06]."
    ),
    capital: float | None = typer.Option(None, "--capital-cost-per-year", help="Interest a year [0.08]."),
    resale: float | None = typer.Option(
        None, "--resale-share", help="Of the accelerators' price at the end."
    ),
    utilisation: float | None = typer.Option(
        None, "--utilisation", help="Share of its hours in which an owned machine has work (jobs) [0.7]."
    ),
    as_json: bool = JSON,
    as_csv: bool = CSV,
    *,
    workload: dict[str, Any],
    limits: dict[str, Any],
) -> int:
    """Compare renting, buying and calling an API for one workload."""
    from recommender.decide import decide as weigh
    from recommender.ownership import OwnershipTerms

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    job = read_question(task, file, workload, limits)
    given = {
        "life_years": life_years,
        "electricity_usd_per_kwh": electricity,
        "pue": pue,
        "hosting_usd_per_kw_month": hosting,
        "capital_cost_per_year": capital,
        "resale_share": resale,
        "utilisation": utilisation,
    }
    terms = OwnershipTerms(**{name: value for name, value in given.items() if value is not None})
    with open_market(context.settings, context.now) as market:
        found = weigh(job.workload, job.constraints, market, now=context.now, terms=terms)
    if output.format == "table":
        _show(output, found, context.now)
    else:
        output.rows(found.rows(), [], as_of=context.now, warnings=[*found.break_evens, *found.warnings])
    return ExitCode.STALE if found.stale else ExitCode.OK


def _show(output: Output, found: Decision, now: datetime) -> None:
    from recommender.ways import NAMES

    best = found.ways[0]
    name = NAMES[best.way]
    output.text(
        f"{name[0].upper()}{name[1:]}: {best.what} ({best.seller}) for {best.usd:,.0f} USD a "
        f"{found.per} ({best.usd_p10:,.0f} to {best.usd_p90:,.0f}).\n"
    )
    money: dict[str, Any] = {"right": True, "show": lambda value: "" if value is None else f"{value:,.0f}"}
    rows = [{**row, "way": NAMES[row["way"]]} for row in found.rows()]
    columns = [
        Column("way", "way"),
        Column("seller", "seller"),
        Column("what", "what"),
        Column("machines", "n", right=True),
        Column("usd", f"$/{found.per}", **money),
        Column("usd_p10", "10 %", **money),
        Column("usd_p90", "90 %", **money),
        Column("upfront_usd", "upfront $", **money),
        Column("usd_per_mtok", "$/Mtok", right=True, show=lambda v: "" if v is None else f"{v:,.2f}"),
        Column("age_days", "age", right=True, show=lambda v: f"{v:,.0f}d"),
    ]
    output.rows(rows, columns, as_of=now)
    output.text("")
    for line in found.break_evens:
        output.text(wrapped(line))
    if found.volumes:
        output.text("\nCheapest way by volume, USD a " + found.per + ":")
        output.rows(list(found.volumes), _volume_columns(found, money), as_of=now)
    if found.changes:
        output.text("\nThe cheapest purchase under other assumptions:")
        columns = [
            Column("change", "change"),
            Column("usd", f"$/{found.per}", **money),
            Column("percent", "", right=True, show=lambda value: f"{value:+.0f} %"),
        ]
        output.rows(list(found.changes), columns, as_of=now)
    for note in found.warnings:
        output.message(f"note: {note}")


def _volume_columns(found: Decision, money: dict[str, Any]) -> list[Column]:
    from recommender.ways import NAMES

    known = [way for way in NAMES if any(row.get(f"{way}_usd") is not None for row in found.volumes)]
    return [
        Column("volume", "volume", right=True, show=lambda value: f"x {value:g}"),
        Column("requests", "requests", right=True, show=lambda value: f"{value:,.0f}"),
        *(Column(f"{way}_usd", NAMES[way], **money) for way in known),
        Column("cheapest", "cheapest", show=lambda value: NAMES.get(value, "")),
    ]
