"""Spread over providers and price history: dot strips, sparklines, line charts and their figures."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from reports import charts
from reports import formatting as fmt
from reports.build_views import labels
from reports.market_views import Market, Row
from reports.view_models import History, HistoryRow, Link, Spread, SpreadRow

STRIP_WIDTH = 340
SPARK_WEEKS = 53


def spread(market: Market, limit: int | None = None) -> Spread:
    """On-demand spread of every group with at least one provider, most providers first."""
    medians: dict[str, list[Row]] = {}
    for row in market.provider_medians:
        if row["price_kind"] == "on_demand":
            medians.setdefault(row["group_id"], []).append(row)
    groups = [group for group in market.groups if group["group_id"] in medians]
    groups.sort(key=lambda group: (-len(medians[group["group_id"]]), group["group_id"]))
    chosen = groups[:limit]
    values = [row["median"] for group in chosen for row in medians[group["group_id"]]]
    if not values:
        return Spread((), (), STRIP_WIDTH)
    axis = charts.log_axis(min(values), max(values), width=STRIP_WIDTH)
    rows = tuple(_spread_row(market, group, medians[group["group_id"]], axis) for group in chosen)
    return Spread(rows, axis.ticks, STRIP_WIDTH)


def provider_spread(market: Market, titles: dict[str, str], group_id: str) -> Spread:
    """One accelerator's on-demand prices, a strip per provider (dots: its cheapest and its median)."""
    rows = [
        row for row in market.provider_medians if row["group_id"] == group_id and row["price_kind"] == "on_demand"
    ]
    if not rows:
        return Spread((), (), STRIP_WIDTH)
    axis = charts.log_axis(min(row["low"] for row in rows), max(row["median"] for row in rows), width=STRIP_WIDTH)
    found = []
    for index, row in enumerate(rows):
        link = labels.provider_link(titles, row["provider"])
        label = f"{link.text}: from ${fmt.unit_price(row['low'])}, median ${fmt.unit_price(row['median'])}"
        strip = charts.dot_strip(f"p{index}", [row["low"], row["median"]], row["median"], axis, label)
        assert strip is not None
        found.append(_row(link, fmt.age(row["age_hours"]), strip, row, row["offers"], None))
    return Spread(tuple(found), axis.ticks, STRIP_WIDTH)


def history(
    name: str, link: Link | None, rows: Sequence[Row], chart_id: str, *, empty: str, width: int = 360, height: int = 150
) -> History:
    """A history chart of weekly levels: median over providers with the middle half as band."""
    if len(rows) < 2:
        return History(name, link, None, (), empty)
    first, last = rows[0], rows[-1]
    label = (
        f"{name}: the median provider asks ${fmt.unit_price(last['median'])} per GPU-hour on {fmt.day(last['week'])},"
        f" ${fmt.unit_price(first['median'])} on {fmt.day(first['week'])}"
    )
    chart = charts.line_chart(
        chart_id,
        name,
        [row["week"] for row in rows],
        [row["median"] for row in rows],
        [row["q25"] for row in rows],
        [row["q75"] for row in rows],
        label,
        width=width,
        height=height,
    )
    return History(name, link, chart, tuple(_history_row(row) for row in _monthly(rows)), empty)


def trend(market: Market, group: Row, name: str) -> charts.Sparkline | None:
    """A year of the accelerator's weekly on-demand median, its family's where it has none of its own."""
    key = group["accelerator_id"]
    rows = market.accelerator_history.get((key, "on_demand"), []) if key else []
    if len(rows) < 8 and group["accelerator_id"] is None:
        rows = market.family_history.get((group["family"], "on_demand"), [])
    if len(rows) < 8:
        return None
    first, last = rows[0], rows[-1]
    label = (
        f"{name}: ${fmt.unit_price(first['median'])} on {fmt.day(first['week'])},"
        f" ${fmt.unit_price(last['median'])} on {fmt.day(last['week'])}"
    )
    return charts.sparkline([row["median"] for row in rows[-SPARK_WEEKS:]], label)


def _spread_row(market: Market, group: Row, rows: list[Row], axis: charts.Axis) -> SpreadRow:
    link, remark = labels.group_link(market, group)
    values = [row["median"] for row in rows]
    middle = median(values)
    label = (
        f"{link.text}: {fmt.plural(len(values), 'provider')}, ${fmt.unit_price(min(values))} to"
        f" ${fmt.unit_price(max(values))}, median ${fmt.unit_price(middle)} per GPU-hour"
    )
    strip = charts.dot_strip("s-" + fmt.page_name(group["group_id"]), values, middle, axis, label)
    assert strip is not None
    summary = {"low": min(values), "median": middle, "high": max(values)}
    return _row(link, remark, strip, summary, len(values), trend(market, group, link.text))


def _row(
    link: Link, remark: str, strip: charts.DotStrip, row: Row, providers: int, line: charts.Sparkline | None
) -> SpreadRow:
    high = row.get("high", row["median"])
    return SpreadRow(
        accelerator=link,
        remark=remark,
        strip=strip,
        low=fmt.unit_price(row["low"]),
        median=fmt.unit_price(row["median"]),
        high=fmt.unit_price(high),
        low_key=round(row["low"], 6),
        median_key=round(row["median"], 6),
        high_key=round(high, 6),
        providers=providers,
        trend=line,
    )


def _monthly(rows: Sequence[Row]) -> list[Row]:
    """The last week of each month, newest first."""
    months = {(row["week"].year, row["week"].month): row for row in rows}
    return list(months.values())[::-1]


def _history_row(row: Row) -> HistoryRow:
    return HistoryRow(
        fmt.day(row["week"]),
        fmt.unit_price(row["low"]),
        fmt.unit_price(row["median"]),
        f"{fmt.unit_price(row['q25'])} to {fmt.unit_price(row['q75'])}",
        row["providers"],
    )
