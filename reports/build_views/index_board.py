"""The market index: newest values, moves with their bands, churn, and its charts."""

from __future__ import annotations

from collections.abc import Sequence

from reports import charts, published
from reports import formatting as fmt
from reports.build_views import accelerators, labels
from reports.market_views import Market, Row
from reports.section_models import IndexBoard, IndexRow, Move
from reports.view_models import History, HistoryRow, Link

UNIT = "index, 100 on its first day"
YEAR_DAYS = 372
OLD_DAYS = 2
NOTE = (
    "What the same offers cost against an earlier day, so that a provider who comes or goes moves nothing;"
    " a provider counts once, however many regions it has. In brackets the 80 % band. Came and went counts"
    " the offers of 30 days that the index leaves out."
)
NONE = (
    "There is no index yet: it needs the same offers of at least three providers on two days. It grows with"
    " every crawl."
)


def board(market: Market, limit: int | None = None, scopes: Sequence[str] = ("family",)) -> IndexBoard:
    """Rows of the newest values, those with most matched offers first."""
    found = [row for row in published.index_latest(market) if row["scope"] in scopes]
    lines = published.index_line(market, YEAR_DAYS)
    rows = tuple(_row(market, row, lines.get((row["scope"], row["name"]), [])) for row in found[:limit])
    horizons = tuple(f"{days} days" for days in published.INDEX_MOVES)
    return IndexBoard(rows, horizons, NOTE, _without(market, scopes), "" if rows else NONE)


def line_of(market: Market, scope: str, name: str) -> Row | None:
    """The newest value of one market; None where there is none."""
    found = published.index_latest(market)
    return next((row for row in found if row["scope"] == scope and row["name"] == name), None)


def index_charts(market: Market, limit: int, scope: str = "family") -> tuple[History, ...]:
    """Line charts of the markets with most behind them, a year back, with their bands."""
    lines = published.index_line(market, YEAR_DAYS)
    found: list[History] = []
    for row in published.index_latest(market):
        points = lines.get((row["scope"], row["name"]), [])
        if row["scope"] == scope and len(points) > 3 and len(found) < limit:
            found.append(_chart(market, row, points))
    return tuple(found)


def sentence(market: Market) -> str:
    """How the broadest market moved, over the longest horizon that is known; empty without an index."""
    families = [row for row in published.index_latest(market) if row["scope"] == "family"]
    for row in families:
        told = [(days, row[f"change_{days}d_percent"]) for days in (365, 90, 30, 7)]
        known = [(days, move) for days, move in told if move is not None]
        if known:
            return _moved(row, known, len(families) > 1)
    return ""


def _moved(row: Row, known: list[tuple[int, float]], first: bool) -> str:
    parts = [f"{_move_words(move)} over {days} days" for days, move in known[:2]]
    low, high = (row[f"change_{known[0][0]}d_percent_{end}"] for end in ("p10", "p90"))
    band = "" if low is None else f" (80 % band {fmt.percent(low / 100)} to {fmt.percent(high / 100)})"
    return (
        f"Like for like, {fmt.family(row['name'])} prices on demand moved {parts[0]}{band}"
        f"{f' and {parts[1]}' if len(parts) > 1 else ''}, up to {fmt.day(row['day'])}."
    )


def _move_words(percent: float) -> str:
    return "by less than 0.05 %" if abs(percent) < 0.05 else fmt.percent(percent / 100)


def _row(market: Market, row: Row, points: Sequence[Row]) -> IndexRow:
    link = _link(market, row)
    came, went = int(row["entries_30d"] or 0), int(row["exits_30d"] or 0)
    value = row["index_value"]
    return IndexRow(
        name=link,
        remark=_remark(market, row),
        value=f"{value:.1f}",
        value_key=round(value, 3),
        spark=_spark(link.text, points),
        moves=tuple(_move(row, days) for days in published.INDEX_MOVES),
        providers=row["providers"],
        matched=row["matched_offers"],
        churn=f"{came:,} and {went:,}",
        churn_key=came + went,
        median=fmt.unit_price(row["median_usd_per_gpu_hour"]),
        median_key=round(row["median_usd_per_gpu_hour"] or 9e15, 5),
    )


