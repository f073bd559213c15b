"""Spread over providers and price history: dot strips, sparklines, line charts and their figures."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from reports import charts
from reports import formatting as fmt
from reports.build_views import labels
from reports.levels import BAND_PROVIDERS, WeekLevel
from reports.market_views import Market, Row
from reports.view_models import History, HistoryRow, Link, Spread, SpreadRow

STRIP_WIDTH = 340
SPARK_WEEKS = 8


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
        row
        for row in market.provider_medians
        if row["group_id"] == group_id and row["price_kind"] == "on_demand"
    ]
    if not rows:
        return Spread((), (), STRIP_WIDTH)
    axis = charts.log_axis(
        min(row["low"] for row in rows), max(row["median"] for row in rows), width=STRIP_WIDTH
    )
    found = []
    for index, row in enumerate(rows):
        link = labels.provider_link(titles, row["provider"])
        label = f"{link.text}: from ${fmt.unit_price(row['low'])}, median ${fmt.unit_price(row['median'])}"
        strip = charts.dot_strip(f"p{index}", [row["low"], row["median"]], row["median"], axis, label)
        assert strip is not None
        found.append(_row(link, f"seen {fmt.age(row['age_hours'])} ago", strip, row, row["offers"], None))
    return Spread(tuple(found), axis.ticks, STRIP_WIDTH)


def history(
    name: str,
    link: Link | None,
    levels: Sequence[WeekLevel],
    chart_id: str,
    *,
    empty: str,
    width: int = 360,
    height: int = 150,
) -> History:
    """A history chart: the matched level, the middle half of providers as band where there are enough."""
    if len(levels) < 2:
        return History(name, link, None, (), empty)
    first, last = levels[0], levels[-1]
    label = (
        f"{name}: the level is ${fmt.unit_price(last.level)} per GPU-hour on {fmt.day(last.week)},"
        f" ${fmt.unit_price(first.level)} on {fmt.day(first.week)}"
    )
    points = [
        charts.Point(
            item.week,
            item.level,
            item.solid,
            (item.q25, item.q75) if item.providers >= BAND_PROVIDERS else None,
        )
        for item in levels
    ]
    chart = charts.line_chart(chart_id, name, points, label, width=width, height=height)
    return History(name, link, chart, tuple(_history_row(item) for item in _monthly(levels)), empty)


def trend(market: Market, group: Row, name: str) -> charts.Sparkline | None:
    """A year of the accelerator's weekly on-demand level; its family's where the part is not settled."""
    key = group["accelerator_id"]
    history = market.accelerator_history if key else market.family_history
    levels = history.get((key or group["family"], "on_demand"), [])
    if len(levels) < SPARK_WEEKS:
        return None
    first, last = levels[0], levels[-1]
    label = (
        f"{name}: ${fmt.unit_price(first.level)} on {fmt.day(first.week)},"
        f" ${fmt.unit_price(last.level)} on {fmt.day(last.week)}"
    )
    return charts.sparkline([item.level for item in levels], label)


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
    high = float(row["high"] if "high" in row else row["median"])
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


def _monthly(levels: Sequence[WeekLevel]) -> list[WeekLevel]:
    """The last week of each month, newest first."""
    months = {(item.week.year, item.week.month): item for item in levels}
    return list(months.values())[::-1]


def _history_row(item: WeekLevel) -> HistoryRow:
    return HistoryRow(
        fmt.day(item.week),
        fmt.unit_price(item.level),
        fmt.unit_price(item.low),
        f"{fmt.unit_price(item.q25)} to {fmt.unit_price(item.q75)}",
        item.providers,
    )
