"""The command `export`: the market in files that other tools read."""

from __future__ import annotations

from pathlib import Path

import typer

from gpufare.cli.context import context_of
from gpufare.cli.options import AS_OF
from gpufare.cli.output import Output
from gpufare.exit_codes import ExitCode

EXAMPLE = "Example: gpufare export --format gpuhunt --out catalogs && GPUHUNT_CATALOG_DIR=catalogs python ..."


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(
        "export", help="The market as Parquet, CSV, or in gpuhunt's or SkyPilot's formats.", epilog=EXAMPLE
    )(export)


def export(
    ctx: typer.Context,
    form: str = typer.Option(..., "--format", help="parquet, csv, gpuhunt or skypilot."),
    out: str = typer.Option(..., "--out", help="Folder; made where needed."),
    as_of: str | None = AS_OF,
) -> int:
    """Write the market's offers into a folder."""
    from warehouse.export import export as write
    from warehouse.queries import OfferFilter, offers

    context = context_of(ctx, as_of)
    output = Output(plain=context.settings.plain)
    with context.market() as market:
        answer = offers(market, OfferFilter(), now=context.now)
    done = write(answer.rows, form, Path(out).expanduser().absolute())
    for file in done.files:
        output.text(str(file))
    output.message(f"{done.offers:,} of {len(answer.rows):,} offers written")
    for reason, count in done.left_out.most_common():
        output.message(f"note: {count:,} left out: {reason}")
    for warning in answer.warnings:
        output.message(f"note: {warning}")
    if not answer.rows:
        return ExitCode.NOTHING
    return ExitCode.STALE if answer.stale else ExitCode.OK
