"""What the reference tables cover: `python -m bench.reference_coverage [SHARED]`.

Counts what the tables state, derive and leave weak or empty; and, where the shared inputs are beside the
project, how far they reach over every accelerator of the truth tables and every region, machine type and GPU
name of the recordings and the market. What stays unknown is listed with the number of its rows.
"""

from __future__ import annotations

import csv
import gzip
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from crawlers.discover import spider_cards
from warehouse.identify import identify
from warehouse.instance_types import instance_type
from warehouse.reference import Accelerator, accelerators, provider_facts
from warehouse.reference.machine_table import machine_kinds
from warehouse.reference.provider_table import ProviderFacts
from warehouse.reference.pue_table import pues
from warehouse.reference.purchase_table import purchase_prices
from warehouse.regions import SOMEWHERE, Place, place

SHARED = Path(__file__).resolve().parents[2] / "shared"
FACTS: dict[str, Callable[[ProviderFacts], object]] = {
    "billing increment": lambda facts: facts.billing_increment_seconds,
    "minimum time": lambda facts: facts.minimum_seconds,
    "egress price": lambda facts: facts.egress_usd_per_gb is not None,
    "egress included": lambda facts: facts.egress_included_gb_per_month,
    "storage price": lambda facts: facts.storage_usd_per_gb_month is not None,
    "stopped machine": lambda facts: facts.stopped_machine_billing,
    "certificates": lambda facts: facts.certificates,
}
FIELDS = (
    *("memory_gib_usable", "memory_bandwidth_gb_per_s", "dense_fp32_tflops", "dense_bf16_tflops"),
    *("dense_fp16_tflops", "dense_fp8_tflops", "dense_int8_tops", "interconnect_gb_per_s"),
    *("peer_gb_per_s", "host_gb_per_s", "pcie_generation", "tdp_w", "launch_year", "compute_capability"),
)
LISTED = 25
Row = dict[str, str]
_Key = TypeVar("_Key")
_TYPED = frozenset(("aws", "azure", "gcp", "oci", "linode", "ovh", "alibaba", "ibm"))
_NO_TYPE = re.compile(r"on-demand$|spot$|reserved$|median of |n1-|cloud-gpus-|\d+x ")
"""What trackers write in place of a machine type, and GCP's general machines, which take any GPU."""


def parts_lines() -> Iterator[str]:
    """Accelerators: how many, and for each field how many state it, derive it, have it weak or empty."""
    table = list(accelerators().values())
    weak = sum(bool(part.weak_fields) for part in table)
    yield f"accelerators: {len(table)}, {weak} with weak fields, {len(table) - weak} without"
    sized = [part for part in table if _can_be_sized(part)]
    missing = ", ".join(part.accelerator_id for part in table if part not in sized)
    yield f"  with bandwidth, memory and a 16-bit or 32-bit rate: {len(sized)}; without: {missing or 'none'}"
    yield f"  {'field':28} verified derived    weak   empty"
    for field in FIELDS:
        counts = Counter(_state(part, field) for part in table)
        figures = " ".join(f"{counts[state]:7}" for state in ("verified", "derived", "weak", "empty"))
        yield f"  {field:28} {figures}"


def _can_be_sized(part: Accelerator) -> bool:
    rates = (part.dense_bf16_tflops, part.dense_fp16_tflops, part.dense_fp32_tflops)
    return bool(part.memory_bandwidth_gb_per_s and part.memory_gb and any(rates))


def _state(part: Accelerator, field: str) -> str:
    if getattr(part, field) is None:
        return "empty"
    if field in part.weak_fields:
        return "weak"
    return "derived" if field in part.derived_fields else "verified"


def table_lines() -> Iterator[str]:
    """Prices of hardware, machine kinds, PUE and facts of providers."""
    prices = purchase_prices()
    priced = {row.accelerator_id for row in prices if row.purchase_price_usd is not None}
    powered = sum(row.power_kw is not None for row in prices)
    yield f"purchase prices: {len(prices)} rows, {len(priced)} accelerators priced, {powered} rows with power"
    yield f"machine kinds: {len(machine_kinds())} rows; PUE: {len(pues())} figures"
    providers, facts = len(spider_cards()), provider_facts().values()
    yield f"providers with facts: {len(facts)} of {providers} crawled sources"
    for name, read in FACTS.items():
        yield f"  {name:20} {sum(bool(read(row)) for row in facts):3}"


