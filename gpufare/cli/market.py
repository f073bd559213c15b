"""Commands that read the market: offers, providers, quarantine, sql."""

from __future__ import annotations

from typing import Any

import typer

from gpufare.cli.context import Context, context_of
from gpufare.cli.options import AS_OF, CSV, JSON
from gpufare.cli.output import Column, Output
from gpufare.exit_codes import ExitCode
from gpufare.market import open_market


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command(
        "offers", help="The market: what can be rented, where, at what price.", epilog=OFFERS_EXAMPLE
    )(offers)
    app.command(
        "providers",
        help="Each provider: last good run, its age, offers, held rows.",
        epilog=PROVIDERS_EXAMPLE,
    )(providers)
    app.command("sql", help="Read-only SQL on the published market (tables: docs/architecture.md).")(sql)


STATE_WIDTH = 60
OFFERS_EXAMPLE = "Example: gpufare offers --gpu h100 --gpus 8 --continent europe --kind on_demand,spot"
PROVIDERS_EXAMPLE = "Example: gpufare providers --all lists every source, also those that were never asked"
OFFER_COLUMNS = [
    Column("provider", "provider"),
    Column("instance_type", "instance", show=lambda text: text if len(text) <= 26 else text[:25] + "…"),
    Column("accelerator", "GPU"),
    Column("gpu_count", "n", right=True),
    Column("price_usd_per_gpu_hour", "$/GPU-h", right=True, show=lambda value: f"{value:,.3f}"),
    Column("price_usd_per_hour", "$/h", right=True, show=lambda value: f"{value:,.2f}"),
    Column("kind", "kind"),
    Column("where", "region"),
    Column("stock", "stock"),
    Column("age", "age", right=True),
]


