"""The market as the recommender needs it: groups of offers that differ only in place and price.

Reads the published `offers` table in one grouped query, so that 270,000 offers become some thousand groups:
provider, instance type, part, count, how it is sold, how it is billed, how fresh. Within a group a plan
depends on price alone, so the cheapest offer stands for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recommender.constraints import Constraints
from recommender.fabrics import fabric_gb_per_s
from warehouse.database import columns_of, fetch_dicts
from warehouse.offer_rows import COLUMNS, COMPUTED, FAST_LIMITS, LIST_LIMITS

FRESH, STALE, EXPIRED = 0, 1, 2
SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class OfferGroup:
    """Offers alike in everything but place and price, with the cheapest one.

    Attributes:
        rowid: of the cheapest offer in `offers`. price_usd_per_hour: its price, whole machine.
        offers: how many the group has.
        parts: the accelerators it may be; one where the source settles it.
        gpu_count, provider, instance_type, price_kind, term_months: of all its offers.
        billing_increment_seconds, minimum_seconds: None where not known.
        available: True or None (not stated), False only where asked for.
        available_count: machines that can be had, None where not stated; an offer of one named physical
            machine (a marketplace's) is one.
        tier: FRESH, STALE or EXPIRED (rule R11), or STALE where the last good run did not see it.
        first_party: sold by the operator of the machines.
        age_hours: of the cheapest offer's price. sold_as: `list`, `marketplace` or `serverless`.
        place: region of all its offers where the question depends on it, else None.
        taken_back: share of such machines that the provider takes back within a month, as a band of which the
            upper end may be open (None); None where it states nothing.
    """

    rowid: int
    price_usd_per_hour: float
    offers: int
    parts: tuple[str, ...]
    gpu_count: int
    provider: str
    instance_type: str | None
    price_kind: str
    term_months: int | None
    billing_increment_seconds: int | None
    minimum_seconds: int | None
    available: bool | None
    available_count: int | None
    tier: int
    first_party: bool
    age_hours: float
    sold_as: str = "list"
    place: str | None = None
    taken_back: tuple[float, float | None] | None = None

    @property
    def name(self) -> str:
        """Provider and instance type."""
        return f"{self.provider} {self.instance_type or ''}".strip()

    @property
    def fabric_gb_per_s(self) -> float | None:
        """Network to other machines of this type, None where not known."""
        return fabric_gb_per_s(self.provider, self.instance_type)


_TIER = f"""CASE
    WHEN age > CASE WHEN fast THEN {FAST_LIMITS.expired} ELSE {LIST_LIMITS.expired} END THEN {EXPIRED}
    WHEN missing_runs > 0 OR age > CASE WHEN fast THEN {FAST_LIMITS.stale} ELSE {LIST_LIMITS.stale} END
    THEN {STALE} ELSE {FRESH} END"""

_GROUPS = """
WITH wanted AS (
    SELECT rowid AS id, coalesce(accelerator_id, array_to_string(list_sort(candidates), '|')) AS part,
        gpu_count, provider, instance_type, price_kind, term_months, billing_increment_seconds,
        minimum_seconds, available, coalesce(first_party, false) AS first_party,
        CASE WHEN machine_id IS NOT NULL THEN 1 ELSE available_count END AS available_count,
        coalesce(missing_runs, 0) AS missing_runs, offer_id, price_usd_per_hour,
        epoch($now::TIMESTAMPTZ - observed_at) / 3600.0 AS age, coalesce(kind, 'list') AS sold_as,
        {place} AS place, {taken_back},
        (price_kind = 'spot' OR kind = 'marketplace') AS fast
    FROM offers
    WHERE NOT coalesce(is_floor, false) AND price_usd_per_hour > 0 AND "partition" IS NULL
        AND gpu_count >= 1 AND gpu_count = floor(gpu_count)
        AND (effective_from IS NULL OR effective_from <= $today::DATE) AND NOT coalesce(outdated, false)
        AND {filters}
)
SELECT part, gpu_count::INTEGER AS gpus, provider, instance_type, price_kind, term_months,
    billing_increment_seconds, minimum_seconds, available, available_count, {tier} AS tier, first_party,
    sold_as, place,
    arg_min(id, row(price_usd_per_hour, age, offer_id)) AS id,
    min(price_usd_per_hour) AS price, count(*) AS offers,
    arg_min(age, row(price_usd_per_hour, age, offer_id)) AS age,
    arg_min(taken_low, row(price_usd_per_hour, age, offer_id)) FILTER (taken_low IS NOT NULL) AS taken_low,
    arg_min(coalesce(taken_high, -1), row(price_usd_per_hour, age, offer_id)) FILTER (taken_low IS NOT NULL)
        AS taken_high
FROM wanted WHERE part IS NOT NULL AND part <> ''
GROUP BY ALL
"""


def read_groups(
    market: Any, constraints: Constraints, *, now: datetime, by_place: bool = False
) -> list[OfferGroup]:
    """All groups of offers that the constraints allow.

    Args:
        market: DuckDB connection with the published `offers` table.
        now: ages are counted to here.
        by_place: groups never span regions (for whoever needs the region of a plan: carbon). Otherwise only
            the regions in which data lies are kept apart.
    """
    filters, parameters = _filters(constraints)
    parameters |= {"now": now.isoformat(), "today": now.date().isoformat()}
    place = "region"
    if not by_place:
        parameters["beside"] = [f"{item.provider} {item.region}" for item in constraints.data_in]
        place = "CASE WHEN provider || ' ' || region IN (SELECT unnest($beside)) THEN region END"
    query = _GROUPS.format(
        filters=" AND ".join(filters) or "true",
        tier=_TIER,
        place=place,
        taken_back=_taken_back(market, constraints),
    )
    rows = market.execute(query, parameters).fetchall()
    return sorted((_group(row) for row in rows), key=lambda group: (group.price_usd_per_hour, group.rowid))


def _taken_back(market: Any, constraints: Constraints) -> str:
    """Columns of the provider's own interruption figures; an older published copy has none."""
    known = constraints.interruptible_kinds and "interruption_rate_low" in columns_of(market, "offers")
    if not known:
        return "NULL::DOUBLE AS taken_low, NULL::DOUBLE AS taken_high"
    return "interruption_rate_low AS taken_low, interruption_rate_high AS taken_high"


def _group(row: Sequence[Any]) -> OfferGroup:
    part, gpus, provider, instance, kind, term, increment, minimum, available, count, *rest = row
    tier, first, sold_as, place, rowid, price, offers, age, low, high = rest
    return OfferGroup(
        rowid=rowid,
        price_usd_per_hour=price,
        offers=offers,
        parts=tuple(part.split(SEPARATOR)),
        gpu_count=gpus,
        provider=provider,
        instance_type=instance,
        price_kind=kind,
        term_months=term,
        billing_increment_seconds=increment,
        minimum_seconds=minimum,
        available=available,
        available_count=count,
        tier=tier,
        first_party=first,
        age_hours=age,
        sold_as=sold_as,
        place=place,
        taken_back=None if low is None else (low, high if high >= 0 else None),
    )


def _filters(constraints: Constraints) -> tuple[list[str], dict[str, Any]]:
    filters: list[str] = []
    parameters: dict[str, Any] = {}

    def add(text: str, name: str, value: Any) -> None:
        filters.append(text)
        parameters[name] = value

    add("price_kind IN (SELECT unnest($kinds))", "kinds", list(constraints.price_kinds))
    longest = constraints.longest_term_months
    if longest is not None:
        add(
            "coalesce(term_months, CASE WHEN price_kind = 'subscription' THEN 1 ELSE 0 END) <= $term",
            "term",
            longest,
        )
    if constraints.gpus:
        from warehouse.identify import match_gpu_filter

        ids = sorted({part for text in constraints.gpus for part in match_gpu_filter(text)})
        add("len(list_intersect(candidates, $parts)) > 0", "parts", ids)
    if constraints.gpu_count is not None:
        add("gpu_count = $gpus", "gpus", constraints.gpu_count)
    if constraints.min_memory_gb is not None:
        add("gpu_memory_gb >= $memory", "memory", constraints.min_memory_gb)
    for column, values in (
        ("provider", constraints.providers),
        ("region", constraints.regions),
        ("country", constraints.countries),
        ("continent", constraints.continents),
    ):
        if values:
            add(f"lower({column}) IN (SELECT unnest(${column}))", column, [value.lower() for value in values])
    if constraints.max_price_usd_per_gpu_hour is not None:
        add("price_usd_per_gpu_hour <= $dearest", "dearest", constraints.max_price_usd_per_gpu_hour)
    if constraints.term_months is not None:
        add("term_months = $months", "months", constraints.term_months)
    if constraints.interconnect:
        add("contains(lower(interconnect), lower($interconnect))", "interconnect", constraints.interconnect)
    if constraints.available_only:
        filters.append("available")
    if not constraints.include_sold_out:
        filters.append("available IS DISTINCT FROM false")
    return filters, parameters


def read_offers(market: Any, rowids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Offers by row id, each with the stored columns of `warehouse.offer_rows.COLUMNS`."""
    if not rowids:
        return {}
    names = ", ".join(f'"{name}"' for name in COLUMNS if name not in COMPUTED)
    query = f"SELECT rowid AS row_number, {names} FROM offers WHERE rowid IN (SELECT unnest($ids))"  # noqa: S608
    rows = fetch_dicts(market, query, {"ids": list(rowids)})
    return {row.pop("row_number"): row for row in rows}


def placeless_count(market: Any, constraints: Constraints) -> int:
    """Offers that a constraint on place leaves out because their source does not say where they are."""
    asked = {
        "continent": constraints.continents,
        "country": constraints.countries,
        "region": constraints.regions,
    }
    column = next((name for name, values in asked.items() if values), None)
    if column is None:
        return 0
    query = f"SELECT count(*) FROM offers WHERE {column} IS NULL AND NOT coalesce(outdated, false)"  # noqa: S608
    return int(market.execute(query).fetchone()[0])


def excluded_counts(market: Any) -> dict[str, int]:
    """How many offers are never ranked, by reason: slices of a GPU, "from" prices, unknown parts."""
    row = market.execute(
        'SELECT count(*) FILTER ("partition" IS NOT NULL), count(*) FILTER (coalesce(is_floor, false)), '
        "count(*) FILTER (accelerator_id IS NULL AND len(coalesce(candidates, [])) = 0) FROM offers"
    ).fetchone()
    return {"slices": row[0], "floors": row[1], "unidentified": row[2]}
