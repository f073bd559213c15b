"""What moved between runs, and what it means in money.

An exchange rate is no repricing (both sides are in the provider's own currency, then in dollars at one
rate), a new key for the same offer is no new offer (R8), what a compiled catalogue says of a cloud is news
only where that cloud has no runs of its own, and a provider's first run is no news at all.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from warehouse.database import fetch_dicts, sql
from warehouse.offer_filter import Names, OfferFilter, checked_names
from warehouse.units import HOURS_PER_MONTH

if TYPE_CHECKING:
    import duckdb

CHANGES = ("repriced", "new", "missing", "withdrawn", "restocked", "sold_out")


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one offer. Money: what a renter of this machine pays more (+) or less (-).

    Attributes:
        at: when it was seen (UTC).
        change: one of `CHANGES`; missing: gone from the last good run, withdrawn: from three in a row.
        provider, instance_type, accelerator_id, candidates, family, gpu_count, region, price_kind,
            term_months, kind, crawler, offer_id: of the offer.
        old_usd_per_gpu_hour, new_usd_per_gpu_hour: before and after; None where there is no such side.
        next_cheapest_usd_per_gpu_hour: the cheapest other offer of the same accelerator, count, kind and
            term.
        usd_per_gpu_hour: repriced: new - old. New and restocked: what it is cheaper than the next cheapest,
            else 0. Missing, withdrawn and sold out: what the next cheapest costs more, else 0. None: nothing
            to compare with.
        usd_per_month: the same for the whole machine over 730 hours.
        percent: the same against the old price, or against the price compared with.
        measured_against: "own price" or "next cheapest".
        rekeyed: the provider gave the offer another key at the same moment.
    """

    at: datetime
    change: str
    provider: str
    instance_type: str | None
    accelerator_id: str | None
    candidates: list[str]
    family: str | None
    gpu_count: float
    region: str | None
    price_kind: str
    term_months: int | None
    old_usd_per_gpu_hour: float | None
    new_usd_per_gpu_hour: float | None
    next_cheapest_usd_per_gpu_hour: float | None
    usd_per_gpu_hour: float | None
    usd_per_month: float | None
    percent: float | None
    measured_against: str | None
    rekeyed: bool
    kind: str
    crawler: str
    offer_id: str

    def row(self) -> dict[str, Any]:
        """As one record."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """Changes, those that move most money first.

    Attributes:
        changes: the changes asked for.
        counts: how many of each kind, all of them, whatever the limit.
        rekeyed: offers that only got another key: no change.
    """

    changes: tuple[Change, ...]
    counts: dict[str, int]
    rekeyed: int


def changes_by_money(
    connection: duckdb.DuckDBPyConnection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    gpu: str | None = None,
    provider: Names = None,
    kind: Names = None,
    change: str | None = None,
    as_of: datetime | None = None,
    limit: int | None = None,
) -> ChangeReport:
    """What changed from `since` to `until`, ordered by money per month.

    Args:
        connection: of `open_market`.
        since, until: first and last moment.
        gpu: accelerator id, family or a name that means several.
        provider, kind: one name or several; kind is the price kind.
        change: only this one of `CHANGES`.
        as_of: compare with what other offers cost at this moment (default: now); also the latest `until`.
        limit: most changes.

    Raises:
        UnknownNameError: a GPU, provider or price kind that is not known.
    """
    names = checked_names(connection, OfferFilter(provider=provider, kinds=kind))
    parameters: dict[str, Any] = {
        "since": _utc(since),
        "until": _utc(min(filter(None, (until, as_of)), default=None)),
        "names": None,
        "providers": names.get("provider"),
        "kinds": names.get("price_kind"),
        "month_hours": float(HOURS_PER_MONTH),
    }
    if gpu is not None:
        from warehouse.identify import match_gpu_filter

        parameters["names"] = list(match_gpu_filter(gpu))
    source = "offers"
    if as_of is not None:
        from warehouse.as_of import as_of_offers

        source, parameters["as_of"] = as_of_offers(connection), _utc(as_of)
    rows = fetch_dicts(connection, sql("queries/changes_money").replace("{offers}", source), parameters)
    counts = Counter(row["change"] for row in rows)
    rekeyed = counts.pop("rekeyed", 0)
    wanted = [
        row for row in rows if row["change"] == (change or row["change"]) and row["change"] != "rekeyed"
    ]
    ordered = {name: counts[name] for name in CHANGES if counts[name]}
    return ChangeReport(tuple(Change(**row) for row in wanted[:limit]), ordered, rekeyed)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