def truth_lines(shared: Path) -> Iterator[str]:
    """Accelerators of the truth tables that the names do not reach, with their rows."""
    rows: Counter[str] = Counter()
    for path in sorted((shared / "truth").glob("*.csv")):
        rows.update(row["accelerator"] for row in _rows(path) if row.get("accelerator"))
    lost = {name: count for name, count in rows.items() if not identify(name).candidates}
    yield f"truth: {len(rows)} accelerator names, {len(rows) - len(lost)} known"
    yield from _listed(Counter(lost))


def seen_lines(shared: Path) -> Iterator[str]:
    """Regions, machine types and GPU names of the recordings and the market."""
    regions: Counter[tuple[str, str]] = Counter()
    machines: Counter[tuple[str, str]] = Counter()
    names: Counter[str] = Counter()
    for row in _seen(shared):
        provider = row["provider"]
        regions[(provider, row.get("region", ""))] += 1
        machine = row.get("instance_type") or row.get("instance_type_raw") or ""
        if provider in _TYPED and _is_type(provider, machine):
            machines[(provider, machine)] += 1
        names[row.get("gpu_model_raw") or row.get("gpu_name_raw") or ""] += 1
    regions = Counter({key: count for key, count in regions.items() if key[1]})
    placed = {key: place(*key) for key in regions}
    yield _summary("regions", {key: _reach(found) for key, found in placed.items()}, regions)
    zones = sum(found is not None and found.grid_zone is not None for found in placed.values())
    yield f"  with a grid zone: {zones}"
    lost = {f"{provider}: {region}": regions[(provider, region)] for provider, region in regions
            if placed[(provider, region)] is None}  # fmt: skip
    yield from _listed(Counter(lost))
    known = {key: "known" if instance_type(*key) else "unknown" for key in machines}
    yield _summary("machine types", known, machines)
    yield from _listed(Counter({f"{a}: {b}": machines[(a, b)] for (a, b), state in known.items()
                                if state == "unknown"}))  # fmt: skip
    answers = {name: _answer(name) for name in names}
    yield _summary("GPU names", answers, names)
    yield from _listed(Counter({name: names[name] for name in names if answers[name] == "unknown"}))


def _is_type(provider: str, text: str) -> bool:
    """True for a machine type; sentences and what trackers write in its place are none."""
    return bool(text) and not _NO_TYPE.match(text) and (" " not in text or provider == "azure")


def _reach(found: Place | None) -> str:
    if found is None:
        return "unknown"
    if found == SOMEWHERE:
        return "several or any"
    return "city" if found.city else "country" if found.country else "continent"


def _answer(name: str) -> str:
    if not name:
        return "empty"
    found = identify(name)
    if not found.candidates:
        return "unknown"
    if found.partition is not None:
        return "slice"
    return "determined" if found.accelerator_id else "ambiguous"


def _summary(title: str, states: dict[_Key, str], rows: Counter[_Key]) -> str:
    kinds, weighed = Counter(states.values()), Counter[str]()
    for key, state in states.items():
        weighed[state] += rows[key]
    told = ", ".join(f"{state} {count} ({weighed[state]} rows)" for state, count in kinds.most_common())
    return f"{title}: {len(states)}: {told}"


def _listed(lost: Counter[str]) -> Iterator[str]:
    for name, count in lost.most_common(LISTED):
        yield f"  unknown {count:5} {name}"
    if len(lost) > LISTED:
        yield f"  and {len(lost) - LISTED} more"


def _seen(shared: Path) -> Iterator[Row]:
    for path in sorted((shared / "recordings").glob("*/*/expected.csv")):
        yield from (row for row in _rows(path) if "gpu_name_raw" in row)
    for name in ("offers_latest.csv", "history.csv.gz", "anchor_2023.csv"):
        if (shared / "market" / name).exists():
            yield from _rows(shared / "market" / name)


def _rows(path: Path) -> Iterator[Row]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def main(argv: list[str]) -> int:
    """Print the tables' coverage, and that over the shared inputs where they are there."""
    shared = Path(argv[1]) if len(argv) > 1 else SHARED
    for line in (*parts_lines(), *table_lines()):
        print(line)
    if not shared.exists():
        print("skipped: the shared inputs are not beside the project")
        return 0
    for line in (*truth_lines(shared), *seen_lines(shared)):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
