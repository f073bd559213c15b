"""Availability: who has a machine free, day by day, and how often each machine could be had."""

from __future__ import annotations

from datetime import date, timedelta

from reports import charts, heat, published
from reports import formatting as fmt
from reports.build_views import accelerators, labels
from reports.market_views import Market, Row
from reports.section_models import ShapeRow, Stock, StockRow
from reports.view_models import Link

NOTE = (
    "One cell is one day: the share of the providers that state their stock which had at least one machine"
    " free. An empty cell is a day on which nobody was asked; a provider that never states its stock is not"
    " counted."
)
EMPTY = (
    "Nothing is known of availability yet: no provider that states its stock has been crawled here in the"
    " last 30 days."
)
STATES = {
    "available": ("free", "yes"),
    "unavailable": ("sold out", "no"),
    "not_listed": ("not listed", "no"),
}


def stock(market: Market, titles: dict[str, str], limit: int | None = None) -> Stock:
    """The heat map, families that most providers speak of first."""
    by_day: dict[str, dict[date, Row]] = {}
    for row in published.availability_days(market):
        by_day.setdefault(row["family"], {})[row["day"]] = row
    today = {row["family"]: row for row in published.availability_now(market)}
    names = sorted(set(by_day) | set(today), key=lambda name: _order(by_day.get(name), today.get(name), name))
    last = market.now.date()
    days = [last - timedelta(days=back) for back in range(published.AVAILABILITY_DAYS - 1, -1, -1)]
    rows = tuple(
        _row(market, titles, name, [by_day.get(name, {}).get(day) for day in days], today.get(name))
        for name in names[:limit]
    )
    return Stock(rows, fmt.short_day(days[0]), fmt.short_day(days[-1]), NOTE, "" if rows else EMPTY)


def shapes(market: Market, titles: dict[str, str], limit: int) -> tuple[ShapeRow, ...]:
    """Machines and how often each could be had in 30 days, most often first."""
    rows = published.availability_shapes(market, published.AVAILABILITY_DAYS)[:limit]
    return tuple(_shape(market, titles, row) for row in rows)


def sentence(market: Market, titles: dict[str, str]) -> str:
    """What can be had right now, for those who need a machine tonight; empty where nobody says."""
    rows = [row for row in published.availability_now(market) if row["usd"] is not None]
    if not rows:
        return ""
    order = {group["family"]: index for index, group in reversed(list(enumerate(market.groups)))}
    rows.sort(key=lambda row: (order.get(row["family"], 999), row["family"]))
    told = [
        f"{fmt.family(row['family'])} at {titles.get(row['provider'], row['provider'])}"
        f" (${fmt.unit_price(row['usd'])})"
        for row in rows[:3]
    ]
    return f"Free right now on demand: {fmt.sentence_list(told)}."


def _order(days: dict[date, Row] | None, today: Row | None, name: str) -> tuple[int, int, str]:
    asked = today["asked"] if today else 0
    return (-asked, -sum(row["asked"] for row in (days or {}).values()), name)


def _row(
    market: Market, titles: dict[str, str], name: str, days: list[Row | None], today: Row | None
) -> StockRow:
    known = [row for row in days if row is not None]
    shares = [None if row is None else row["free"] / row["asked"] for row in days]
    with_one = sum(1 for row in known if row["free"])
    shown = fmt.family(name)
    strip = None
    if known:
        label = f"{shown}: a machine was free on {with_one} of {fmt.plural(len(known), 'day')} asked"
        strip = heat.heat_strip("a-" + fmt.page_name(name), shares, label)
    usd = today["usd"] if today else None
    return StockRow(
        name=accelerators.family_link(market, name) or Link(shown, "gpu/index.html"),
        strip=strip,
        free=f"{today['free']} of {today['asked']}" if today else "not asked today",
        free_key=today["free"] if today else -1,
        month=f"{with_one} of {len(known)}" if known else fmt.UNKNOWN,
        month_key=with_one,
        where=labels.provider_link(titles, today["provider"]) if today and usd is not None else None,
        price=fmt.unit_price(usd),
        price_key=9e15 if usd is None else round(usd, 5),
    )


def _shape(market: Market, titles: dict[str, str], row: Row) -> ShapeRow:
    words, state = STATES.get(row["current_state"], (fmt.clip(row["current_state"], 24), "unknown"))
    free = row["offers_available"]
    share = row["share"]
    return ShapeRow(
        provider=labels.provider_link(titles, row["provider"]),
        machine=fmt.clip(row["instance_type"] or f"{fmt.count(row['gpu_count'])} GPUs, marketplace", 40),
        accelerator=labels.accelerator_link(market, row["accelerator_id"]),
        region=fmt.clip(row["region"] or "region not stated", 28),
        kind=fmt.kind(row["price_kind"]),
        share=f"{100 * share:.0f} %",
        share_key=round(share, 4),
        bar=charts.bar(share, 1, f"{row['polls_available']} of {row['polls']} answers said yes"),
        days=f"{row['days_available']} of {row['days']}",
        now=f"{words}, {free:,}" if state == "yes" and (free or 0) > 1 else words,
        state=state,
        last=fmt.moment(row["last_available_at"]) if row["last_available_at"] else "not in 30 days",
    )
