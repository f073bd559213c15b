"""Commands about the market in time: history, changes, index, availability, fair."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import typer

from gpufare.cli.context import Context, context_of, parse_time
from gpufare.cli.options import CSV, JSON
from gpufare.cli.output import Column, Output
from gpufare.exit_codes import ExitCode
from warehouse.errors import UsageError

HISTORY_EXAMPLE = "Example: gpufare history --gpu h100 --kind on_demand,spot --since 2026-01-01"
CHANGES_EXAMPLE = "Example: gpufare changes --since 2026-11-01 --gpu h100 --change repriced"
INDEX_EXAMPLE = "Example: gpufare index --gpu h100 --kind on_demand"
AVAILABILITY_EXAMPLE = "Example: gpufare availability --gpu h100 --gpus 8 --window 7"
FAIR_EXAMPLE = "Example: gpufare fair --gpu h100 --verdict cheap"
GPU = typer.Option(None, "--gpu", help="Accelerator id, family or name.")
PROVIDER = typer.Option(None, "--provider", help="One or several, separated by commas.")
KIND = typer.Option(None, "--kind", help="on_demand,spot,reserved ... separated by commas.")
AS_OF = typer.Option(None, "--as-of", help="A day or a time (UTC) in the past.")
FEWEST_FOR_A_LEVEL = 3
MEDIAN_PROVIDERS = 3
LEVELS_NOTE = (
    "cheapest and median are levels: who is listed changes too; gpufare index follows the same offers"
)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("history", help="The price of one accelerator over time.", epilog=HISTORY_EXAMPLE)(history)
    app.command(
        "changes",
        help="Repriced, new, vanished, restocked and sold-out offers, by money.",
        epilog=CHANGES_EXAMPLE,
    )(changes)
    app.command("index", help="How the market moved: the matched index with its band.", epilog=INDEX_EXAMPLE)(
        index
    )
    app.command(
        "availability",
        help="How often a machine could be had, and for how long.",
        epilog=AVAILABILITY_EXAMPLE,
    )(availability)
    app.command("fair", help="Offers beside the price the rest of the market says.", epilog=FAIR_EXAMPLE)(
        fair
    )


def history(
    ctx: typer.Context,
    gpu: str = typer.Option(..., "--gpu", help="Accelerator id, family or name."),
    provider: str | None = PROVIDER,
    kind: str = typer.Option("on_demand", "--kind", help="One or several, separated by commas."),
    since: str | None = typer.Option(None, "--since", help="First day, 2026-01-31 (default: a year ago)."),
    by: str = typer.Option(
        "day", "--by", help="Rows of tables, JSON and CSV: day (the market), or provider."
    ),
    as_of: str | None = AS_OF,
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """Price per GPU-hour by day: cheapest and median over providers, with counts; a chart on a terminal."""
    from warehouse.price_history import price_series

    if by not in ("day", "provider"):
        raise UsageError(f"--by {by} is not known; use day or provider")
    context, output, moment = _start(ctx, as_of, as_json, as_csv)
    first = parse_time(since, "--since") if since else moment - timedelta(days=365)
    with context.market() as market:
        series = price_series(
            market, gpu=gpu, provider=provider, kind=kind, since=first.date(), until=moment.date()
        )
        rows = _day_rows(market, gpu, provider, kind, first.date(), moment.date()) if by == "day" else []
    if by == "provider":
        rows = [row for line in series if line.provider for row in line.rows()]
    empty = f"no price of {gpu} ({kind}) is known since {first:%Y-%m-%d}"
    if output.format == "table" and output.stdout.isatty() and series:
        output.text("\n".join(_charts(series)))
        output.message(f"note: {LEVELS_NOTE}")
    else:
        notes = [LEVELS_NOTE] if rows else []
        if by == "day" and output.format == "table":  # a median of one or two providers says nothing
            few = {"median_usd_per_gpu_hour": None}
            rows = [row if row["providers"] >= MEDIAN_PROVIDERS else {**row, **few} for row in rows]
        output.rows(rows, _HISTORY_COLUMNS[by], as_of=moment, warnings=notes, empty=empty)
    return ExitCode.OK if series else ExitCode.NOTHING


def changes(
    ctx: typer.Context,
    since: str | None = typer.Option(None, "--since", help="First day (default: yesterday)."),
    gpu: str | None = GPU,
    provider: str | None = PROVIDER,
    kind: str | None = KIND,
    change: str | None = typer.Option(
        None, "--change", help="Only repriced, new, missing, withdrawn, restocked or sold_out."
    ),
    limit: int | None = typer.Option(None, "--limit", help="Rows to show (table: 50; programs: all)."),
    as_of: str | None = AS_OF,
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """What moved between runs, what moves most money first."""
    from warehouse.changes import CHANGES, changes_by_money

    if change is not None and change not in CHANGES:
        raise UsageError(f"--change {change} is not known; use one of {', '.join(CHANGES)}")
    context, output, moment = _start(ctx, as_of, as_json, as_csv)
    first = parse_time(since, "--since") if since else moment - timedelta(days=1)
    shown = _limit(limit, 50, output)
    with context.market() as market:
        found = changes_by_money(
            market,
            since=first,
            gpu=gpu,
            provider=provider,
            kind=kind,
            change=change,
            as_of=moment if as_of else None,
            limit=shown,
        )
    notes = [", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in found.counts.items())]
    if found.rekeyed:
        notes.append(f"{found.rekeyed:,} offers only got another key from their provider: no change")
    empty = f"nothing changed since {first:%Y-%m-%d %H:%M} UTC (a change needs two runs of a provider)"
    rows = [item.row() for item in found.changes]
    output.rows(rows, _CHANGE_COLUMNS, as_of=moment, warnings=[n for n in notes if n], empty=empty)
    return ExitCode.OK if rows else ExitCode.NOTHING


def index(
    ctx: typer.Context,
    gpu: str | None = GPU,
    kind: str | None = KIND,
    days: bool = typer.Option(False, "--days", help="Every day's value instead of the newest."),
    as_of: str | None = AS_OF,
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """The matched index: the same offers followed over time, every provider weighing the same."""
    from warehouse import index as market_index

    context, output, moment = _start(ctx, as_of, as_json, as_csv)
    with context.market() as market:
        if days:
            rows = market_index.index_days(market, gpu=gpu, kind=kind, until=moment.date())
            columns, notes = _INDEX_DAY_COLUMNS, ["an empty value says why: too few matched offers, or held"]
        else:
            news = market_index.latest(market, gpu=gpu, kind=kind, now=context.now, until=moment)
            rows = [answer.row() for answer in news.answers]
            columns, notes = _INDEX_COLUMNS, _index_notes(news)
    what = f"{gpu or 'any accelerator'} ({kind or 'any kind'})"
    empty = f"no index of {what}: it needs 3 providers with 5 offers followed from day to day"
    output.rows(rows, columns, as_of=moment, warnings=notes if rows else notes[-1:], empty=empty)
    if not rows:
        return ExitCode.NOTHING
    return ExitCode.OK if days or min(row["age_days"] for row in rows) <= 14 else ExitCode.STALE


def availability(
    ctx: typer.Context,
    gpu: str | None = GPU,
    gpus: int | None = typer.Option(None, "--gpus", help="GPUs in the machine, exactly."),
    provider: str | None = PROVIDER,
    region: str | None = typer.Option(None, "--region", help="As the provider writes it."),
    kind: str | None = KIND,
    window: int | None = typer.Option(
        None, "--window", help="Days: 1, 7 or 30 (table: 30; programs: all three)."
    ),
    limit: int | None = typer.Option(None, "--limit", help="Rows to show (table: 50; programs: all)."),
    as_of: str | None = AS_OF,
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """Share of polls and days, streaks, and when it could last be had, by machine, provider and region."""
    from warehouse.availability import availability as query

    context, output, moment = _start(ctx, as_of, as_json, as_csv)
    days = window if window is not None else 30 if output.format == "table" else None
    with context.market() as market:
        found = query(
            market,
            gpu=gpu,
            gpus=gpus,
            provider=provider,
            region=region,
            kind=kind,
            window_days=days,
            as_of=moment if as_of else None,
        )
    rows = [item.row() for item in found[: _limit(limit, 50, output)]]
    notes = [f"{len(rows)} of {len(found):,} shown; --limit N shows more"] if len(found) > len(rows) else []
    empty = "no source that was asked in these days states availability for this (unknown is not counted)"
    output.rows(rows, _AVAILABILITY_COLUMNS, as_of=moment, warnings=notes, empty=empty)
    return ExitCode.OK if rows else ExitCode.NOTHING


def fair(
    ctx: typer.Context,
    gpu: str | None = GPU,
    gpus: int | None = typer.Option(None, "--gpus", help="GPUs in the machine, exactly."),
    provider: str | None = PROVIDER,
    kind: str | None = KIND,
    verdict: str | None = typer.Option(None, "--verdict", help="Only cheap, fair or dear offers."),
    limit: int | None = typer.Option(None, "--limit", help="Rows to show (table: 25; programs: all)."),
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """Each offer's price against its fair price with the 80 % band, the furthest below first."""
    from warehouse.fair_price import fair_prices_of
    from warehouse.offer_filter import OfferFilter

    context, output, moment = _start(ctx, None, as_json, as_csv)
    asked = OfferFilter(gpu=gpu, gpus=gpus, provider=provider, kinds=kind, limit=_limit(limit, 25, output))
    with context.market() as market:
        rows = [item.row() for item in fair_prices_of(market, asked, now=moment, verdict=verdict)]
    notes = [
        "fair: what the rest of the market says such a machine costs, with its 80 % band; offers of any age "
        "are compared; a marketplace listing within 35 % is not called cheap"
    ]
    output.rows(
        rows,
        _FAIR_COLUMNS,
        as_of=moment,
        warnings=notes if rows else [],
        empty="no offer that can be judged matches these filters",
    )
    return ExitCode.OK if rows else ExitCode.NOTHING


