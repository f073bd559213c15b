"""Commands on what waits in quarantine, and the import of a collected price history."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from gpufare.cli.context import context_of
from gpufare.cli.options import AS_OF, CSV, JSON
from gpufare.cli.output import Column, Output
from gpufare.exit_codes import ExitCode
from gpufare.market import ensure_market

ENTRY = typer.Argument(..., metavar="ID", help="As `gpufare quarantine list` prints it.")
NOTE = typer.Option(..., "--note", help="Why; kept for good in the audit.")
HISTORY = typer.Argument(..., help="The table, gzipped or not (columns: docs/architecture.md).")
BY = typer.Option(None, "--by", help="Who decides (default: the account that runs this).")
IMPORT_EXAMPLE = "Example: gpufare import-history history.csv.gz"
DECIDE_EXAMPLE = 'Example: gpufare quarantine release q1a2b3c4d5 --note "the price page says the same"'


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    held = typer.Typer(help="Held rows and runs.", no_args_is_help=True)
    held.command("list", help="Rows and runs that wait, with the rule and its evidence.")(quarantine_list)
    held.command("show", help="One entry with everything known of it, and what was decided.")(quarantine_show)
    held.command(
        "release", help="Let it into the market, now and whenever it is seen again.", epilog=DECIDE_EXAMPLE
    )(quarantine_release)
    held.command("reject", help="Keep it out of the market, now and whenever it is seen again.")(
        quarantine_reject
    )
    app.add_typer(held, name="quarantine")
    app.command(
        "import-history",
        help="Load a collected table of dated prices (CSV) through the same checks.",
        epilog=IMPORT_EXAMPLE,
    )(import_history)


def quarantine_list(
    ctx: typer.Context,
    provider: str | None = typer.Option(None, "--provider"),
    status: str = typer.Option("held", "--status", help="held, released, rejected, superseded or all."),
    as_of: str | None = AS_OF,
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """Held rows."""
    from warehouse.errors import UsageError
    from warehouse.queries import quarantine as query

    context = context_of(ctx, as_of)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    if status not in ("held", "released", "rejected", "superseded", "all"):
        raise UsageError(f"--status {status!r} is none of held, released, rejected, superseded, all")
    with context.market() as market:
        rows = query(market, provider=provider, status=None if status == "all" else status)
    columns = [
        Column("id", "id", right=True),
        Column("rule", "rule"),
        Column("provider", "provider"),
        Column("instance_type", "instance"),
        Column("gpu_name_raw", "GPU as printed"),
        Column("first_seen", "first seen (UTC)"),
        Column("confirmations", "seen again", right=True),
        Column("evidence", "why"),
    ]
    output.rows(rows, columns, as_of=context.now, empty="the quarantine is empty")
    return ExitCode.OK


def quarantine_show(
    ctx: typer.Context, entry_id: str = ENTRY, as_json: bool = JSON, as_csv: bool = CSV
) -> int:
    """One entry, field by field."""
    from warehouse.quality import entry

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    with context.market() as market:
        found = entry(market, entry_id)
    if output.format != "table":
        output.rows([found], [Column(name, name) for name in found], as_of=context.now)
        return ExitCode.OK
    audit = found.pop("audit")
    rows: list[dict[str, Any]] = [
        {"field": name, "value": str(value)} for name, value in found.items() if value not in (None, [])
    ]
    rows += [
        {
            "field": f"{item['action']} by {item['who']}",
            "value": f"{item['decided_at']:%Y-%m-%d %H:%M}: {item['note']}",
        }
        for item in audit
    ]
    output.rows(rows, [Column("field", "field"), Column("value", "value")], as_of=context.now)
    return ExitCode.OK


def quarantine_release(
    ctx: typer.Context, entry_id: str = ENTRY, note: str = NOTE, by: str | None = BY, as_json: bool = JSON
) -> int:
    """Release an entry."""
    return _decide(ctx, entry_id, "release", note, by, as_json)


def quarantine_reject(
    ctx: typer.Context, entry_id: str = ENTRY, note: str = NOTE, by: str | None = BY, as_json: bool = JSON
) -> int:
    """Reject an entry."""
    return _decide(ctx, entry_id, "reject", note, by, as_json)


def _decide(ctx: typer.Context, entry_id: str, action: str, note: str, by: str | None, as_json: bool) -> int:
    from warehouse.decisions import decide

    context = context_of(ctx)
    output = Output(as_json=as_json, plain=context.settings.plain)
    made = decide(
        context.settings.home, entry_id, action=action, note=note, who=by or _account(), now=context.now
    )
    row = {
        "id": entry_id,
        "action": action,
        "entries": made.entries,
        "provider": made.entry["provider"],
        "outcome": made.outcome,
    }
    output.rows([row], [Column(name, name) for name in row], as_of=context.now)
    return ExitCode.OK


def _account() -> str:
    """The name of the account that runs this process."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return "somebody"


def import_history(
    ctx: typer.Context,
    file: Path = HISTORY,
    as_json: bool = JSON,
) -> int:
    """Import a collected history."""
    from dataclasses import asdict

    from warehouse.history_import import import_history as run_import

    context = context_of(ctx)
    output = Output(as_json=as_json, plain=context.settings.plain)
    ensure_market(context.settings, context.now)
    row = asdict(run_import(context.settings.home, file, now=context.now, progress=output.message))
    output.rows([row], [Column(name, name.replace("_", " "), right=True) for name in row], as_of=context.now)
    return ExitCode.OK if row["rows"] else ExitCode.NOTHING
