"""Price against performance: what a unit of compute, bandwidth and memory costs on each accelerator."""

from __future__ import annotations

from dataclasses import dataclass

from reports import charts, scatter
from reports import formatting as fmt
from reports.build_views import labels
from reports.market_views import Market, Row
from reports.section_models import Value, ValueRow
from reports.view_models import Link

GB_PER_TB = 1000
TFLOPS_PER_PFLOPS = 1000
EMPTY = "There is nothing to compare: no accelerator with known rates has an on-demand price."


@dataclass(frozen=True, slots=True)
class Rated:
    """One group at its best on-demand price with the rates of its slowest candidate; None: not known.

    Attributes:
        row: the best buy. name, remark: as on every page.
        tflops: dense bf16. bandwidth: GB/s. memory: GB.
    """

    row: Row
    name: Link
    remark: str
    tflops: float | None
    bandwidth: float | None
    memory: float | None

    @property
    def usd(self) -> float:
        """USD per GPU-hour."""
        return float(self.row["price_usd_per_gpu_hour"])

    def cost_of(self, rate: float | None, unit: float = 1.0) -> float | None:
        """USD per hour for `unit` of a rate; None where the rate is not known."""
        return self.usd / rate * unit if rate else None


def value(market: Market, titles: dict[str, str], limit: int | None = None) -> Value:
    """Every part with an on-demand price by what its compute costs, and the two frontiers."""
    rated = _rated(market)
    by_compute = sorted(rated, key=lambda part: (part.cost_of(part.tflops) or 9e15, part.name.text))
    best = _best_names(rated)
    most = max((part.cost_of(part.tflops, TFLOPS_PER_PFLOPS) or 0 for part in by_compute[:limit]), default=0)
    rows = tuple(_row(titles, part, best, most) for part in by_compute[:limit])
    more = f"All {len(rated)} accelerators" if limit is not None and len(rated) > limit else ""
    return Value(rows, _charts(rated), _sentence(by_compute), more, "" if rows else EMPTY)


def _rated(market: Market) -> list[Rated]:
    found = []
    groups = {group["group_id"]: group for group in market.groups}
    for row in market.best:
        group = groups.get(row["group_id"])
        if row["price_kind"] != "on_demand" or group is None:
            continue
        names = [group["accelerator_id"]] if group["accelerator_id"] else list(group["candidates"] or [])
        parts = [market.accelerators[name] for name in names if name in market.accelerators]
        if not parts:
            continue
        link, remark = labels.group_link(market, group)
        slowest = [
            _least(parts, key) for key in ("dense_bf16_tflops", "memory_bandwidth_gb_per_s", "memory_gb")
        ]
        found.append(Rated(row, link, remark, *slowest))
    return found


def _least(parts: list[Row], key: str) -> float | None:
    values = [part[key] for part in parts]
    return None if any(value is None for value in values) else float(min(values))


def _best_names(rated: list[Rated]) -> set[str]:
    """Ids of groups that nothing beats in compute or in bandwidth for its price."""
    found: set[str] = set()
    for rate in ("tflops", "bandwidth"):
        spots = [
            scatter.Spot(getattr(part, rate), part.usd, part.row["group_id"])
            for part in rated
            if getattr(part, rate)
        ]
        found |= {spot.name for spot in scatter.front_of(spots, more_x=True)}
    return found


def _charts(rated: list[Rated]) -> tuple[scatter.Scatter, ...]:
    wanted = (
        ("tflops", "Compute", "dense bf16 TFLOPS of one GPU"),
        ("bandwidth", "Memory bandwidth", "GB/s of one GPU"),
    )
    found = []
    for rate, title, unit in wanted:
        spots = [
            scatter.Spot(getattr(part, rate), part.usd, _short(part.name.text))
            for part in rated
            if getattr(part, rate)
        ]
        names = [spot.name for spot in scatter.front_of(spots, more_x=True)]
        label = f"Nothing gives more {title.lower()} for less: {fmt.sentence_list(names)}."
        chart = scatter.scatter(
            f"v-{rate}",
            f"{title} against price",
            spots,
            more_x=True,
            x_title=unit,
            y_title="USD per GPU-hour",
            label=label,
            width=560,
            height=300,
        )
        if chart is not None:
            found.append(chart)
    return tuple(found)


def _short(name: str) -> str:
    """The name without its memory, for a label inside a chart."""
    words = name.removeprefix("Instinct ").removeprefix("GeForce ").removesuffix(" (per GPU)").split(" ")
    name = " ".join(words)
    return " ".join(words[:-2]) if len(words) > 3 and words[-1] == "GB" else name


def _row(titles: dict[str, str], part: Rated, best: set[str], most: float) -> ValueRow:
    compute = part.cost_of(part.tflops, TFLOPS_PER_PFLOPS)
    bandwidth = part.cost_of(part.bandwidth, GB_PER_TB)
    memory = part.cost_of(part.memory)
    bar = None
    if compute is not None:
        bar = charts.bar(compute, most, f"${fmt.unit_price(compute)} per dense bf16 PFLOPS-hour", width=70)
    return ValueRow(
        accelerator=part.name,
        remark=part.remark,
        front=part.row["group_id"] in best,
        price=fmt.unit_price(part.usd),
        price_key=round(part.usd, 5),
        where=labels.provider_link(titles, part.row["provider"]),
        age=fmt.age(part.row["age_hours"]),
        compute=fmt.unit_price(compute) if compute is not None else "not rated",
        compute_key=9e15 if compute is None else round(compute, 5),
        compute_bar=bar,
        bandwidth=fmt.unit_price(bandwidth) if bandwidth is not None else "not rated",
        bandwidth_key=9e15 if bandwidth is None else round(bandwidth, 5),
        memory=fmt.unit_price(memory) if memory is not None else "not rated",
        memory_key=9e15 if memory is None else round(memory, 6),
    )


def _sentence(by_compute: list[Rated]) -> str:
    """The best of each measure in one sentence."""
    measures = (
        ("tflops", TFLOPS_PER_PFLOPS, "a dense bf16 PFLOPS for an hour"),
        ("bandwidth", GB_PER_TB, "a TB/s of bandwidth"),
        ("memory", 1, "a GB of memory"),
    )
    told = []
    for rate, unit, words in measures:
        known = [part for part in by_compute if getattr(part, rate)]
        if known:
            best = min(known, key=lambda part: part.cost_of(getattr(part, rate)) or 9e15)
            cost = best.cost_of(getattr(best, rate), unit)
            told.append(f"{words} on the {best.name.text} (${fmt.unit_price(cost)})")
    return f"Cheapest at today’s best on-demand prices: {fmt.sentence_list(told)}." if told else ""
