"""The command that writes the site: report."""

from __future__ import annotations

from pathlib import Path

import typer

from gpufare.cli.context import context_of
from gpufare.cli.options import AS_OF
from gpufare.cli.output import Output
from gpufare.exit_codes import ExitCode


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(
        "report",
        help="Write the site. Example: gpufare report --out public",
        short_help="Write the site.",
    )(report)


def report(
    ctx: typer.Context,
    out: str | None = typer.Option(None, "--out", help="Where the site goes (default: HOME/site)."),
    terminal: bool = typer.Option(False, "--terminal", help="Print the morning's page here; write nothing."),
    as_of: str | None = AS_OF,
) -> int:
    """Build the pages from the published market and say where they are."""
    from gpufare.source_list import source_list
    from gpufare.watches import check_watches
    from reports import formatting
    from reports.reference_answers import reference_answers
    from reports.site import SiteInput, terminal_page, write_site

    context = context_of(ctx, as_of)
    target = Path(out).expanduser().absolute() if out else context.settings.home / "site"
    output = Output(plain=context.settings.plain)
    with context.market() as market:
        with output.progress("sizing the typical jobs"):
            answers = reference_answers(market, now=context.now)
        with output.progress("writing the pages"):
            found = check_watches(context.settings, market, now=context.now)
            given = SiteInput(
                sources=source_list(context.settings, market, now=context.now),
                watches=[item.record() for item in found],
                address=context.settings.site_url,
                rebuild=f"gpufare report --as-of {formatting.stamp(context.now)}",
            )
            if terminal:
                text, stale = terminal_page(market, answers, now=context.now, given=given)
                output.text(text)
                return ExitCode.STALE if stale else ExitCode.OK
            result = write_site(market, answers, target, now=context.now, given=given)
    output.text(str(result.path / "index.html"))
    size = f"{result.pages} pages, {result.bytes / 1e6:.1f} MB, written in {result.seconds:.1f} s."
    output.message(f"{size} {result.freshness}")
    return ExitCode.STALE if result.stale else ExitCode.OK
