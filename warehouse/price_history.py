"""Price levels over time, provider by provider: what a chart draws. Levels, not an index.

A provider's cheapest and median offer of a day say what one would have paid; who is listed changes from day
to day, so their movement is not the market's (`warehouse.index` is).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING, Any

from warehouse.database import fetch_dicts, sql
from warehouse.offer_filter import Names, OfferFilter, checked_names

if TYPE_CHECKING:
    import duckdb

HELD_DAYS = 10
"""A provider counts in the market's level with its newest day of so many: sources may be weekly."""


@dataclass(frozen=True, slots=True)
class LevelPoint:
    """One day: cheapest and median USD per GPU-hour over `offers` offers (of `providers` providers)."""

    day: date
    cheapest_usd_per_gpu_hour: float
    median_usd_per_gpu_hour: float
    offers: int
    providers: int


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """The levels of one provider (None: the whole market, median over the providers' medians) and price
    kind.
    """

    provider: str | None
    price_kind: str
    points: tuple[LevelPoint, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One record a day."""
        return [
            {
                "provider": self.provider,
                "price_kind": self.price_kind,
                **{name: getattr(point, name) for name in point.__slots__},
            }
            for point in self.points
        ]


def price_series(
    connection: duckdb.DuckDBPyConnection,
    *,
    gpu: str,
    provider: Names = None,
    kind: Names = None,
    since: date | None = None,
    until: date | None = None,
) -> list[PriceSeries]:
    """Per price kind the whole market first, then each provider, by name; days oldest first.

    A price whose part is not settled counts where all that it may be is asked for ("h100", not
    "h100-sxm5-80gb"). The bundled history is weekly, own crawls are daily.

    Raises:
        UnknownNameError: a GPU, provider or price kind that is not known.
    """
    from warehouse.identify import match_gpu_filter

    names = checked_names(connection, OfferFilter(provider=provider, kinds=kind))
    parameters = {
        "parts": list(match_gpu_filter(gpu)),
        "providers": names.get("provider"),
        "kinds": names.get("price_kind"),
        "since": since,
        "until": until,
    }
    rows = fetch_dicts(connection, sql("queries/price_series"), parameters)
    series: list[PriceSeries] = []
    for price_kind, of_kind in groupby(rows, key=lambda row: str(row["price_kind"])):
        own = []
        for name, days in groupby(of_kind, key=lambda row: str(row["provider"])):
            points = (LevelPoint(**{field: row[field] for field in LevelPoint.__slots__}) for row in days)
            own.append(PriceSeries(name, price_kind, tuple(points)))
        series += [PriceSeries(None, price_kind, _market(own)), *own]
    return series


def _market(series: list[PriceSeries]) -> tuple[LevelPoint, ...]:
    """The market's level on each day on which anything was seen, from each provider's newest `HELD_DAYS`."""
    by_day: dict[date, dict[str, LevelPoint]] = {}
    for line in series:
        for point in line.points:
            by_day.setdefault(point.day, {})[line.provider or ""] = point
    held: dict[str, LevelPoint] = {}
    points = []
    for day in sorted(by_day):
        held |= by_day[day]
        held = {name: point for name, point in held.items() if day - point.day <= timedelta(days=HELD_DAYS)}
        points.append(
            LevelPoint(
                day=day,
                cheapest_usd_per_gpu_hour=min(point.cheapest_usd_per_gpu_hour for point in held.values()),
                median_usd_per_gpu_hour=median(point.median_usd_per_gpu_hour for point in held.values()),
                offers=sum(point.offers for point in held.values()),
                providers=len(held),
            )
        )
    return tuple(points)
