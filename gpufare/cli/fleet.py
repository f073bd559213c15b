"""The command fleet: a mix of machines for requests of many sizes and a demand that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from gpufare.cli.answer_text import usd, wrapped
from gpufare.cli.context import context_of
from gpufare.cli.options import CSV, JSON
from gpufare.cli.output import Column, Output
from gpufare.cli.question_options import FILE, question_options, read_question
from gpufare.exit_codes import ExitCode
from gpufare.market import open_market
from warehouse.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from recommender.fleet import FleetAnswer

EXAMPLE = (
    "Example: gpufare fleet --model llama-3.1-8b --requests-per-second 50 --tpot-ms 50 --max-providers 2 "
    "--spike 10 --growth-per-week 0.5"
)


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(
        "fleet",
        help="The cheapest mix of machines and providers for requests of many sizes, peaks and growth.",
        epilog=EXAMPLE,
    )(fleet)


@question_options(limits=True)
def fleet(
    ctx: typer.Context,
    file: str | None = FILE,
    buckets: str | None = typer.Option(
        None, "--buckets", help="CSV of request sizes: input_tokens, output_tokens, share."
    ),
    most: int | None = typer.Option(None, "--max-providers", help="Providers in the fleet, at most."),
    demand: str | None = typer.Option(
        None, "--demand", help="CSV, one row per hour: requests_per_second (24 rows: a day)."
    ),
    spike: float = typer.Option(1.0, "--spike", help="Rate in the spike over the usual rate: 10."),
    spike_hours: float = typer.Option(2.0, "--spike-hours", help="Hours of a day that the spike lasts."),
    growth: float = typer.Option(0.0, "--growth-per-week", help="Growth of the rate a week: 0.5."),
    weeks: float = typer.Option(4.0, "--weeks", help="Weeks that spikes and growth are followed."),
    as_json: bool = JSON,
    as_csv: bool = CSV,
    *,
    workload: dict[str, Any],
    limits: dict[str, Any],
) -> int:
    """The cheapest fleet of machines for a service."""
    from recommender.fleet import fleet as plan_fleet
    from recommender.fleet_demand import assumed_sizes, read_sizes

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    job = read_question(None if file else "serve", file, workload, limits)
    asked = job.workload
    sizes = read_sizes(buckets) if buckets else assumed_sizes(asked.prompt_tokens, asked.answer_tokens)
    rates = _rates(asked.rate, demand, spike, spike_hours, growth, weeks)
    with open_market(context.settings, context.now) as market:
        found = plan_fleet(
            asked, job.constraints, market, now=context.now, sizes=sizes, most_sellers=most, rates=rates
        )
    notes = [] if buckets else ["request sizes assumed around the given means (--buckets FILE.csv)"]
    notes += found.warnings
    if output.format == "table":
        _show(output, found, notes, context.now)
    else:
        output.rows(found.rows(), [], as_of=context.now, warnings=[*_sentences(found), *notes])
    return ExitCode.STALE if found.stale else ExitCode.OK


def _rates(
    rate: float, demand: str | None, spike: float, spike_hours: float, growth: float, weeks: float
) -> list[float]:
    """The demand by the hour, empty where it does not change. Raises UsageError."""
    if demand is not None:
        from recommender.demand_trace import read_trace

        return read_trace(demand, "requests_per_second")
    for name, value, low, high in (
        ("--spike", spike, 1, 1000),
        ("--spike-hours", spike_hours, 0, 24),
        ("--growth-per-week", growth, -0.99, 10),
        ("--weeks", weeks, 0.1, 52),
    ):
        if not low <= value <= high:
            raise UsageError(f"{name} {value:g} must be between {low:g} and {high:g}")
    if spike == 1 and growth == 0:
        return []
    from recommender.fleet_demand import rate_over_time

    return rate_over_time(rate, weeks=weeks, growth_per_week=growth, spike=spike, spike_hours=spike_hours)


def _sentences(found: FleetAnswer) -> list[str]:
    sentences = []
    if found.single_usd_per_month:
        saved = 1 - found.usd_per_month / found.single_usd_per_month
        less = f"{saved:.0%} less" if saved >= 0.005 else "no less"
        sentences.append(
            f"the mix costs {less} than the cheapest fleet of one kind, {found.single} for "
            f"{usd(found.single_usd_per_month)} USD a month"
        )
    else:
        sentences.append("no single kind of machine takes all of these sizes")
    rise = found.following
    if rise is not None:
        sentences.append(
            f"over the {found.hours:,} hours: standing at the peak {usd(rise.peak_usd)} USD; following a "
            f"demand that is known, each rise started {found.delay_hours * 60:.0f} min before, "
            f"{usd(rise.known_usd)} USD"
        )
        sentences.append(
            f"a machine answers {found.delay_hours * 60:.0f} min after its order (boot and weights): if the "
            f"rises are not foreseen, {rise.late_share:.1%} of the requests wait for it, or "
            f"{rise.headroom:.3g} times the rate of the hour must stand by"
        )
    return sentences


def _show(output: Output, found: FleetAnswer, notes: list[str], now: datetime) -> None:
    machines = sum(part.machines for part in found.parts)
    sellers = len({part.group.provider for part in found.parts})
    output.text(
        wrapped(
            f"{machines} machines of {sellers} provider(s) for {found.rate:,.4g} requests/s at the peak: "
            f"{usd(found.usd_per_month)} USD a month around the clock.",
            "",
        )
        + "\n"
    )
    rows = [{**row, "gpu": f"{row['gpus_per_node']}x {row['accelerator_id']}"} for row in found.rows()]
    columns = [
        Column("machines", "n", right=True, min_width=2),
        Column("provider", "provider"),
        Column("instance_type", "machine"),
        Column("gpu", "GPUs"),
        Column("price_kind", "kind"),
        Column("usd_per_month", "$/month", right=True, show=usd),
        Column("share_of_requests", "requests", right=True, show=lambda value: f"{value:.0%}"),
    ]
    output.rows(rows, columns, as_of=now)
    output.text("\nRequests/s by size:")
    names = [f"{part.machines} x {part.group.provider} {part.accelerator_id}" for part in found.parts]
    sizes = [
        {
            "size": f"{size.input_tokens:,} in, {size.output_tokens:,} out",
            "share": f"{size.share:.0%}",
            "by": ", ".join(
                f"{part.served[place]:,.3g} on {name}"
                for part, name in zip(found.parts, names, strict=True)
                if part.served[place] > 0
            ),
        }
        for place, size in enumerate(found.sizes)
    ]
    output.rows(
        sizes,
        [Column("size", "tokens"), Column("share", "share", right=True), Column("by", "served by")],
        as_of=now,
    )
    output.text("")
    for line in _sentences(found):
        output.text(wrapped(line))
    for note in notes:
        output.message(f"note: {note}")
