"""Which of the candidate offers go into the bundled market: what is plausible, newest, and once a week.

`unequivocal`, `sold_there` and `plausible` take out what one list contradicts itself or another in;
`newest_state` makes the snapshot, `weekly_history` the history. Each counts what it leaves out, by reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from bench.market_rows import Candidate
from warehouse.units import price_per_instance_hour

HISTORY_FROM = datetime(2025, 10, 27, tzinfo=UTC)  # Monday of ISO week 44: twelve months before the release
# One region stands for a hyperscaler in the history: prices differ by region, and a series must not jump
# because a region joined. GPUs that people ask about; others are in the snapshot only.
REFERENCE_REGION = {"gcp": "us-central1", "aws": "us-east-1", "azure": "eastus"}
REFERENCE_TYPES = re.compile(
    r"a2-(high|ultra)gpu-[18]g|a3-(high|mega)gpu-8g|g2-standard-(4|96)|g4-standard-(48|384)"
    r"|p3\.(2|16)xlarge|p4de?\.24xlarge|p5\.48xlarge|p5\.4xlarge|p5en?\.48xlarge|p6-b[23]00\.48xlarge"
    r"|g4dn\.xlarge|g5\.(xlarge|48xlarge)|g6\.(xlarge|48xlarge)|g6e\.(xlarge|48xlarge)|g7e\.(2|48)xlarge"
    r"|trn2\.48xlarge|u-p6e-gb200x72"
    r"|Standard_N(C24ads_A100_v4|C40ads_H100_v5|D96isr_H[12]00_v5|D96isr_MI300X_v5|D96amsr_A100_v4|D96asr_v4"
    r"|C6s_v3|C4as_T4_v3|V36ads_A10_v5|D128isr_NDR_GB200_v6)"
)
MAIN_GPUS = re.compile(
    r"gb300|gb200|gh200|b300|b200|h200|h100|a100|\bl40s?\b|\bl4\b|\ba10g?\b|\bt4\b|v100|mi300x|mi325x|mi355x"
    r"|rtx[ -]?pro[ -]?6000|rtx[ -](3090|4090|5090)\b|a6000|6000[ -]ada"
)


def unequivocal(rows: list[Candidate], refused: Counter[str]) -> list[Candidate]:
    """Without offers for which one list prints two prices; of equal rows one stays."""
    same: dict[tuple[object, ...], list[Candidate]] = {}
    for row in rows:
        same.setdefault((row.origin, row.ref, row.observed_at, row.key()), []).append(row)
    kept = []
    for group in same.values():
        if len({row.price_raw for row in group}) == 1:
            kept.append(group[0])
        else:
            refused["two prices for the same thing in one list"] += len(group)
    return kept


def sold_there(rows: list[Candidate], refused: Counter[str]) -> list[Candidate]:
    """Without Google machines in regions that only one list knows.

    Cyclenerd composes a price for every machine type in every region, also where Google has no such GPUs;
    the spot price then lacks the GPU. The list of karpenter_gcp holds the pairs that are really sold.
    """
    sold = {(row.instance_type, row.region) for row in rows if row.origin == "karpenter_gcp"}
    kept = [row for row in rows if row.origin != "cyclenerd" or (row.instance_type, row.region) in sold]
    refused["Google machine in a region where a second list does not know it"] += len(rows) - len(kept)
    return kept


def plausible(rows: list[Candidate], refused: Counter[str]) -> list[Candidate]:
    """Without discounts that are none, or too good to be true without a second witness."""
    firm: dict[tuple[object, ...], Decimal] = {}
    for row in rows:
        if row.price_kind == "on_demand":
            shape = (row.origin, row.ref, *row.shape())
            firm[shape] = max(row.price_raw, firm.get(shape, row.price_raw))
    kept = []
    for row in rows:
        if row.price_kind not in ("spot", "low_priority"):
            kept.append(row)
            continue
        base = firm.get((row.origin, row.ref, *row.shape()))
        if base is not None and row.price_raw >= base:
            refused["spot or low-priority price not below the on-demand price"] += 1
        elif base is not None and row.price_raw < base * Decimal("0.1"):
            refused["spot price under a tenth of the on-demand price, without a second witness"] += 1
        else:
            kept.append(row)
    return kept


def newest_state(rows: list[Candidate], refused: Counter[str]) -> list[Candidate]:
    """The newest state of every offer.

    Lists with machine types are merged offer by offer. Lists per GPU name things differently from each
    other, and drop what is no longer sold, so of several for one provider and price kind only the newest
    is kept.
    """
    newest: dict[tuple[object, ...], Candidate] = {}
    for row in rows:
        key = row.key()
        if key not in newest or row.observed_at > newest[key].observed_at:
            newest[key] = row
    refused["an older observation of the same offer"] += len(rows) - len(newest)
    lists: dict[tuple[str, str], Candidate] = {}
    for row in newest.values():
        place = (row.provider, row.price_kind)
        if row.instance_type is None and row.origin not in PARTIAL_ORIGINS:
            lists[place] = max(row, lists.get(place, row), key=lambda found: found.observed_at)
    kept = []
    for row in newest.values():
        whole = lists.get((row.provider, row.price_kind))
        if row.instance_type is None and whole and _overtaken(row, whole):
            refused["an older list of the same provider and price kind"] += 1
        else:
            kept.append(row)
    return _without_overtaken(kept, refused)


def _overtaken(row: Candidate, whole: Candidate) -> bool:
    if (row.origin, row.ref) == (whole.origin, whole.ref):
        return False
    return row.origin not in PARTIAL_ORIGINS or row.observed_at <= whole.observed_at


# Origins that hold single prices of a provider's list: they never displace the whole list.
PARTIAL_ORIGINS = ("vendor_pages",)


def _without_overtaken(rows: list[Candidate], refused: Counter[str]) -> list[Candidate]:
    """Without list rows for which a newer single price of the same part was read from the provider's page."""
    single = {_part(row) for row in rows if row.origin in PARTIAL_ORIGINS}
    kept = [row for row in rows if row.origin in PARTIAL_ORIGINS or _part(row) not in single]
    refused["an older observation of the same offer"] += len(rows) - len(kept)
    return kept


