"""kill -9 at random points of load, clean, check, span and publish: ``python -m bench.kill [--rounds 200]``.

Each round starts a process that loads one more run of a small provider and kills it after a random share
of the time that a whole load takes (the seed is fixed). Then: is the published file readable, is every
observation that was committed before still there, and is the run in the warehouse whole or not at all?
The next round loads it with its own, and in the end every run must be there. Prints observations lost and
how often the published copy was readable.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.market_size import LAST_RUN, _at, _many, _write_run

OFFERS = 400
SEED = 20261127
CHILD = """
import sys
from datetime import datetime
from pathlib import Path
from warehouse.ingest import ingest
sys.stdout.write("x"); sys.stdout.flush()
runs = [Path(name) for name in sys.argv[3:]]
ingest(Path(sys.argv[1]), runs, now=datetime.fromisoformat(sys.argv[2]), origin="replay")
"""


def main() -> int:
    """Kill and count."""
    parser = argparse.ArgumentParser(description="kill -9 at random points of loading and publishing.")
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gpufare-kill-") as folder:
        lost, readable, where = rounds(Path(folder), options.rounds)
    print(
        f"killed {options.rounds} times: "
        + ", ".join(f"{count} {what}" for what, count in sorted(where.items()))
    )
    print(f"observations lost {lost}; published file readable {readable} of {options.rounds}")
    return int(lost > 0 or readable < options.rounds)


def rounds(home: Path, count: int) -> tuple[int, int, Counter[str]]:
    """Run the rounds. Returns (observations lost, rounds with a readable copy, where the kill fell)."""
    import pyarrow.compute as pc

    chance = random.Random(SEED)
    rows = _many(8000)
    rows = rows.filter(pc.equal(rows["provider"], "gcp")).slice(0, OFFERS)
    start = LAST_RUN - timedelta(hours=count + 3)
    seconds = 0.0
    for number in (0, 1):
        seconds = _child(home, [_run(home, rows, start, number)], start, None)
    lost = readable = 0
    where: Counter[str] = Counter()
    runs = []
    for number in range(2, count + 2):
        runs.append(_run(home, rows, start, number))
        before = _sightings(home)
        _child(home, runs[-2:], start + timedelta(hours=number), chance.random() * seconds * 1.2)
        readable += _readable(home)
        grew = _sightings(home) - before
        lost += max(0, -grew) + grew % rows.num_rows
        where["before a commit" if not grew else "after a commit"] += 1
    _child(home, runs, start + timedelta(hours=count + 2), None)
    return lost + max(0, (count + 2) * rows.num_rows - _sightings(home)), readable, where


def _run(home: Path, rows: Any, start: datetime, number: int) -> Path:
    moment = start + timedelta(hours=number)
    return _write_run(home / "runs", "gcp", _at(rows, moment, number), moment)


def _child(home: Path, runs: list[Path], now: datetime, kill_after: float | None) -> float:
    """Load runs in a process of its own. Seconds from its first word to its end."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home), now.isoformat(), *map(str, runs)],
        stdout=subprocess.PIPE,
    )
    if child.stdout is None:
        raise AssertionError("standard output was asked for")
    child.stdout.read(1)
    started = time.perf_counter()
    if kill_after is not None:
        try:
            child.wait(kill_after)
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    return time.perf_counter() - started


def _sightings(home: Path) -> int:
    from warehouse.database import open_warehouse

    with open_warehouse(home) as connection:
        row = connection.execute("SELECT count(*) FROM raw_sightings").fetchone()
    return int(row[0]) if row else 0


def _readable(home: Path) -> bool:
    from warehouse.database import open_market
    from warehouse.errors import WarehouseError

    try:
        connection = open_market(home)
        row = connection.execute("SELECT count(*), count(price_usd_per_hour) FROM offers").fetchone()
        connection.close()
    except WarehouseError as error:
        print(error)
        return False
    return bool(row and row[0] > 0)


if __name__ == "__main__":
    raise SystemExit(main())
