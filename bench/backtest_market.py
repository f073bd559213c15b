"""Markets of past days, in memory, from a table of dated observations: what the back-test asks.

Only rows that say whole what they price are taken: a GPU that identifies, a count, a price with a known rate
that is plainly per GPU or per machine, no index. A marketplace's "median of n offers" is no offer: nobody can
rent a median; such rows are left out unless asked for. Known faults of the collection are left out by name
(`FAULTS`), and so is a price under a quarter of the other providers' medians for that family of parts and
kind: a placeholder, or a slice of it.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from warehouse.fx import usd_per_unit
from warehouse.history_import import MARKETPLACES, read_rows
from warehouse.identify import identify
from warehouse.instance_types import instance_type
from warehouse.offer_rows import COLUMNS, COMPUTED
from warehouse.reference import accelerators

LOWEST_SHARE = 0.25
FEW_PROVIDERS = 3  # with fewer others nothing says that a price is implausible
# provider, words of the GPU's name, price per GPU-hour (None: any): why.
FAULTS: tuple[tuple[str, str, float | None, str], ...] = (
    ("lambda_cloud", "h200", None, "GH200 read as H200: Lambda sells no H200"),
    ("runpod", "", 0.5, "0.50 is a placeholder"),
    ("packet_ai", "", None, "taken from another tracker, not from the provider"),
)
_TYPES = {
    "offer_id": "UBIGINT", "candidates": "VARCHAR[]", "gpu_count": "DOUBLE", "gpu_memory_gb": "DOUBLE",
    "vcpus": "DOUBLE", "memory_gib": "DOUBLE", "disk_gb": "DOUBLE", "term_months": "INTEGER",
    "price_per_hour": "DOUBLE", "price_raw": "DOUBLE", "price_usd_per_hour": "DOUBLE",
    "price_usd_per_gpu_hour": "DOUBLE", "available": "BOOLEAN", "available_count": "BIGINT",
    "is_floor": "BOOLEAN", "effective_from": "DATE", "observed_at": "TIMESTAMPTZ",
    "price_since": "TIMESTAMPTZ", "first_party": "BOOLEAN", "outdated": "BOOLEAN", "missing_runs": "INTEGER",
    "billing_increment_seconds": "INTEGER", "minimum_seconds": "INTEGER", "fx_rate": "DOUBLE",
    "fx_date": "DATE",
}  # fmt: skip
_MORE = ("offer_id", "is_floor", "effective_from", "outdated", "missing_runs", "machine_id")


@dataclass(frozen=True, slots=True)
class Seen:
    """One offer as it was seen on one day.

    key: what makes it the same offer on another day. usd_per_hour: of the whole machine. machine_id: the one
    physical machine that a marketplace's offer is.
    """

    key: tuple[Any, ...]
    day: date
    provider: str
    instance_type: str | None
    candidates: tuple[str, ...]
    gpu_count: int
    region: str | None
    price_kind: str
    term_months: int | None
    usd_per_hour: float
    available: bool | None
    source_url: str
    machine_id: str | None = None


def read_seen(
    file: Path, since: date, until: date, *, medians: bool = False
) -> tuple[list[Seen], dict[str, int]]:
    """Observations of `since` to `until`, and how many rows were left out, by reason.

    medians: take what a collection states as the median of a marketplace for an offer.
    """
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    read_rows(connection, file)
    names = [row[0] for row in connection.execute("DESCRIBE history_rows").fetchall()]
    asked = "SELECT * EXCLUDE (observed_at) FROM history_rows WHERE day BETWEEN ? AND ? ORDER BY line"
    rows = connection.execute(asked, [since, until]).fetchall()
    names.remove("observed_at")
    left_out: dict[str, int] = defaultdict(int)
    found = []
    for row in rows:
        line = dict(zip(names, row, strict=True))
        median = not medians and line["provider"] in MARKETPLACES and "median of" in (line["note"] or "")
        one = "a median of a marketplace" if median else _seen(line)
        if isinstance(one, str):
            left_out[one] += 1
        else:
            found.append(one)
    kept = _plausible(found)
    left_out["under a quarter of what others ask"] = len(found) - len(kept)
    return kept, dict(left_out)


_IDENTIFIED: dict[tuple[Any, ...], tuple[tuple[str, ...], str | None]] = {}


def _seen(row: dict[str, Any]) -> Seen | str:
    if not row["gpu_name_raw"]:
        return "no GPU named"
    if "per inferred" in (row["note"] or ""):
        return "not said whether per GPU or per machine"
    count = row["gpu_count"]
    if not count or count != int(count):
        return "no whole number of GPUs"
    asked = (row["gpu_name_raw"], row["gpu_memory_gb"], row["provider"], row["instance_type"])
    if asked not in _IDENTIFIED:
        name = identify(asked[0], memory_gb=asked[1], provider=asked[2])
        known = instance_type(asked[2], asked[3]) if asked[3] else None
        settled = known is not None and known.accelerator_id in name.candidates
        parts = (known.accelerator_id,) if known is not None and settled else name.candidates
        _IDENTIFIED[asked] = (tuple(part for part in parts if part), name.partition)
    candidates, partition = _IDENTIFIED[asked]
    if not candidates or partition:
        return "no whole accelerator that we know"
    price = float(row["price_raw"] or 0)
    rate = usd_per_unit(row["currency"], row["day"])
    if price <= 0 or rate is None:
        return "no price"
    usd = price * float(rate[0]) * (count if row["price_unit"] == "per gpu-hour" else 1)
    for provider, words, placeholder, reason in FAULTS:
        meant = row["provider"] == provider and words in row["gpu_name_raw"].lower()
        if meant and (placeholder is None or abs(usd / count - placeholder) < 1e-9):
            return reason
    if row["price_kind"] == "reserved" and not row["term_months"]:
        return "a commitment of unknown length"
    key = tuple(
        row[name]
        for name in (
            *(
                "provider",
                "collector",
                "instance_type",
                "gpu_name_raw",
                "gpu_count",
                "gpu_memory_gb",
                "region",
            ),
            *("price_kind", "term_months", "offer_key", "interconnect", "currency", "price_unit"),
        )
    )
    return Seen(
        key, row["day"], row["provider"], row["instance_type"], candidates, int(count), row["region"],
        row["price_kind"], row["term_months"], usd, row["available"], row["source_url"] or "",
        row["machine_id"],
    )  # fmt: skip


def _plausible(found: Sequence[Seen]) -> list[Seen]:
    """Without prices far under those of all other providers for the same family of parts, kind and month."""
    prices: dict[tuple[Any, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in found:
        prices[_market(one)][one.provider].append(one.usd_per_hour / one.gpu_count)
    middles = {
        market: {provider: statistics.median(values) for provider, values in by.items()}
        for market, by in prices.items()
    }
    lowest = {
        (market, name): LOWEST_SHARE * statistics.median(v for other, v in by.items() if other != name)
        for market, by in middles.items()
        if len(by) > FEW_PROVIDERS
        for name in by
    }
    return [
        one
        for one in found
        if one.usd_per_hour / one.gpu_count >= lowest.get((_market(one), one.provider), 0.0)
    ]


def _market(one: Seen) -> tuple[Any, ...]:
    known = accelerators().get(one.candidates[0])
    return (
        known.family if known else one.candidates,
        one.price_kind,
        one.term_months,
        one.day.year,
        one.day.month,
    )


def last_prices(
    found: Iterable[Seen], until: date, list_days: int, quick_days: int
) -> dict[tuple[Any, ...], Seen]:
    """Of each offer the newest observation of the days up to and with `until`.

    list_days: how many days count for price lists, quick_days for spot prices and marketplaces.
    """
    newest: dict[tuple[Any, ...], Seen] = {}
    for one in found:
        quick = one.price_kind == "spot" or one.provider in MARKETPLACES
        first = until - timedelta(days=(quick_days if quick else list_days) - 1)
        if first <= one.day <= until and (one.key not in newest or newest[one.key].day <= one.day):
            newest[one.key] = one
    return newest


def mean_prices(found: Iterable[Seen], after: date, days: int) -> dict[tuple[Any, ...], float]:
    """Mean price of each offer over the days of its observations in the `days` days after `after`."""
    by_day: dict[tuple[Any, ...], dict[date, float]] = defaultdict(dict)
    for one in found:
        if after < one.day <= after + timedelta(days=days):
            by_day[one.key][one.day] = one.usd_per_hour
    return {key: statistics.fmean(values.values()) for key, values in by_day.items()}


def build_market(
    offers: Sequence[Seen], prices: dict[tuple[Any, ...], float] | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection with the `offers` table that the recommender reads; `offer_id` is the place in `offers`.

    prices: taken instead of the observed ones.
    """
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    rates = ("interruption_rate_low", "interruption_rate_high")
    names = list(dict.fromkeys([*_MORE, *(name for name in COLUMNS if name not in COMPUTED), *rates]))
    types = {**_TYPES, **dict.fromkeys(rates, "DOUBLE")}
    rows = [_row(place, one, prices) for place, one in enumerate(offers)]
    given = pa.Table.from_pylist(
        [{name: row.get(name) for name in names} for row in rows] or [dict.fromkeys(names)]
    )
    connection.register("given", given)
    picked = ", ".join(f'"{name}"::{types.get(name, "VARCHAR")} AS "{name}"' for name in names)
    connection.execute(f"CREATE TABLE offers AS SELECT {picked} FROM given WHERE provider IS NOT NULL")
    return connection


def _row(place: int, one: Seen, prices: dict[tuple[Any, ...], float] | None) -> dict[str, Any]:
    usd = one.usd_per_hour if prices is None else prices[one.key]
    return {
        "offer_id": place,
        "provider": one.provider,
        "source": one.provider,
        "instance_type": one.instance_type,
        "machine_id": one.machine_id,
        "accelerator_id": one.candidates[0] if len(one.candidates) == 1 else None,
        "candidates": list(one.candidates),
        "gpu_name_raw": "GPU",
        "gpu_count": float(one.gpu_count),
        "region": one.region,
        "price_kind": one.price_kind,
        "term_months": one.term_months,
        "price_per_hour": usd,
        "currency": "USD",
        "price_usd_per_hour": usd,
        "price_usd_per_gpu_hour": usd / one.gpu_count,
        "available": one.available,
        "is_floor": False,
        "observed_at": f"{one.day} 23:59:00+00",
        "first_party": False,
        "origin": "history",
        "outdated": False,
        "missing_runs": 0,
        "kind": "marketplace" if one.provider in MARKETPLACES else "list",
        "source_url": one.source_url,
        "run_id": "history",
    }
