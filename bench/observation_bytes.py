"""What an observation costs in the warehouse: ``python -m bench.observation_bytes [--offers 100000] [--runs
6]``.

One provider's run is loaded again and again: first with every price as before, then with three per cent
of them moved from their base price each time (and last time's moved back). Prints the growth of used
blocks of the loader's file per observation seen again, and per observation that changed. The file itself
also holds blocks that are free to be used again; they are printed beside it.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import timedelta
from pathlib import Path

from bench.market_size import LAST_RUN, _at, _write_run
from bench.warehouse_load import _one_provider


def main() -> None:
    """Load, measure, print."""
    parser = argparse.ArgumentParser(description="Bytes per observation in the loader's file.")
    parser.add_argument("--offers", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=6, help="Runs of each kind.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gpufare-bytes-") as folder:
        home, rows = Path(folder), _one_provider(options.offers)
        _load(home, rows, 0, 0)
        _load(home, rows, 1, 0)
        first, _, states = _size(home)
        for number in range(options.runs):
            _load(home, rows, number + 2, 0)
        same, free, _ = _size(home)
        seen = options.runs * options.offers
        each = (same - first) / seen
        print(f"unchanged: {each:.2f} bytes an observation (target below 2), {seen:,} observations")
        for number in range(options.runs):
            _load(home, rows, options.runs + 2 + number, number + 1)
        moved, free, more = _size(home)
        changed = more - states
        each, price = (moved - same) / seen, (moved - same) / changed
        print(f"with 3 % moved: {each:.2f} bytes an observation, {price:.0f} bytes a new price ({changed:,})")
        print(f"used {moved / 1e6:.1f} MB, free inside the file {free / 1e6:.1f} MB")


def _load(home: Path, rows: object, number: int, prices: int) -> None:
    from warehouse import ingest

    moment = LAST_RUN + timedelta(hours=number - 100)
    run = _write_run(home / "runs", "gcp", _at(rows, moment, prices), moment)
    published = ingest.publish
    ingest.publish = lambda *given, **named: home  # type: ignore[assignment]
    try:
        ingest.ingest(home, [run], now=moment, origin="replay")
    finally:
        ingest.publish = published


def _size(home: Path) -> tuple[int, int, int]:
    """Bytes in use and free inside the loader's file, and prices ever stated."""
    from warehouse.database import open_warehouse

    with open_warehouse(home) as connection:
        connection.execute("CHECKPOINT warehouse")
        row = connection.execute(
            "SELECT block_size * used_blocks, block_size * free_blocks, (SELECT count(*) FROM raw_states) "
            "FROM pragma_database_size() WHERE database_name = 'warehouse'"
        ).fetchone()
    return (int(row[0]), int(row[1]), int(row[2])) if row else (0, 0, 0)


if __name__ == "__main__":
    main()
