"""The index on a long real history: ``python -m bench.index_history [HISTORY.csv.gz]``.

Reads the collected observations beside the project (140,000 rows, 99 providers, 840 days), builds the panel
of every accelerator, family and price kind that could have an index, and computes each. The rows go in as
they are, without the warehouse's checks, so the figures say how fast the index is, not what the market did.
Prints seconds, days, values that R16 lets through, and the markets that took longest.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from warehouse.identify import identify
from warehouse.index_method import FEWEST_MATCHED, FEWEST_PROVIDERS, index_series, panel_from_rows
from warehouse.reference import accelerators

HISTORY = Path(__file__).parent.parent.parent / "shared" / "market" / "history.csv.gz"
OFFER_COLUMNS = (
    "provider",
    "instance_type",
    "gpu_model_raw",
    "gpu_count",
    "region",
    "price_kind",
    "currency",
)
HELD_DAYS = 10
Market = tuple[str, str, str]
Row = tuple[int, tuple[str, ...], str, float]


def main() -> None:
    """Read, compute, print."""
    parser = argparse.ArgumentParser(description="Times the index on a file of observations.")
    parser.add_argument("history", nargs="?", type=Path, default=HISTORY)
    history = parser.parse_args().history
    if not history.exists():
        print(f"{history} is not here; name a file of observations")
        return
    started = time.perf_counter()
    markets, count = read_markets(history)
    print(
        f"{count:,} observations, {len(markets)} markets with enough providers and offers, read in ", end=""
    )
    print(f"{time.perf_counter() - started:.1f} s")
    took: dict[Market, float] = {}
    days = shown = 0
    started, worked = time.perf_counter(), time.process_time()
    for market, rows in markets.items():
        began = time.process_time()
        series = index_series(_panel(rows))
        took[market] = time.process_time() - began
        days += len(series.days)
        shown += sum(not reason for reason in series.suppressed)
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    print(f"index of all: {seconds:.1f} s, {processor:.1f} s of processor time, ", end="")
    print(f"{days:,} days, {shown:,} values that may be published")
    for market in sorted(took, key=lambda name: -took[name])[:5]:
        offers = len({row[1] for row in markets[market]})
        print(f"   {' '.join(market):<45} {took[market]:5.2f} s, {offers:>5,} offers")


def read_markets(history: Path) -> tuple[dict[Market, list[Row]], int]:
    """Rows by market, (day, offer, provider, log price), only of markets that R16 could let through."""
    known: dict[tuple[str, str, str], tuple[str | None, str | None]] = {}
    markets: dict[Market, list[Row]] = defaultdict(list)
    count = 0
    with gzip.open(history, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            count += 1
            price = float(row["price_per_hour"] or 0)
            if price <= 0:
                continue
            asked = (row["gpu_model_raw"], row["gpu_memory_gb"], row["provider"])
            if asked not in known:
                known[asked] = _part(*asked)
            entry = (
                date.fromisoformat(row["observed_at"][:10]).toordinal(),
                tuple(row[name] for name in OFFER_COLUMNS),
                row["provider"],
                float(np.log(price)),
            )
            for scope, name in zip(("accelerator", "family"), known[asked], strict=True):
                if name:
                    markets[scope, name, row["price_kind"]].append(entry)
    return {market: rows for market, rows in markets.items() if _enough(rows)}, count


def _part(name: str, memory: str, provider: str) -> tuple[str | None, str | None]:
    if not name:
        return None, None
    found = identify(name, memory_gb=float(memory) if memory else None, provider=provider)
    part = accelerators().get(found.accelerator_id or "")
    return found.accelerator_id, part.family if part else found.family


def _enough(rows: list[Row]) -> bool:
    providers, offers = {row[2] for row in rows}, {row[1] for row in rows}
    return len(providers) >= FEWEST_PROVIDERS and len(offers) >= FEWEST_MATCHED


def _panel(rows: list[Row]) -> Any:
    offers: dict[tuple[str, ...], int] = {}
    numbers = np.array([offers.setdefault(row[1], len(offers)) for row in rows], dtype=np.int64)
    prices = np.array([row[3] for row in rows])
    return panel_from_rows(
        np.array([row[0] for row in rows], dtype=np.int64),
        numbers,
        np.array([row[2] for row in rows]),
        prices,
        prices,
        np.full(len(rows), HELD_DAYS, dtype=np.int64),
    )


if __name__ == "__main__":
    main()
