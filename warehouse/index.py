"""The published index: built from the warehouse when the market is published, read from `index_days`.

The arithmetic is in `warehouse.index_method`; here are the panel's way out of the warehouse, the table, and
the question "how did the market move over 7, 30, 90 and 365 days".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from warehouse.database import fetch_dicts, run_script, sql

if TYPE_CHECKING:
    import duckdb

    from warehouse.index_method import IndexSeries

HORIZONS = (7, 30, 90, 365)
"""Days over which the change is told."""
OUT_OF_DATE_DAYS = 14
"""A newest value older than this is shown with a warning: the market was not followed since."""
_LABELS = {"scope": "VARCHAR", "name": "VARCHAR", "price_kind": "VARCHAR"}


@dataclass(frozen=True, slots=True)
class IndexAnswer:
    """The newest index value of one market.

    Attributes:
        scope: accelerator or family.
        name: accelerator id or family.
        price_kind: on_demand, spot ...
        day: day of the value: the newest that may be published.
        age_days: days between it and the day asked for.
        index_value: 100 at `base_day`.
        base_day: the first day of the chain that could be published.
        p10, p90: 80 % band of `index_value` from a bootstrap over providers.
        jevons: the chained Jevons index, same base: a simple check.
        changes: by horizon in days, in ascending order.
        providers, matched_offers: what the value rests on.
        entries_30d, exits_30d: offers that came and went in the 30 days up to `day`: churn, apart from the
            index.
        cheapest_usd_per_gpu_hour, median_usd_per_gpu_hour: levels of the day, which churn moves too.
        suppressed_reason: why a later day has no value (R16); None where `day` is the newest day there is.
    """

    scope: str
    name: str
    price_kind: str
    day: date
    age_days: int
    index_value: float
    base_day: date
    p10: float
    p90: float
    jevons: float | None
    changes: tuple[IndexChange, ...]
    providers: int
    matched_offers: int
    entries_30d: int
    exits_30d: int
    cheapest_usd_per_gpu_hour: float | None
    median_usd_per_gpu_hour: float | None
    suppressed_reason: str | None

    def row(self) -> dict[str, Any]:
        """The answer as one flat record; changes as ``change_30d_percent`` with ``_p10`` and ``_p90``."""
        flat = {name: getattr(self, name) for name in self.__slots__ if name != "changes"}
        for change in self.changes:
            stem = f"change_{change.horizon_days}d_percent"
            flat |= {
                stem: change.percent,
                f"{stem}_p10": change.p10_percent,
                f"{stem}_p90": change.p90_percent,
            }
        return flat


@dataclass(frozen=True, slots=True)
class IndexChange:
    """How far the index moved over a horizon, in per cent, with its 80 % band; None: not known that far
    back.
    """

    horizon_days: int
    percent: float | None
    p10_percent: float | None
    p90_percent: float | None


@dataclass(frozen=True, slots=True)
class IndexNews:
    """Answers of `latest`, and the markets that have none.

    Attributes:
        answers: one per market with a value, families before accelerators, then by name and price kind.
        without: (scope, name, price kind, reason of the newest day) of the others.
    """

    answers: tuple[IndexAnswer, ...]
    without: tuple[tuple[str, str, str, str], ...]


def publish_index(connection: duckdb.DuckDBPyConnection) -> int:
    """Compute the index of every market from the attached warehouse into ``market.index_days``.

    Returns the number of rows. A day's value follows from the observations up to that day alone, so
    publishing again with newer days gives the same values for the older ones.
    """
    import pyarrow as pa

    from warehouse.index_method import FEWEST_MATCHED, FEWEST_PROVIDERS

    run_script(
        connection,
        "index/panel",
        {"fewest_providers": FEWEST_PROVIDERS, "fewest_offers": FEWEST_MATCHED},
    )
    columns: dict[str, list[Any]] = {name: [] for name in (*_LABELS, *_COLUMNS)}
    for labels, series in _all_series(connection):
        _append(columns, labels, series)
    table = pa.table(
        {name: pa.array(values, type=_ARROW_TYPES[kind]()) for (name, kind), values in _typed(columns)}
    )
    connection.register("index_table", table)
    try:
        connection.execute("CREATE TABLE market.index_days AS SELECT * FROM index_table")
    finally:
        connection.unregister("index_table")
    for name in ("index_rows", "index_markets"):
        connection.execute(f"DROP TABLE IF EXISTS {name}")
    return len(table)


def index_days(
    connection: duckdb.DuckDBPyConnection,
    *,
    gpu: str | None = None,
    kind: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> list[dict[str, Any]]:
    """Rows of `index_days`, oldest first per market; suppressed days have no value and say why.

    Args:
        connection: of `open_market`.
        gpu: accelerator id, family or a name that means several; None for all.
        kind: price kind, None for all.
        since, until: first and last day.

    Raises:
        UnknownNameError: a GPU or price kind that is not known.
    """
    parameters = {"since": since, "until": until, "kinds": _kinds(connection, kind), "names": _names(gpu)}
    return fetch_dicts(connection, sql("queries/index_days"), parameters)


def latest(
    connection: duckdb.DuckDBPyConnection,
    *,
    gpu: str | None = None,
    kind: str | None = None,
    now: datetime,
    until: datetime | None = None,
) -> IndexNews:
    """The newest publishable value of each market up to a moment, with its changes, band and counts.

    Args:
        connection: of `open_market`.
        gpu, kind: as of `index_days`.
        now: what ages are counted to.
        until: answer as of this moment instead of now.
    """
    moment = (until or now).astimezone(UTC)
    parameters = {"until": moment.date(), "kinds": _kinds(connection, kind), "names": _names(gpu)}
    rows = fetch_dicts(connection, sql("queries/index_latest"), parameters)
    answers, without = [], []
    for row in rows:
        if row["index_value"] is None:
            without.append(
                (row["scope"], row["name"], row["price_kind"], row["newest_reason"] or "no value yet")
            )
        else:
            answers.append(_answer(row, moment.date()))
    return IndexNews(tuple(answers), tuple(without))


def _answer(row: dict[str, Any], today: date) -> IndexAnswer:
    changes = tuple(
        IndexChange(days, *(row[f"change_{days}d_percent{end}"] for end in ("", "_p10", "_p90")))
        for days in HORIZONS
    )
    return IndexAnswer(
        age_days=(today - row["day"]).days,
        changes=changes,
        suppressed_reason=row["newest_reason"] if row["newest_day"] > row["day"] else None,
        **{
            name: row[name]
            for name in IndexAnswer.__slots__
            if name not in ("age_days", "changes", "suppressed_reason")
        },
    )


def _names(gpu: str | None) -> list[str] | None:
    """Names of `index_days` that a GPU filter means: a family and its parts, or the parts alone."""
    if gpu is None:
        return None
    from warehouse.identify import match_gpu_filter
    from warehouse.reference import accelerators

    parts = list(match_gpu_filter(gpu))
    families = {accelerators()[part].family for part in parts if part in accelerators()}
    whole = {
        family
        for family in families
        if {name for name, part in accelerators().items() if part.family == family} <= set(parts)
    }
    return parts + sorted(whole)


def _kinds(connection: duckdb.DuckDBPyConnection, kind: str | None) -> list[str] | None:
    from warehouse.offer_filter import OfferFilter, checked_names

    return checked_names(connection, OfferFilter(kinds=kind)).get("price_kind")


def _all_series(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[tuple[Any, ...], IndexSeries]]:
    """Market by market: its labels and its computed index."""
    import numpy as np

    from warehouse.index_method import index_series, panel_from_rows

    markets = connection.execute(
        "SELECT scope, name, price_kind FROM index_markets ORDER BY market_no"
    ).fetchall()
    if not markets:
        return
    rows = {
        name: np.ma.getdata(values)
        for name, values in connection.execute(sql("index/rows")).fetchnumpy().items()
    }
    edges = np.searchsorted(rows["market_no"], np.arange(len(markets) + 1))
    for number, labels in enumerate(markets):
        part = slice(int(edges[number]), int(edges[number + 1]))
        panel = panel_from_rows(
            rows["day"][part],
            rows["offer_no"][part],
            rows["provider_no"][part],
            rows["log_price"][part],
            rows["log_usd"][part],
            rows["hold_days"][part],
        )
        yield labels, index_series(panel)


_COLUMNS = {
    "day": "date",
    "segment": "int",
    "base_day": "date",
    "index_value": "float",
    "p10": "float",
    "p90": "float",
    "jevons": "float",
    "providers": "int",
    "matched_offers": "int",
    "offers": "int",
    "entries": "int",
    "exits": "int",
    "cheapest_usd_per_gpu_hour": "float",
    "median_usd_per_gpu_hour": "float",
    "suppressed_reason": "text",
} | {f"change_{days}d_percent{end}": "float" for days in HORIZONS for end in ("", "_p10", "_p90")}


def _append(columns: dict[str, list[Any]], labels: tuple[Any, ...], series: IndexSeries) -> None:
    """Add one market's days to the table's columns; suppressed days carry counts and levels, no value."""
    base: dict[int, int] = {}
    for day in range(len(series.days)):
        segment = int(series.segment[day])
        published = not series.suppressed[day]
        if published:
            base.setdefault(segment, day)
        row = dict(zip(_LABELS, labels, strict=True)) | {
            "day": date.fromordinal(int(series.days[day])),
            "segment": segment,
            "providers": int(series.providers[day]),
            "matched_offers": int(series.matched[day]),
            "offers": int(series.offers[day]),
            "entries": int(series.entries[day]),
            "exits": int(series.exits[day]),
            "cheapest_usd_per_gpu_hour": _known(series.cheapest_usd[day]),
            "median_usd_per_gpu_hour": _known(series.median_usd[day]),
            "suppressed_reason": series.suppressed[day] or None,
        }
        if published:
            row |= _values(series, day, base[segment])
        for name, values in columns.items():
            values.append(row.get(name))


def _values(series: IndexSeries, day: int, base: int) -> dict[str, Any]:
    from warehouse.index_method import change

    value, low, high = change(series, day, base)
    row: dict[str, Any] = {
        "base_day": date.fromordinal(int(series.days[base])),
        "index_value": 100 * math.exp(value),
        "p10": 100 * math.exp(low),
        "p90": 100 * math.exp(high),
        "jevons": _known(100 * math.exp(series.log_jevons[day] - series.log_jevons[base])),
    }
    for horizon in HORIZONS:
        before = _published_before(series, day, horizon)
        if before is not None:
            moves = change(series, day, before)
            for end, move in zip(("", "_p10", "_p90"), moves, strict=True):
                row[f"change_{horizon}d_percent{end}"] = 100 * math.expm1(move)
    return row


def _published_before(series: IndexSeries, day: int, horizon: int) -> int | None:
    """The newest published day of the segment at least `horizon` days back, at most a week (a tenth of a long
    horizon) further back than that."""
    import numpy as np

    wanted = int(series.days[day]) - horizon
    position = int(np.searchsorted(series.days, wanted, side="right")) - 1
    oldest = wanted - max(7, horizon // 10)
    while position >= 0 and series.days[position] >= oldest:
        same = series.segment[position] == series.segment[day]
        if same and not series.suppressed[position]:
            return position
        position -= 1
    return None


def _known(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)


def _typed(columns: dict[str, list[Any]]) -> Iterator[tuple[tuple[str, str], list[Any]]]:
    kinds = {**dict.fromkeys(_LABELS, "text"), **_COLUMNS}
    for name, values in columns.items():
        yield (name, kinds[name]), values


def _arrow(name: str) -> Any:
    def kind() -> Any:
        import pyarrow as pa

        return {"date": pa.date32, "int": pa.int32, "float": pa.float64, "text": pa.string}[name]()

    return kind


_ARROW_TYPES = {name: _arrow(name) for name in ("date", "int", "float", "text")}

__all__ = [
    "HORIZONS",
    "IndexAnswer",
    "IndexChange",
    "IndexNews",
    "index_days",
    "latest",
    "publish_index",
]
