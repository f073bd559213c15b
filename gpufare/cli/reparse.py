"""The command `reparse`: archived bodies parsed anew after a spider was mended."""

from __future__ import annotations

from dataclasses import asdict

import typer

from gpufare.cli.context import context_of, parse_time
from gpufare.cli.options import CSV, JSON
from gpufare.cli.output import Column, Output
from gpufare.exit_codes import ExitCode

EXAMPLE = "Example: gpufare reparse lambda --since 2026-07-01"
PROVIDERS = typer.Argument(None, help="Providers (default: all).")


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(
        "reparse",
        help="Parse archived bodies anew with today's spiders; what differs becomes a revision.",
        epilog=EXAMPLE,
    )(reparse)


def reparse(
    ctx: typer.Context,
    providers: list[str] | None = PROVIDERS,
    since: str | None = typer.Option(None, "--since", help="Only runs of this day (UTC) or later."),
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """Parse anew and load the revisions; no network is used."""
    from crawlers.discover import find_card
    from gpufare.market import ensure_market
    from gpufare.reparse import UNCHANGED
    from gpufare.reparse import reparse as run

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    names = [find_card(name).provider for name in dict.fromkeys(providers or ())]
    first = parse_time(since, "--since") if since else None
    ensure_market(context.settings, context.now)
    with output.progress("parsing archived answers anew") as step:
        results, gone = run(
            context.settings,
            names,
            since=first,
            now=context.now,
            on_event=lambda event: step(event.provider) if event.result else None,
        )
    rows = [asdict(result) for result in results]
    columns = [
        Column("provider", "provider"),
        Column("run_id", "run"),
        Column("state", "state"),
        Column("offers", "offers", right=True),
        Column("revision", "revision"),
        Column("reason", "why"),
    ]
    same = sum(result.state == UNCHANGED for result in results)
    notes = (
        [f"{same} of {len(results)} runs say the same as before; nothing is kept of those"] if results else []
    )
    if gone:
        notes.append(f"{gone} loaded runs have no run folder any more and cannot be parsed anew")
    shown = [row for row in rows if row["state"] != UNCHANGED] if output.format == "table" else rows
    empty = "nothing differs" if results else "no loaded run with its run folder matches"
    output.rows(shown, columns, as_of=context.now, warnings=notes, empty=empty)
    if not results:
        return ExitCode.NOTHING
    failed = any(result.state in ("failed", "held") for result in results)
    return ExitCode.SOURCE_FAILED if failed else ExitCode.OK
