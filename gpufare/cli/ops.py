"""Commands that run the house: daily, schedule, doctor."""

from __future__ import annotations

import shutil
import signal
from datetime import UTC
from pathlib import Path
from typing import Any

import typer

from gpufare.cli.context import Context, context_of, read_clock
from gpufare.cli.options import JSON
from gpufare.cli.output import Column, Output
from gpufare.exit_codes import ExitCode

LOW_DISK_BYTES = 2 * 10**9


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("daily", help="The day in order: crawl, load, check, recommend, write the site.")(daily)
    app.command("schedule", help="The service: crawls when due, reports daily; SIGTERM ends it cleanly.")(
        schedule
    )
    app.command("doctor", help="Configuration, credentials present (never shown), disk, warehouse health.")(
        doctor
    )


def daily(
    ctx: typer.Context,
    out: str | None = typer.Option(None, "--out", help="Where the site goes (default: HOME/site)."),
) -> int:
    """Run the whole day and say where the site is."""
    from gpufare.daily import run_day

    context = context_of(ctx)
    output = Output(plain=context.settings.plain)
    if not context.settings.contact:
        output.message(
            "no contact is configured: set `contact` in gpufare.toml so that providers can reach you"
        )
    target = Path(out).absolute() if out else None
    result = run_day(context.settings, now=context.now, progress=output.message, out=target)
    if result.skipped:
        keyed = sorted(name for name, why in result.skipped.items() if why.startswith("needs "))
        rest = sorted(set(result.skipped) - set(keyed))
        parts = [f"{len(keyed)} need a key ({', '.join(keyed)})"] if keyed else []
        parts += [f"{len(rest)} are off ({', '.join(rest)})"] if rest else []
        output.message(f"not asked: {'; '.join(parts)}; gpufare doctor says what each needs")
    output.message(result.summary)
    output.text(f"{result.pages} pages: {result.site / 'index.html'}")
    return result.exit_code


def schedule(ctx: typer.Context) -> int:
    """Run until a signal ends it."""
    from gpufare.schedule import Service

    context = context_of(ctx)
    output = Output(plain=True)

    def tell(line: str) -> None:
        output.message(f"{read_clock():%Y-%m-%d %H:%M:%S} {line}")

    service = Service(context.settings, clock=read_clock, tell=tell)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop.set())
    service.run()
    tell("stopped")
    return ExitCode.OK


def doctor(ctx: typer.Context, as_json: bool = JSON) -> int:
    """Look the installation over; nothing is changed and no provider is asked."""
    context = context_of(ctx)
    output = Output(as_json=as_json, plain=context.settings.plain)
    rows = [*_places(context), *_market(context), *_credentials(context)]
    columns = [Column("what", "what"), Column("state", "state"), Column("detail", "detail")]
    output.rows(rows, columns, as_of=context.now)
    return ExitCode.ERROR if any(row["state"] == "broken" for row in rows) else ExitCode.OK


def _row(what: str, state: str, detail: str) -> dict[str, Any]:
    return {"what": what, "state": state, "detail": detail}


def _places(context: Context) -> list[dict[str, Any]]:
    home = context.settings.home
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    contact = context.settings.contact
    return [
        _row("home", "ok" if home.exists() else "new", str(home)),
        _row("disk", "ok" if free > LOW_DISK_BYTES else "low", f"{free / 1e9:.1f} GB free"),
        _row("contact", "ok" if contact else "missing", contact or "set `contact` in gpufare.toml"),
    ]


def _market(context: Context) -> list[dict[str, Any]]:
    from gpufare.health import health
    from gpufare.market import open_market
    from warehouse.errors import GpufareError
    from warehouse.queries import providers

    try:
        with open_market(context.settings, context.now) as market:
            rows = providers(market, now=context.now)
            well = health(context.settings.home, market, now=context.now)
    except GpufareError as error:
        return [_row("market", "broken", str(error))]
    offers = sum(row["offers"] or 0 for row in rows)
    newest = max((row["last_good_at"] for row in rows if row["last_good_at"]), default=None)
    when = f", newest of {newest.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if newest else ""
    found = _row("market", "ok", f"{offers:,} offers of {len(rows)} providers{when}")
    return [found, *(_row(*told) for told in well)]


def _credentials(context: Context) -> list[dict[str, Any]]:
    from crawlers.discover import spider_cards
    from crawlers.due import why_not

    settings, rows = context.settings, []
    for card in spider_cards().values():
        why = why_not(
            card,
            secrets=settings.secrets,
            switched_off=settings.switched_off,
            switched_on=settings.switched_on,
        )
        present = [name for name in card.credential if settings.secrets.get(name)]
        absent = [name for name in card.credential if name not in present]
        keys = ", ".join([*(f"{name} present" for name in present), *(f"{name} not set" for name in absent)])
        rows.append(
            _row(f"source {card.provider}", "off" if why else "on", why or keys or "needs no credential")
        )
    return rows
