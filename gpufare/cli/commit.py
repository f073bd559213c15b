"""The command commit: how much of a demand to bind for months or years."""

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
    from recommender.commit import CommitAnswer, CommitPlan

WHAT = typer.Argument(None, help="serve (a stream of requests) or machines (so many of them).")
EXAMPLE = (
    "Examples: gpufare commit machines --gpu h100 --gpus 8 --machines 4 --hours-per-day 10; "
    "gpufare commit serve --model llama-3.1-8b --demand trace.csv --spot-ok"
)


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(
        "commit",
        help="How much to commit: on demand, spot, months, years, capacity blocks, for an hourly demand.",
        epilog=EXAMPLE,
    )(commit)


@question_options(limits=True)
def commit(
    ctx: typer.Context,
    what: str | None = WHAT,
    file: str | None = FILE,
    demand: str | None = typer.Option(
        None, "--demand", help="CSV, one row per hour: requests_per_second or machines (24 rows: a day)."
    ),
    machines: float | None = typer.Option(None, "--machines", help="Machines needed [machines]."),
    hours_per_day: float = typer.Option(24, "--hours-per-day", help="Hours of a day in which they are."),
    days_per_week: float = typer.Option(7, "--days-per-week", help="Days of a week in which they are."),
    fall: float | None = typer.Option(None, "--fall", help="Share by which the market falls in a year: 0.2."),
    as_json: bool = JSON,
    as_csv: bool = CSV,
    *,
    workload: dict[str, Any],
    limits: dict[str, Any],
) -> int:
    """The best mix of commitments, break-even and regret."""
    from recommender.commit import commit as plan_commitments

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    if fall is not None and not -1 < fall < 1:
        raise UsageError(f"--fall {fall:g} is not a share of the price a year; example: 0.2")
    asked, constraints, hours = _question(
        what, file, demand, machines, (hours_per_day, days_per_week), workload, limits
    )
    with open_market(context.settings, context.now) as market:
        answer = plan_commitments(
            hours, constraints, market, now=context.now, workload=asked, fall_per_year=fall
        )
    if output.format == "table":
        _show(output, answer, context.now)
    else:
        output.rows(answer.rows(), [], as_of=context.now, warnings=answer.notes)
    return ExitCode.STALE if answer.stale else ExitCode.OK


def _question(
    what: str | None,
    file: str | None,
    demand: str | None,
    machines: float | None,
    week: tuple[float, float],
    workload: dict[str, Any],
    limits: dict[str, Any],
) -> tuple[Any, Any, list[float]]:
    """(workload or None, limits, demand by hour). Raises UsageError."""
    from recommender.demand_trace import read_trace, working_week

    if what == "machines" or (what is None and machines is not None):
        from recommender import Constraints

        given = [name for name, value in workload.items() if value is not None]
        if given:
            raise UsageError(f"--{given[0].replace('_', '-')} does not go with machines; use commit serve")
        if (demand is None) == (machines is None):
            raise UsageError("give --machines N or --demand FILE.csv with a column machines")
        hours = read_trace(demand, "machines") if demand else working_week(machines or 0.0, *week)
        return (
            None,
            Constraints(**{name: value for name, value in limits.items() if value is not None}),
            hours,
        )
    if what not in (None, "serve") or (what is None and file is None):
        raise UsageError("say what is needed: commit serve (a model) or commit machines (a number of them)")
    if machines is not None:
        raise UsageError("--machines does not go with serve; give --requests-per-second or --demand")
    job = read_question(what, file, workload, limits)
    if job.workload.task != "serve":
        raise UsageError(
            f"a {job.workload.task} job ends; commit is about what runs for months: serve or machines"
        )
    if demand is not None:
        return job.workload, job.constraints, read_trace(demand, "requests_per_second")
    return job.workload, job.constraints, working_week(job.workload.peak_rate, *week)