def _start(
    ctx: typer.Context, as_of: str | None, as_json: bool, as_csv: bool
) -> tuple[Context, Output, datetime]:
    """Settings and clock, the output, and the moment that is asked about."""
    context = context_of(ctx, as_of)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    return context, output, context.now


def _limit(limit: int | None, table: int, output: Output) -> int | None:
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit} is below 1")
    return limit if limit is not None else table if output.format == "table" else None


def _day_rows(
    market: Any, gpu: str, provider: str | None, kind: str, since: date, until: date
) -> list[dict[str, Any]]:
    from warehouse.queries import history as query

    return query(market, gpu=gpu, provider=provider, kind=kind, since=since, until=until)


def _charts(series: list[Any]) -> list[str]:
    """Per price kind: a chart of the market's levels, then a line per provider."""
    from gpufare.cli.plot import line_chart, sparkline

    text: list[str] = []
    for kind in dict.fromkeys(line.price_kind for line in series):
        lines = [line for line in series if line.price_kind == kind]
        days = [point.day for line in lines for point in line.points]
        own = lines[1:]
        fewest = min(FEWEST_FOR_A_LEVEL, len(own))
        whole = [point for point in lines[0].points if point.providers >= fewest]
        text.append(f"{kind}: $ per GPU-hour, {len(own)} providers, {len(whole)} days with {fewest} or more")
        text += line_chart(
            [
                ("median", [(point.day, point.median_usd_per_gpu_hour) for point in whole]),
                ("cheapest", [(point.day, point.cheapest_usd_per_gpu_hour) for point in whole]),
            ]
        )
        text.append("")
        for line in own:
            start, last = line.points[0].median_usd_per_gpu_hour, line.points[-1]
            spark = sparkline(
                [(point.day, point.median_usd_per_gpu_hour) for point in line.points],
                first=min(days),
                last=max(days),
            )
            text.append(
                f"{line.provider:<18} {spark:<24} ${start:>8,.3f} -> ${last.median_usd_per_gpu_hour:>8,.3f}  "
                f"{len(line.points):>4} days, {last.offers:>4} offers, last {last.day}"
            )
        text.append("")
    return text[:-1]


