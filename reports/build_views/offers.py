"""Offer rows, best buys and their tables."""

from __future__ import annotations

from collections.abc import Sequence

from reports import formatting as fmt
from reports.build_views import labels
from reports.market_views import Market, Row
from reports.view_models import Availability, Buy, BuyRow, OfferRow, OfferTable

INTERRUPTIBLE = ("spot", "low_priority")
COMMITTED = ("reserved", "savings_plan", "capacity_block", "subscription", "flex")
KIND_ORDER = ("on_demand", "spot", "low_priority", "flex", "capacity_block", "reserved", "savings_plan")
LAST = 9e15


def offer_table(
    market: Market,
    titles: dict[str, str],
    rows: Sequence[Row],
    total: int,
    *,
    empty: str,
    of: str | None = None,
) -> OfferTable:
    """A table of offers; `of` is the accelerator whose page it is."""
    shown = f"{fmt.plural(total, 'offer')}, cheapest per GPU-hour first."
    if total > len(rows):
        shown = (
            f"{len(rows):,} of {total:,} offers are shown, the cheapest of every price kind;"
            " all are in the downloads."
        )
    return OfferTable(tuple(offer_row(market, titles, row, of) for row in rows), shown if rows else "", empty)


def offer_row(market: Market, titles: dict[str, str], row: Row, of: str | None = None) -> OfferRow:
    """One offer as a table row."""
    machine = row["instance_type"] or row["gpu_name_raw"]
    return OfferRow(
        provider=labels.provider_link(titles, row["provider"]),
        machine=fmt.clip(machine, 48),
        machine_note=_machine_note(row, of),
        gpus=labels.gpus(row),
        gpus_key=row["gpu_count"] or 0.0,
        region=labels.place(row),
        kind=fmt.kind(row["price_kind"], row["term_months"]),
        usd_per_gpu_hour=fmt.unit_price(row["price_usd_per_gpu_hour"]),
        price_key=_key(row["price_usd_per_gpu_hour"]),
        usd_per_hour=fmt.unit_price(row["price_usd_per_hour"]),
        hour_key=_key(row["price_usd_per_hour"]),
        native=_native(row),
        availability=labels.availability(row),
        age=fmt.age(row["age_hours"]),
        age_key=round(row["age_hours"], 2),
        state=labels.state_word(row),
        accelerator=labels.accelerator_link(market, row["accelerator_id"]),
        source_url=labels.source(row),
        run_id=fmt.clip(row["run_id"], 40),
        sha=(row["body_sha256"] or "")[:8],
        origin=labels.ORIGIN_WORDS.get(row["origin"] or "", fmt.clip(row["origin"])),
    )


def buy(market: Market, titles: dict[str, str], row: Row) -> Buy:
    """One best buy."""
    fair = market.fair_prices.get(row["offer_id"])
    return Buy(
        price=fmt.unit_price(row["price_usd_per_gpu_hour"]),
        price_key=_key(row["price_usd_per_gpu_hour"]),
        provider=labels.provider_link(titles, row["provider"]),
        place=labels.place(row),
        kind=fmt.kind(row["price_kind"], row["term_months"]),
        gpus=_machine_size(row),
        availability=_stock(row),
        age=fmt.age(row["age_hours"]),
        stale=row["tier"] >= 2,
        fair=_fair_words(fair) if fair else "",
        verdict=fmt.clip(fair["verdict"], 12) if fair else "",
        source_url=labels.source(row),
    )


def buy_rows(market: Market, titles: dict[str, str], limit: int) -> tuple[BuyRow, ...]:
    """Best buys of the `limit` groups with most providers."""
    by_group: dict[str, dict[str, Row]] = {}
    for row in market.best:
        by_group.setdefault(row["group_id"], {})[row["price_kind"]] = row
    found: list[BuyRow] = []
    for group in market.groups:
        kinds = by_group.get(group["group_id"])
        if not kinds or len(found) == limit:
            continue
        link, remark = labels.group_link(market, group)
        cells = [
            _cheapest(market, titles, kinds, names) for names in (("on_demand",), INTERRUPTIBLE, COMMITTED)
        ]
        if any(cells):
            found.append(BuyRow(link, remark, *cells))
    return tuple(found)


def best_by_kind(market: Market, titles: dict[str, str], group_id: str) -> tuple[Buy, ...]:
    """Every price kind's best buy of one group, in the order in which people commit themselves."""
    rows = [row for row in market.best if row["group_id"] == group_id]
    order = {name: index for index, name in enumerate(KIND_ORDER)}
    rows.sort(key=lambda row: (order.get(row["price_kind"], len(order)), row["price_kind"]))
    return tuple(buy(market, titles, row) for row in rows)


def _cheapest(
    market: Market, titles: dict[str, str], kinds: dict[str, Row], names: Sequence[str]
) -> Buy | None:
    rows = [kinds[name] for name in names if name in kinds]
    rows.sort(key=lambda row: (row["tier"] >= 2, row["price_usd_per_gpu_hour"]))
    return buy(market, titles, rows[0]) if rows else None


def _fair_words(fair: Row) -> str:
    """The price against what the rest of the market says such a machine costs."""
    band = f"{fmt.unit_price(fair['low'])} to {fmt.unit_price(fair['high'])}"
    words = {"cheap": "below the fair", "dear": "above the fair"}
    return f"{words.get(fair['verdict'], 'within the fair')} {band}"


def _stock(row: Row) -> Availability:
    """Availability where no heading says what is meant: "stock not stated"."""
    found = labels.availability(row)
    return found if row["available"] is not None else Availability(f"stock {found.text}", found.state)


def _machine_size(row: Row) -> str:
    """``8 GPUs``: how many one has to rent at least to have this price."""
    number = row["gpu_count"]
    return "size not stated" if number is None else f"{fmt.count(number)} GPU{'' if number == 1 else 's'}"


def _machine_note(row: Row, of: str | None) -> str:
    notes = []
    if row["accelerator_id"] is None and row["candidates"] and len(row["candidates"]) > 1:
        notes.append("form factor not stated" if of else "variant not stated")
    if row["partition"]:
        notes.append(f"slice {fmt.clip(row['partition'], 20)}")
    if row["is_floor"]:
        notes.append("“from” price, not ranked")
    if row["effective_from"]:
        notes.append(f"from {fmt.day(row['effective_from'])}")
    return ", ".join(notes)


def _native(row: Row) -> str:
    """The price as the provider states it, where that differs from dollars per machine-hour."""
    if row["price_raw"] is None or not row["price_unit"]:
        return ""
    if row["currency"] == "USD" and row["price_unit"] in ("per instance-hour", "per gpu-hour"):
        return ""
    raw = float(row["price_raw"])
    shown = f"{raw:,.0f}" if raw >= 1000 else f"{raw:.6g}"
    return f"{shown} {fmt.clip(row['currency'], 8)} {fmt.clip(row['price_unit'], 32)}"


def _key(value: float | None) -> float:
    return LAST if value is None else round(value, 6)