def _show(output: Output, answer: CommitAnswer, now: Any) -> None:
    best = answer.plans[0]
    output.text(wrapped(_headline(best), ""))
    output.text("")
    terms = sorted({int(n) for row in answer.rows() for n in row["committed_machines"]}, reverse=True)
    columns = [
        Column("rank", "#", right=True, min_width=2),
        Column("machine", "machine"),
        Column("gpu", "GPUs"),
        Column("usd", "$/month", right=True),
        Column("demand", "on demand", right=True),
        Column("saving", "saves", right=True),
        *(Column(f"m{n}", f"{n} mo", right=True) for n in terms),
        Column("hours", "hourly h", right=True),
        Column("idle", "idle", right=True),
    ]
    output.rows([_short(row) for row in answer.rows()], columns, as_of=now)
    output.text("\nAbout the first:")
    output.text("\n".join(wrapped(line) for line in _lines(best)))
    for note in answer.notes:
        output.message(wrapped(f"note: {note}", ""))


def _headline(plan: CommitPlan) -> str:
    row = plan.row()
    parts = [f"{count:g} for {months} month(s)" for months, count in row["committed_machines"].items()]
    hourly = row["on_demand_hours_per_month"]
    parts += [f"{hourly:,.0f} machine-hours a month on demand"] if hourly else []
    parts += [f"{row['spot_hours_per_month']:,.0f} on spot"] if row["spot_hours_per_month"] else []
    days = row["capacity_block_days_per_month"]
    parts += [f"{days:,.1f} machine-days a month in capacity blocks"] if days else []
    name = f"{row['provider']} {row['instance_type'] or ''}".strip()
    saving = f", {row['saving']:.0%} under all on demand" if row["saving"] is not None else ""
    parts_of = " or ".join(row["candidates"])
    return (
        f"commit: of up to {row['peak_machines']} x {name} ({row['gpus_per_node']} x {parts_of}) "
        f"{', '.join(parts)}: {usd(row['usd_per_month'])} USD a month{saving}."
    )


def _short(row: dict[str, Any]) -> dict[str, Any]:
    found = {
        "rank": row["rank"],
        "machine": _cut(f"{row['provider']} {row['instance_type'] or ''}".strip(), 26),
        "gpu": _cut(f"{row['gpus_per_node']}x {row['candidates'][0]}", 19),
        "usd": usd(row["usd_per_month"]),
        "demand": "-" if row["on_demand_usd_per_month"] is None else usd(row["on_demand_usd_per_month"]),
        "saving": "-" if row["saving"] is None else f"{row['saving']:.0%}",
        "hours": f"{row['on_demand_hours_per_month'] + row['spot_hours_per_month']:,.0f}",
        "idle": f"{row['idle_share']:.0%}" if row["committed_machines"] else "-",
    }
    return {**found, **{f"m{n}": f"{count:g}" for n, count in row["committed_machines"].items()}}


def _lines(plan: CommitPlan) -> list[str]:
    row = plan.row()
    found = []
    for price in row["prices"]:
        term = f" for {price['term_months']} months" if price["term_months"] else ""
        where = f" in {price['region']}" if price["region"] else ""
        kind = price["price_kind"].replace("_", " ")
        found.append(
            f"{kind}{term}: {price['price_usd_per_hour']:,.4g} USD/h{where}, "
            f"seen {price['age_hours'] / 24:,.0f} days ago; {price['source_url']}"
        )
    for months, share in row["break_even_utilisation"].items():
        fall = row["break_even_fall_per_year"][months]
        limit = "never pays here" if share >= 1 else f"pays from {share:.0%} of the hours on"
        market = (
            "" if fall is None else f"; used always, it pays unless the market falls over {fall:.0%} a year"
        )
        found.append(f"{months} month(s): {limit}{market}")
    if not row["committed_machines"]:
        found.append("nothing is bound: a fall of the market costs this mix nothing")
    for item in row["regret"] if row["committed_machines"] else ():
        found.append(
            f"if the market falls {item['fall_per_year']:.0%} a year, this mix costs "
            f"{usd(item['usd_per_month'])} USD a month more than the best one known beforehand"
        )
    if plan.fall is not None:
        way = "fell" if plan.fall.per_year >= 0 else "rose"
        found.append(
            f"lately on-demand prices of this part {way} {abs(plan.fall.per_year):.0%} a year (median of "
            f"{plan.fall.providers} providers, up to {plan.fall.days} days)"
        )
    return found


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
