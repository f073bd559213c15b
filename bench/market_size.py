"""Builds a home with a market of any size, for benchmarks and for trying things at scale.

    python -m bench.market_size HOME                    # 270,000 offers, all providers of the bundled market
    python -m bench.market_size HOME --offers 10000 --runs 3

The offers are the bundled ones, repeated: each copy has its own key and a price that differs by up to a tenth
from the original, so spreads, names, regions and price kinds are those of the real market. One run folder a
provider and run, an hour apart, loaded through `warehouse.ingest` like a crawl. The seed is fixed: the same
call gives the same market. Nothing of it is true as a price, and its notes say so.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.bundled import bundled_offers
from warehouse.run_folder import ParseReport, RunFolderWriter, SourceReport, offers_schema

if TYPE_CHECKING:
    import pyarrow as pa

OFFERS = 270_000
SEED = 20261121
LAST_RUN = datetime(2026, 11, 21, 6, tzinfo=UTC)
MOVED_SHARE = 0.03  # list prices that differ from one run to the next (95-97 % do not move in a day)


@dataclass(frozen=True, slots=True)
class BuiltMarket:
    """What was built: rows per run, providers, and how long writing and loading took."""

    offers: int
    providers: int
    runs: int
    write_seconds: float
    load_seconds: float


def main() -> int:
    """Command line: build the home and print what it took."""
    parser = argparse.ArgumentParser(description="Builds a home with a large market, for benchmarks.")
    parser.add_argument("home", type=Path, help="empty folder that becomes the home")
    parser.add_argument("--offers", type=int, default=OFFERS, help=f"offers a run (default {OFFERS:,})")
    parser.add_argument(
        "--runs", type=int, default=1, help="runs of each provider, an hour apart (default 1)"
    )
    options = parser.parse_args()
    if options.offers < 1 or options.runs < 1:
        print("--offers and --runs must be 1 or more")
        return 2
    if (options.home / "warehouse.duckdb").exists():
        print(f"{options.home} holds a warehouse already; give an empty folder")
        return 2
    built = build_market(options.home, offers=options.offers, runs=options.runs)
    print(
        f"{built.offers:,} offers of {built.providers} providers in {built.runs} run(s): "
        f"written in {built.write_seconds:.1f} s, loaded and published in {built.load_seconds:.1f} s"
    )
    return 0


def build_market(
    home: Path, *, offers: int = OFFERS, runs: int = 1, last_run: datetime = LAST_RUN
) -> BuiltMarket:
    """Write the run folders under `home` and ingest them.

    Args:
        home: an empty or new folder.
        offers: rows a run, over all providers together.
        runs: how many runs of each provider, an hour apart, the newest at `last_run`; from one to the next
            three per cent of the prices move.
        last_run: time of the newest run, also the time of loading.
    """
    from warehouse.ingest import ingest

    started = time.perf_counter()
    home.mkdir(parents=True, exist_ok=True)
    table = _many(offers)
    folders = []
    providers = 0
    for provider, part in _by_provider(table):
        providers += 1
        for back in range(runs - 1, -1, -1):
            moment = last_run - timedelta(hours=back)
            folders.append(_write_run(home / "runs", provider, _at(part, moment, back), moment))
    written = time.perf_counter()
    ingest(home, folders, now=last_run, origin="replay")
    return BuiltMarket(offers, providers, runs, written - started, time.perf_counter() - written)


def _many(offers: int) -> pa.Table:
    """The bundled snapshot repeated up to `offers` rows, by provider; the first of each is as it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bundled = bundled_offers()
    bundled = bundled.filter(pc.equal(bundled["role"], "current")).select(offers_schema().names)
    size = bundled.num_rows
    dice = random.Random(SEED)
    rows = bundled.take(pa.array([index % size for index in range(offers)]))
    keys = rows["offer_key"].to_pylist()
    prices = rows["price_raw"].to_pylist()
    for index in range(size, offers):
        keys[index] = f"{keys[index] or 'bench'} {index}"
        prices[index] = _moved(prices[index], dice)
    notes = pa.array(["made up for a benchmark"] * offers, pa.string())
    for name, values in (
        ("offer_key", pa.array(keys, pa.string())),
        ("price_raw", pa.array(prices, pa.string())),
    ):
        rows = rows.set_column(rows.column_names.index(name), name, values)
    rows = rows.set_column(rows.column_names.index("note"), "note", notes)
    return rows.sort_by("provider")


def _moved(price: str, dice: random.Random) -> str:
    """The price, up to a tenth up or down, to four significant digits."""
    return format(Decimal(f"{float(price) * dice.uniform(0.9, 1.1):.4g}"), "f")


def _by_provider(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    start = 0
    for provider, group in groupby(table["provider"].to_pylist()):
        length = sum(1 for _ in group)
        yield provider, table.slice(start, length)
        start += length


def _at(part: pa.Table, moment: datetime, back: int) -> pa.Table:
    """The rows as seen at `moment`, `back` runs before the newest: observed then, a few at another price."""
    import pyarrow as pa

    dice = random.Random(f"{SEED}/{back}")
    if back:
        prices = [
            _moved(p, dice) if dice.random() < MOVED_SHARE else p for p in part["price_raw"].to_pylist()
        ]
        part = part.set_column(
            part.column_names.index("price_raw"), "price_raw", pa.array(prices, pa.string())
        )
    times = pa.array([moment] * part.num_rows, offers_schema().field("observed_at").type)
    return part.set_column(part.column_names.index("observed_at"), "observed_at", times)


def _write_run(root: Path, provider: str, rows: pa.Table, moment: datetime) -> Path:
    """A run folder around the rows; its one body is the seed, so the run id is the same every time."""
    import pyarrow.parquet as pq

    source = {"origin": "bench.market_size", "licence": "none needed", "fidelity": "made up", "note": ""}
    writer = RunFolderWriter(root, provider, moment, partial=False, source=source)
    body = f"bench {SEED} {provider} {rows.num_rows}".encode()
    writer.add("GET", f"https://bench.invalid/{provider}", None, 200, {}, body, suffix=".txt")
    sources: list[str] = sorted(set(rows["source"].to_pylist()))
    report = ParseReport(
        parser_version="bench",
        parsed_at=moment.isoformat(),
        state="good",
        sources=[SourceReport(name) for name in sources],
        facts=_facts(provider),
        requests=1,
    )
    folder = writer.finish(report, [])
    pq.write_table(rows.cast(offers_schema()), folder / "offers.parquet", compression="zstd")
    return folder


def _facts(provider: str) -> dict[str, Any]:
    from warehouse.bundled import bundled_providers

    known = bundled_providers()[provider]
    return {"title": known["title"], "homepage": known["page"], "first_party": True}


if __name__ == "__main__":
    sys.exit(main())
