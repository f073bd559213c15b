"""What loading costs, step by step: ``python -m bench.warehouse_load [--offers 270000] [--runs 2]``.

One provider's run of that many offers (the bundled Google Cloud rows, repeated with keys of their own), then
the same run again a day later with three per cent of its prices moved: the second shows what an unchanged
price seen again takes. Prints seconds per step, file sizes and the warm query.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.market_size import LAST_RUN, OFFERS, _at, _many, _write_run

PROVIDER = "gcp"


def main() -> None:
    """Build, load and print."""
    parser = argparse.ArgumentParser(description="Times loading, cleaning, checking, spans and publishing.")
    parser.add_argument("--offers", type=int, default=OFFERS)
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gpufare-load-") as folder:
        measure(Path(folder), options.offers, options.runs)


def measure(home: Path, offers: int, runs: int) -> None:
    """Load `runs` runs of `offers` offers one after the other and print each step."""
    rows = _one_provider(offers)
    for number in range(runs):
        moment = LAST_RUN + timedelta(days=number - runs)
        run = _write_run(home / "runs", PROVIDER, _at(rows, moment, number), moment)
        before = _size(home)
        with timed_steps() as steps:
            started = time.perf_counter()
            _ingest(home, run, moment)
            total = time.perf_counter() - started
        publishing = steps.get("publish", 0.0)
        print(
            f"run {number + 1}: {offers:,} offers: load + clean + check + spans {total - publishing:.2f} s "
            f"(budget 3 s), "
            f"publish {publishing:.2f} s; warehouse +{(_size(home) - before) / offers:.1f} bytes an offer"
        )
        print("   " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in steps.items()))
    _query(home, moment)


def one_load(home: Path, offers: int) -> tuple[float, float]:
    """Load one run into an empty home. Returns seconds of (load + clean + check + spans, publish)."""
    moment = LAST_RUN
    run = _write_run(home / "runs", PROVIDER, _at(_one_provider(offers), moment, 0), moment)
    with timed_steps() as steps:
        started = time.perf_counter()
        _ingest(home, run, moment)
        total = time.perf_counter() - started
    return total - steps.get("publish", 0.0), steps.get("publish", 0.0)


def _one_provider(offers: int) -> Any:
    import pyarrow.compute as pc

    many = _many(2802)
    own = many.filter(pc.equal(many["provider"], PROVIDER))
    import pyarrow as pa

    rows = own.take(pa.array([index % own.num_rows for index in range(offers)]))
    keys = [f"{index % own.num_rows} {index // own.num_rows}" for index in range(offers)]
    return rows.set_column(rows.column_names.index("offer_key"), "offer_key", pa.array(keys, pa.string()))


def _ingest(home: Path, run: Path, moment: Any) -> None:
    from warehouse.ingest import ingest

    for result in ingest(home, [run], now=moment, origin="replay"):
        if result.state != "good":
            print(f"   state {result.state}: {result.reason}")
        for warning in result.warnings:
            print(f"   {warning}")


@contextmanager
def timed_steps() -> Iterator[dict[str, float]]:
    """Seconds per step while inside, by wrapping the steps of `warehouse.ingest`."""
    from warehouse import checks, clean, ingest, load, quarantine, spans

    steps: dict[str, float] = {}
    places: list[tuple[Any, str, str]] = [
        (load, "stage_run", "stage"),
        (clean, "clean", "clean"),
        (checks, "prepare_history", "history"),
        (checks, "check_run", "check"),
        (load, "keep_run", "keep"),
        (quarantine, "keep_quarantine", "quarantine"),
        (spans, "extend", "spans"),
        (spans, "rebuild", "rebuild"),
        (spans, "keep_price_days", "days"),
        (ingest, "publish", "publish"),
    ]
    kept = [(module, name, getattr(module, name)) for module, name, _ in places]
    for module, name, step in places:
        setattr(module, name, _timed(getattr(module, name), steps, step))
    try:
        yield steps
    finally:
        for module, name, function in kept:
            setattr(module, name, function)


def _timed(function: Callable[..., Any], steps: dict[str, float], step: str) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            steps[step] = steps.get(step, 0.0) + time.perf_counter() - started

    return call


def _query(home: Path, now: Any) -> None:
    from warehouse.queries import OfferFilter, offers, open_market

    connection = open_market(home)
    for what, asked in (
        ("--gpu h100 --limit 25", OfferFilter(gpu="h100", limit=25)),
        ("--gpu a100 --continent europe --limit 25", OfferFilter(gpu="a100", continent="europe", limit=25)),
        ("--limit 25", OfferFilter(limit=25)),
    ):
        seconds = []
        for _ in range(15):
            started = time.perf_counter()
            answer = offers(connection, asked, now=now)
            seconds.append(time.perf_counter() - started)
        print(
            f"offers {what}: {answer.total:,} found, "
            f"warm {statistics.median(seconds) * 1000:.1f} ms (budget 5 ms)"
        )
    connection.close()


def _size(home: Path) -> int:
    file = home / "warehouse.duckdb"
    return file.stat().st_size if file.exists() else 0


if __name__ == "__main__":
    main()