def _index_notes(news: Any) -> list[str]:
    notes = ["80 % bands from a bootstrap over providers; entries and exits are churn, which moves no index"]
    old = [answer for answer in news.answers if answer.age_days > 14]
    if old:
        newest = min(answer.age_days for answer in news.answers)
        notes.append(
            f"{len(old)} values are older than 14 days (the newest {newest} days): run gpufare crawl"
        )
    if news.without:
        _, name, kind, reason = news.without[0]
        count = len(news.without)
        notes.append(f"{count} markets have no value to publish, for example {name} {kind}: {reason}")
    return notes


def _usd(value: float) -> str:
    return f"{value:,.3f}"


def _signed(value: float) -> str:
    return f"{value:+,.1f}"


def _hours(value: float) -> str:
    return f"{value:.0f} h" if value < 48 else f"{value / 24:.0f} d"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


_HISTORY_COLUMNS = {
    "day": [
        Column("day", "day"),
        Column("providers", "providers", right=True),
        Column("offers", "offers", right=True),
        Column("min_usd_per_gpu_hour", "cheapest $/GPU-h", right=True, show=_usd),
        Column("median_usd_per_gpu_hour", "median $/GPU-h", right=True, show=_usd),
    ],
    "provider": [
        Column("provider", "provider"),
        Column("price_kind", "kind"),
        Column("day", "day"),
        Column("offers", "offers", right=True),
        Column("cheapest_usd_per_gpu_hour", "cheapest $/GPU-h", right=True, show=_usd),
        Column("median_usd_per_gpu_hour", "median $/GPU-h", right=True, show=_usd),
    ],
}
_CHANGE_COLUMNS = [
    Column("at", "when (UTC)"),
    Column("change", "change"),
    Column("provider", "provider"),
    Column("instance_type", "instance"),
    Column("accelerator_id", "GPU"),
    Column("gpu_count", "n", right=True),
    Column("region", "region"),
    Column("price_kind", "kind"),
    Column("old_usd_per_gpu_hour", "old $/GPU-h", right=True, show=_usd),
    Column("new_usd_per_gpu_hour", "new $/GPU-h", right=True, show=_usd),
    Column("percent", "%", right=True, show=_signed),
    Column("usd_per_month", "$/month", right=True, show=lambda value: f"{value:+,.0f}"),
    Column("measured_against", "against"),
]
_INDEX_COLUMNS = [
    Column("name", "GPU"),
    Column("price_kind", "kind"),
    Column("day", "day"),
    Column("index_value", "index", right=True, show=lambda value: f"{value:.1f}"),
    Column("change_7d_percent", "7 d %", right=True, show=_signed),
    Column("change_30d_percent", "30 d %", right=True, show=_signed),
    Column("change_30d_percent_p10", "p10", right=True, show=_signed),
    Column("change_30d_percent_p90", "p90", right=True, show=_signed),
    Column("change_90d_percent", "90 d %", right=True, show=_signed),
    Column("change_365d_percent", "365 d %", right=True, show=_signed),
    Column("providers", "providers", right=True),
    Column("matched_offers", "matched", right=True),
    Column("entries_30d", "in 30 d", right=True),
    Column("exits_30d", "out 30 d", right=True),
    Column("median_usd_per_gpu_hour", "median $", right=True, show=_usd),
]
_INDEX_DAY_COLUMNS = [
    Column("name", "GPU"),
    Column("price_kind", "kind"),
    Column("day", "day"),
    Column("index_value", "index", right=True, show=lambda value: f"{value:.2f}"),
    Column("p10", "p10", right=True, show=lambda value: f"{value:.1f}"),
    Column("p90", "p90", right=True, show=lambda value: f"{value:.1f}"),
    Column("jevons", "Jevons", right=True, show=lambda value: f"{value:.2f}"),
    Column("providers", "providers", right=True),
    Column("matched_offers", "matched", right=True),
    Column("entries", "in", right=True),
    Column("exits", "out", right=True),
    Column("suppressed_reason", "why empty"),
]
_AVAILABILITY_COLUMNS = [
    Column("provider", "provider"),
    Column("instance_type", "instance"),
    Column("accelerator_id", "GPU"),
    Column("gpu_count", "n", right=True),
    Column("region", "region"),
    Column("price_kind", "kind"),
    Column("share", "polls", right=True, show=_percent),
    Column("polls", "of", right=True),
    Column("days_available", "days", right=True),
    Column("days", "of", right=True),
    Column("current_state", "now", show=lambda text: text.replace("_", " ")),
    Column("streak_hours", "for", right=True, show=_hours),
    Column("longest_available_hours", "longest free", right=True, show=_hours),
    Column("last_available_at", "last free (UTC)"),
]
_FAIR_COLUMNS = [
    Column("provider", "provider"),
    Column("instance_type", "instance"),
    Column("accelerator_id", "GPU"),
    Column("gpu_count", "n", right=True),
    Column("price_kind", "kind"),
    Column("region", "region"),
    Column("price_usd_per_gpu_hour", "$/GPU-h", right=True, show=_usd),
    Column("fair_usd_per_gpu_hour", "fair", right=True, show=_usd),
    Column("p10_usd_per_gpu_hour", "p10", right=True, show=_usd),
    Column("p90_usd_per_gpu_hour", "p90", right=True, show=_usd),
    Column("percent", "% off fair", right=True, show=_signed),
    Column("verdict", "verdict"),
    Column("basis", "judged by"),
]