def offers(
    ctx: typer.Context,
    gpu: str | None = typer.Option(
        None, "--gpu", help="Accelerator id, family or name: h100, a100-80gb, 'RTX 4090'."
    ),
    min_memory_gb: float | None = typer.Option(None, "--min-memory-gb", help="Memory of one GPU, at least."),
    gpus: int | None = typer.Option(None, "--gpus", help="GPUs in the machine, exactly."),
    provider: str | None = typer.Option(None, "--provider"),
    region: str | None = typer.Option(None, "--region", help="As the provider writes it."),
    country: str | None = typer.Option(None, "--country", help="Two letters: DE."),
    continent: str | None = typer.Option(None, "--continent", help="europe, north_america, asia ..."),
    kind: str | None = typer.Option(None, "--kind", help="on_demand,spot,reserved ... separated by commas."),
    term_months: int | None = typer.Option(None, "--term-months"),
    max_price: float | None = typer.Option(None, "--max-price", help="USD per GPU-hour."),
    available: bool = typer.Option(False, "--available", help="Only what the provider says can be had now."),
    interconnect: str | None = typer.Option(None, "--interconnect", help="As printed: NVLink, SXM, PCIe."),
    as_of: str | None = AS_OF,
    sort: str = typer.Option("price", "--sort", help="price, provider, age or memory."),
    limit: int | None = typer.Option(None, "--limit", help="Rows to show (table: 25; programs: all)."),
    stale: bool = typer.Option(False, "--stale", help="Show expired rows even where fresher ones answer."),
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """List offers."""
    from warehouse.queries import OfferFilter
    from warehouse.queries import offers as query

    context = context_of(ctx, as_of)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    shown = limit if limit is not None else 25 if output.format == "table" else None
    wanted = OfferFilter(
        gpu=gpu,
        min_memory_gb=min_memory_gb,
        gpus=gpus,
        provider=provider,
        region=region,
        country=country,
        continent=continent,
        kinds=tuple(part.strip() for part in kind.split(",") if part.strip()) if kind else (),
        term_months=term_months,
        max_price=max_price,
        available=True if available else None,
        interconnect=interconnect,
        as_of=context.as_of,
        sort=sort,
        limit=shown,
        include_stale=stale,
    )
    with open_market(context.settings, context.clock or context.now) as market:
        answer = query(market, wanted, now=context.now)
    rows = [for_people(row) for row in answer.rows] if output.format == "table" else answer.rows
    warnings = list(answer.warnings)
    if output.format == "table" and answer.total > len(rows):
        warnings.append(f"{len(rows)} of {answer.total:,} offers shown; --limit N shows more")
    output.rows(
        rows, OFFER_COLUMNS, as_of=context.now, warnings=warnings, empty="no offer matches these filters"
    )
    if not rows:
        return ExitCode.NOTHING
    return ExitCode.STALE if answer.stale else ExitCode.OK


def providers(
    ctx: typer.Context,
    everything: bool = typer.Option(
        False, "--all", help="Every source we know, asked or not: state, last success, prices, proof."
    ),
    as_of: str | None = AS_OF,
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """The state of every provider."""
    from warehouse.queries import providers as query

    context = context_of(ctx, as_of)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    if everything:
        return _all_sources(context, output)
    with context.market() as market:
        rows = query(market, now=context.now)
    columns = [
        Column("provider", "provider"),
        Column("title", "title"),
        Column("state", "state"),
        Column("last_good_at", "last good (UTC)"),
        Column("age_hours", "age", right=True, show=age_text),
        Column("offers", "offers", right=True),
        Column("held", "held", right=True),
        Column("last_run_reason", "why", show=lambda text: text if len(text) <= 40 else text[:39] + "…"),
    ]
    output.rows(
        rows, columns, as_of=context.now, empty="no provider has been crawled yet; run: gpufare crawl"
    )
    return ExitCode.OK if rows else ExitCode.NOTHING


def _all_sources(context: Context, output: Output) -> int:
    """Every source: those that answered, those that failed, those that were never asked and why."""
    from gpufare.source_list import read_source_list

    rows = read_source_list(context.settings, now=context.now)
    columns = [
        Column("provider", "source"),
        Column("state_text", "state", min_width=16),
        Column("last_good_at", "last good (UTC)"),
        Column("age_hours", "age", right=True, show=age_text),
        Column("price_kinds", "prices", show=lambda kinds: ", ".join(kinds).replace("_", " ")),
        Column("proof", "proof"),
    ]
    if output.format == "table":
        rows = [{**row, "state_text": _state_text(row)} for row in rows]
    output.rows(rows, columns, as_of=context.now, empty="no source is known: crawlers/spiders is empty")
    return ExitCode.OK if rows else ExitCode.NOTHING


def _state_text(source: dict[str, Any]) -> str:
    """The state, why it is not good, and why the source is not asked any more: one clause each, cut."""
    told = [source["state"], source["reason"] if source["state"] != "good" else None]
    told.append(source["not_asked"] if source["not_asked"] != source["state"] else None)
    text = "; ".join(part for part in told if part)
    return text if len(text) <= STATE_WIDTH else text[: STATE_WIDTH - 1] + "…"


def sql(
    ctx: typer.Context,
    query: str = typer.Argument(..., help="One SELECT statement."),
    as_of: str | None = AS_OF,
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """Run SQL on the published copy; it cannot write, and sees no other file."""
    from warehouse.queries import run_sql

    context = context_of(ctx, as_of)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    with context.market() as market:
        names, rows = run_sql(market, query)
    output.rows(rows, [Column(name, name) for name in names], as_of=context.now, empty="no rows")
    return ExitCode.OK


def age_text(hours: float) -> str:
    """An age in its natural unit: 40 min, 7 h, 12 d."""
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"


def for_people(row: dict[str, Any]) -> dict[str, Any]:
    settled = row["accelerator_id"]
    family = " / ".join(row["candidates"][:2]) + (" …" if len(row["candidates"]) > 2 else "")
    term = f" {row['term_months']}m" if row.get("term_months") else ""
    stock = {True: "yes", False: "no", None: "?"}[row["available"]]
    return {
        **row,
        "accelerator": settled or f"{family} (not stated)",
        "kind": row["price_kind"] + term,
        "where": row["region"] or "-",
        "stock": stock,
        "age": age_text(row["age_hours"]) + ("" if row["state"] in ("ok", "aging") else " !"),
        "instance_type": row["instance_type"] or row["gpu_name_raw"],
    }
