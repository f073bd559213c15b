"""The command about watches: list what they say, send a test message."""

from __future__ import annotations

import typer

from gpufare.cli.context import context_of
from gpufare.cli.options import CSV, JSON
from gpufare.cli.output import Column, Output
from gpufare.exit_codes import ExitCode
from warehouse.errors import NothingFoundError

EXAMPLE = 'Example: gpufare watches --test "H100 under 2.00"'


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(
        "watches",
        help="What the watches of gpufare.toml say now; nothing is sent unless --test names one.",
        short_help="The watches of the configuration.",
        epilog=EXAMPLE,
    )(watches)


def watches(
    ctx: typer.Context,
    test: str | None = typer.Option(None, "--test", help="Send this watch's message now, marked as a test."),
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """List the watches, or try how one of them tells."""
    from gpufare.watches import check_watches, read_watches, send

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    chosen = read_watches(context.settings)
    if not chosen:
        raise NothingFoundError("no watch is set; a [[watch]] table in gpufare.toml sets one (docs/site.md)")
    with context.market() as market:
        found = check_watches(context.settings, market, now=context.now, watches=chosen)
    if test is not None:
        item = next((item for item in found if test in (item.watch.name, item.watch.id)), None)
        if item is None:
            raise NothingFoundError(f"no watch is called {test!r}; gpufare watches lists them")
        if not (item.watch.webhook or item.watch.command):
            raise NothingFoundError(f"watch {item.watch.name!r} has neither webhook nor command to try")
        failures = send(item, test=True)
        for text in failures or [f"{item.watch.name}: the test message went through"]:
            output.message(text)
        return ExitCode.ERROR if failures else ExitCode.OK
    columns = [
        Column("name", "watch"),
        Column("asks", "asks for"),
        Column("state", "state", show=lambda value: str(value).replace("_", " ")),
        Column("answer", "now"),
    ]
    output.rows([item.record() for item in found], columns, as_of=context.now)
    return ExitCode.OK