def _part(row: Candidate) -> tuple[object, ...]:
    """Provider, tier, count and a spelling-free form of the GPU's name (80 GB A100 SXM = a100sxm80)."""
    name = re.sub(r"nvidia|^\d+x |\d+ ?gb?\b|[^a-z0-9]", "", (row.gpu_name_raw or "").lower())
    name = re.sub(r"(80|40|94|141)$", "", name)
    memory = round(row.gpu_memory_gb or 0)
    return (row.provider, row.price_kind, row.offer_key, row.gpu_count, name, memory)


def weekly_history(rows: list[Candidate]) -> list[Candidate]:
    """The last observation of each offer in each ISO week; of a marketplace the listing at the median."""
    newest: dict[tuple[object, ...], Candidate] = {}
    for row in _representative(rows):
        key = (row.observed_at.isocalendar()[:2], row.origin if row.instance_type is None else "", row.key())
        if key not in newest or row.observed_at > newest[key].observed_at:
            newest[key] = row
    return list(newest.values())


def _representative(rows: list[Candidate]) -> Iterable[Candidate]:
    listings: dict[tuple[object, ...], list[Candidate]] = {}
    for row in rows:
        if row.observed_at < HISTORY_FROM or row.is_floor:
            continue
        if row.origin == "ccir":
            week = row.observed_at.isocalendar()[:2]
            listings.setdefault((week, row.gpu_name_raw, row.price_kind), []).append(row)
        elif row.provider in REFERENCE_REGION:
            here = row.region == REFERENCE_REGION[row.provider]
            if here and REFERENCE_TYPES.fullmatch(row.instance_type or ""):
                yield row
        elif MAIN_GPUS.search((row.gpu_name_raw or "").lower()):
            yield row
    yield from (_median_listing(group) for group in listings.values())


def _median_listing(group: list[Candidate]) -> Candidate:
    """Of the marketplace's listings on the last day of the group, the one in the middle by price per GPU."""
    last = max(row.observed_at.date() for row in group)
    day = [row for row in group if row.observed_at.date() == last]
    day.sort(key=lambda row: (_per_gpu(row), row.offer_key or ""))
    note = f"the listing at the median of {len(day)}"
    return replace(day[(len(day) - 1) // 2], offer_key="median listing", note=note)


def _per_gpu(row: Candidate) -> Decimal:
    count = row.gpu_count or 1
    return price_per_instance_hour(row.price_raw, row.price_unit, gpu_count=count) / Decimal(str(count))
