"""The published tables that a market may lack: index, fair prices, availability, token prices.

A copy of an older gpufare, or a small one made for a test, does not have every table. Then the answer is
empty and the page says so in a sentence.
"""

from __future__ import annotations

from datetime import timedelta

from reports.market_views import Market, Row, read_sql

INDEX_MOVES = (7, 30, 90, 365)
AVAILABILITY_DAYS = 30


def has_table(market: Market, name: str) -> bool:
    """Whether the copy has the table."""
    return name in market.tables


def index_latest(market: Market) -> list[Row]:
    """The newest published value of each on-demand market, families before parts, most matched offers first.

    Columns of `index_days`, and entries_30d, exits_30d (offers that came and went in the 30 days before),
    newest_day and newest_reason (why a later day has no value).
    """
    return market.rows(read_sql("index_latest")) if has_table(market, "index_days") else []


def index_line(market: Market, days: int) -> dict[tuple[str, str], list[Row]]:
    """Published days (day, index_value, p10, p90, providers) of the newest chain, by scope and name.

    On demand only; at most `days` back from each market's newest value; at most one point a week before the
    last 30 days, so that a year stays a small picture.
    """
    if not has_table(market, "index_days"):
        return {}
    found: dict[tuple[str, str], list[Row]] = {}
    for row in market.rows(read_sql("index_lines"), [days]):
        found.setdefault((row["scope"], row["name"]), []).append(row)
    return found


def availability_days(market: Market) -> list[Row]:
    """Per family and day of the last 30: providers that say whether they have a machine, and that had one.

    Read from the validity spans of our own runs: a span speaks for every day from `valid_from` to
    `last_seen`. Columns: family, day, asked, free.
    """
    if not has_table(market, "spans") or not has_table(market, "offer_keys"):
        return []
    since = (market.now - timedelta(days=AVAILABILITY_DAYS - 1)).date()
    return market.rows(read_sql("availability_days"), [since, market.now.date()])


def availability_now(market: Market) -> list[Row]:
    """Per family: providers that state stock today, that have some, and the cheapest that can be had."""
    return market.rows(read_sql("availability_now"))


def availability_shapes(market: Market, window_days: int) -> list[Row]:
    """Rows of the published table `availability` for one window, most often available first."""
    if not has_table(market, "availability"):
        return []
    return market.rows(read_sql("availability_shapes"), [window_days])