def _link(market: Market, row: Row) -> Link:
    if row["scope"] == "accelerator":
        return labels.accelerator_link(market, row["name"]) or Link(row["name"], "gpu/index.html")
    return accelerators.family_link(market, row["name"]) or Link(fmt.family(row["name"]), "gpu/index.html")


def _remark(market: Market, row: Row) -> str:
    """The value's day where it is not of today, and why nothing newer is published."""
    old = (market.now.date() - row["day"]).days
    if old <= OLD_DAYS:
        return ""
    return f"as of {fmt.day(row['day'])}"


def _move(row: Row, days: int) -> Move:
    stem = f"change_{days}d_percent"
    move, low, high = row[stem], row[f"{stem}_p10"], row[f"{stem}_p90"]
    if move is None:
        return Move(fmt.UNKNOWN, "", 0.0, "")
    band = "" if low is None else f"({fmt.percent(low / 100)} to {fmt.percent(high / 100)})"
    clear = abs(move) >= 0.05 and low is not None and (low > 0 or high < 0)
    return Move(
        fmt.percent(move / 100), band, round(move, 3), ("up" if move > 0 else "down") if clear else ""
    )


def _spark(name: str, points: Sequence[Row]) -> charts.Sparkline | None:
    if len(points) < 3:
        return None
    first, last = points[0], points[-1]
    label = (
        f"{name}: index {fmt.number(first['index_value'], 4)} on {fmt.day(first['day'])},"
        f" {fmt.number(last['index_value'], 4)} on {fmt.day(last['day'])}"
    )
    return charts.sparkline([row["index_value"] for row in points], label, width=80)


def _chart(market: Market, row: Row, points: Sequence[Row]) -> History:
    name = fmt.family(row["name"]) if row["scope"] == "family" else _link(market, row).text
    label = (
        f"{name}: index {fmt.number(points[-1]['index_value'], 4)} on {fmt.day(points[-1]['day'])},"
        f" 80 % band {fmt.number(points[-1]['p10'], 4)} to {fmt.number(points[-1]['p90'], 4)};"
        f" {fmt.number(points[0]['index_value'], 4)} on {fmt.day(points[0]['day'])}"
    )
    drawn = [
        charts.Point(item["day"], item["index_value"], True, (item["p10"], item["p90"])) for item in points
    ]
    chart = charts.line_chart("i-" + fmt.page_name(row["name"]), name, drawn, label, unit=UNIT)
    return History(name, _link(market, row), chart, _figures(points), "", UNIT)


def _figures(points: Sequence[Row]) -> tuple[HistoryRow, ...]:
    """The last value of each month, newest first."""
    months = {(row["day"].year, row["day"].month): row for row in points}
    return tuple(
        HistoryRow(
            fmt.day(row["day"]),
            fmt.number(row["index_value"], 4),
            "",
            f"{fmt.number(row['p10'], 4)} to {fmt.number(row['p90'], 4)}",
            row["providers"],
        )
        for row in list(months.values())[::-1]
    )


def _without(market: Market, scopes: Sequence[str]) -> str:
    """How many markets have no value, and the usual reason."""
    if not published.has_table(market, "index_days"):
        return ""
    rows = market.rows(
        """SELECT count(*) AS markets FROM (SELECT scope, name FROM index_days WHERE price_kind = 'on_demand'
           AND list_contains(?, scope) GROUP BY scope, name HAVING count(index_value) = 0)""",
        [list(scopes)],
    )
    number = rows[0]["markets"]
    if not number:
        return ""
    have = "has" if number == 1 else "have"
    return (
        f"{fmt.plural(number, 'market')} {have} no value: fewer than three providers with the same offer on"
        " two days."
    )
