"""Reference jobs answered: plan rows of the recommender turned into finished view models.

The input is what `gpufare recommend --json` prints, so that the page and the terminal cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reports import charts, scatter
from reports import formatting as fmt
from reports.build_views import labels
from reports.market_views import Market
from reports.view_models import Availability, Job, PlanRow

Row = Mapping[str, Any]
FRONT_PLANS = 3
PAGE_PLANS = 12
LAYOUT_WORDS = (("tp", "tensor"), ("pp", "pipeline"), ("dp", "data"), ("ep", "expert"))


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """A reference job and what the recommender said to it.

    Attributes:
        job_id: id and file name of the job's page.
        title: a few words: "Serve Llama 3.1 8B".
        question: the whole question in one sentence.
        task: pretrain, finetune, serve, batch or images.
        command: the command line that asks the same.
        plans: rows of ``recommend --json``, best first.
        refusals: what cannot run, and why.
        warnings: what the reader should know (stale prices, parts not rated).
        ways: rows of ``decide --json``, cheapest first; empty where the question was not asked.
        break_evens: sentences that say where the answer between the ways turns.
    """

    job_id: str
    title: str
    question: str
    task: str
    command: str
    plans: Sequence[Row]
    refusals: Sequence[str] = field(default=())
    warnings: Sequence[str] = field(default=())
    ways: Sequence[Row] = field(default=())
    break_evens: Sequence[str] = field(default=())


def job(market: Market, titles: dict[str, str], answer: JobAnswer, limit: int = PAGE_PLANS) -> Job:
    """One job's view: at most `limit` plans, their cost bands on one axis."""
    serve = answer.task == "serve"
    plans = (_distinct(answer.plans) if limit == FRONT_PLANS else list(answer.plans))[:limit]
    bars = _cost_bars(plans)
    rows = tuple(_plan(market, titles, plan, bars[index], serve) for index, plan in enumerate(plans))
    empty = "" if rows else "Nothing on the market can run this job; the reasons are on its page."
    return Job(
        job_id=answer.job_id,
        title=fmt.clip(answer.title, 80),
        question=fmt.clip(answer.question, 300),
        href=labels.job_href(answer.job_id),
        cost_heading="USD a month" if serve else "USD",
        time_heading="First token, then per token" if serve else "Time",
        time_note="first token, then each" if serve else "",
        plans=rows,
        refusals=tuple(fmt.clip(text, 300) for text in answer.refusals),
        warnings=tuple(fmt.clip(text, 300) for text in answer.warnings),
        trade=_trade(answer, serve),
        command=fmt.clip(answer.command, 300),
        answer=_answer(rows[0], serve) if rows else empty,
        empty=empty,
    )


def _distinct(plans: Sequence[Row]) -> list[Row]:
    """Plans that differ in seller or part go first, so that one marketplace does not fill every place."""
    seen: set[tuple[Any, ...]] = set()
    found: list[Row] = []
    again: list[Row] = []
    for row in plans:
        key = tuple(row.get(name) for name in ("provider", "accelerator_id", "price_kind"))
        (again if key in seen else found).append(row)
        seen.add(key)
    return found + again


def _trade(answer: JobAnswer, serve: bool) -> scatter.Scatter | None:
    """Cost against time of every plan that was answered, with those that nothing beats on both."""
    spots = []
    for row in answer.plans:
        cost, hours = _three(row.get("cost_usd")), _three(row.get("hours"))
        time = row.get("tpot_ms") if serve else hours and hours[1]
        if cost and time and cost[1] > 0:
            part = fmt.clip(str(row.get("accelerator_id") or "not settled"), 24)
            spots.append(
                scatter.Spot(float(time), cost[1], f"{part.split('-')[0].upper()} {row['provider']}")
            )
    best = scatter.front_of(spots, more_x=False)
    each = "cheaper and quicker per token" if serve else "cheaper and sooner"
    return scatter.scatter(
        "pareto-" + fmt.page_name(answer.job_id),
        f"Cost against {'time per token' if serve else 'time'}",
        spots,
        more_x=False,
        x_title="ms per token after the first" if serve else "hours, middle estimate",
        y_title="USD a month" if serve else "USD",
        label=f"{len(best)} of {fmt.plural(len(spots), 'plan')} have none that is {each}:"
        f" from {_spot_words(best[0], serve)} to {_spot_words(best[-1], serve)}."
        if best
        else "",
        named=False,
    )


def _spot_words(spot: scatter.Spot, serve: bool) -> str:
    time = fmt.milliseconds(spot.x) if serve else fmt.duration(spot.x)
    return f"{fmt.dollars(spot.y)}{' a month' if serve else ''} in {time}"


def _plan(
    market: Market, titles: dict[str, str], row: Row, cost_bar: charts.RangeBar | None, serve: bool
) -> PlanRow:
    offer: Row = row.get("offer") or {}
    cost, hours = _three(row.get("cost_usd")), _three(row.get("hours"))
    accelerator = row.get("accelerator_id")
    return PlanRow(
        rank=int(row["rank"]),
        anchor=f"plan-{int(row['rank'])}",
        machine=_machine(market, row, offer),
        accelerator=labels.accelerator_link(market, accelerator),
        provider=labels.provider_link(titles, str(row["provider"])),
        region=fmt.clip(row.get("region") or "region not stated", 28),
        kind=fmt.kind(row["price_kind"], row.get("term_months")),
        cost=fmt.amount(cost[1]) if cost else "not rated",
        cost_range=_range(cost),
        cost_key=cost[1] if cost else 9e15,
        cost_bar=cost_bar,
        time=_time(row, hours, serve),
        time_range=f"{fmt.duration(hours[0])} to {fmt.duration(hours[2])}" if hours and not serve else "",
        memory=_memory(row),
        memory_bar=_memory_bar(row),
        layout=_layout(row),
        precision=fmt.clip(row.get("precision")),
        throughput=fmt.number(row.get("throughput")),
        per_million=""
        if row.get("usd_per_million_tokens") is None
        else fmt.amount(row["usd_per_million_tokens"]),
        availability=_availability(row, offer),
        age=fmt.age(offer.get("age_hours")),
        pareto=bool(row.get("pareto")),
        reasons=tuple(fmt.clip(text, 400) for text in row.get("reasons") or ()),
        source_url=fmt.web_address(offer.get("source_url")),
        run_id=fmt.clip(offer.get("run_id") or "", 40),
        sha=str(offer.get("body_sha256") or "")[:8],
    )


def _range(cost: tuple[float, float, float] | None) -> str:
    """The band in figures; one figure where whole machines leave no band."""
    if cost is None:
        return ""
    low, high = fmt.amount(cost[0]), fmt.amount(cost[2])
    return f"{low} to {high}" if low != high else f"{low} throughout"


def _machine(market: Market, row: Row, offer: Row) -> str:
    """``8 × H100 SXM5 80 GB``, ``2 machines of 8 × H100 SXM5 80 GB``."""
    accelerator = row.get("accelerator_id")
    part = (
        labels.accelerator_title(market, accelerator)
        if accelerator
        else fmt.clip(offer.get("gpu_name_raw"), 32)
    )
    nodes = int(row.get("nodes") or 1)
    gpus = fmt.count(row["gpus_per_node"])
    if nodes == 1 or gpus == "1":
        return f"{nodes if gpus == '1' else gpus} × {part}"
    return f"{nodes:,} machines of {gpus} × {part}"


def _layout(row: Row) -> str:
    layout: Row = row.get("layout") or {}
    parts = [f"{word} {layout[key]}" for key, word in LAYOUT_WORDS if (layout.get(key) or 1) > 1]
    if (row.get("replicas") or 1) > 1:
        parts.append(fmt.plural(int(row["replicas"]), "replica"))
    if layout.get("zero"):
        parts.append(f"ZeRO-{layout['zero']}")
    if layout.get("micro_batch"):
        parts.append(f"micro-batch {layout['micro_batch']}")
    if layout.get("recompute") and layout["recompute"] not in ("none", False):
        parts.append("recompute" if layout["recompute"] is True else f"recompute {layout['recompute']}")
    return ", ".join(parts) or "nothing split"


def _time(row: Row, hours: tuple[float, float, float] | None, serve: bool) -> str:
    if serve:
        first, each = row.get("ttft_ms"), row.get("tpot_ms")
        if first is None and each is None:
            return "not rated"
        return f"{fmt.milliseconds(first)}, {fmt.milliseconds(each)}"
    return fmt.duration(hours[1]) if hours else "not rated"


def _memory(row: Row) -> str:
    used, capacity = row.get("memory_per_gpu_gb"), row.get("memory_capacity_gb")
    if used is None:
        return fmt.UNKNOWN
    return f"{fmt.number(used)} of {fmt.number(capacity)}" if capacity else fmt.number(used)


def _memory_bar(row: Row) -> charts.Bar | None:
    used, capacity = row.get("memory_per_gpu_gb"), row.get("memory_capacity_gb")
    if not used or not capacity:
        return None
    return charts.bar(used, capacity, f"{fmt.number(used)} of {fmt.number(capacity)} GB per GPU", width=64)


def _availability(row: Row, offer: Row) -> Availability:
    said = row.get("availability")
    if isinstance(said, str) and said:
        words = fmt.clip(said, 24)
        if offer.get("state") in ("stale", "expired") and said != "not stated":
            return Availability(fmt.clip(f"was {said}", 24), "unknown")
        return Availability(
            words, "yes" if said.startswith("available") else "no" if said == "sold out" else "unknown"
        )
    return labels.availability({"available": offer.get("available")})


def _cost_bars(plans: Sequence[Row]) -> list[charts.RangeBar | None]:
    """A band for each plan on one axis; None where a plan's cost is not rated."""
    costs = [_three(plan.get("cost_usd")) for plan in plans]
    rated = [cost for cost in costs if cost is not None]
    texts = [
        f"${fmt.amount(low)} to ${fmt.amount(high)}, most likely ${fmt.amount(mid)}"
        for low, mid, high in rated
    ]
    bars = iter(charts.range_bars(rated, texts))
    return [None if cost is None else next(bars, None) for cost in costs]


def _three(value: Any) -> tuple[float, float, float] | None:
    """The (p10, p50, p90) of a row's mapping; None where any of them is not known."""
    if not isinstance(value, Mapping):
        return None
    found = [value.get(key) for key in ("p10", "p50", "p90")]
    if any(item is None for item in found):
        return None
    low, middle, high = (float(item) for item in found if item is not None)
    return low, middle, high


def _answer(best: PlanRow, serve: bool) -> str:
    """The best plan in one sentence."""
    if not best.cost_range:
        return f"{best.machine} at {best.provider.text} can run it; its cost is not rated."
    cost = f"${best.cost} a month" if serve else f"${best.cost} in {best.time}"
    likely = f" (likely ${best.cost_range.replace(' to ', ' to $')})" if " to " in best.cost_range else ""
    return f"{cost} on {best.machine} at {best.provider.text}, {best.kind}{likely}."
