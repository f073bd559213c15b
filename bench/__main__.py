"""`python -m bench` (make bench): the budget table of the design, and what we measure today.

Whole-process figures are the median of five runs after a warm-up. The two markets are the bundled one and
270,000 offers made from it (bench.market_size). Nothing here passes or fails: it prints.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from bench.measure import Measured, gpufare, measure

OFFERS = 270_000
SERVE_8B = ("recommend", "serve", "--model", "llama-3.1-8b", "--requests-per-second", "5", "--json")
SERVE_70B = (
    *("recommend", "serve", "--model", "llama-3.1-70b", "--requests-per-second", "10", "--ttft-ms", "500"),
    *("--tpot-ms", "50", "--continent", "europe", "--json"),
)
OFFERS_H100 = ("offers", "--gpu", "h100", "--json", "--limit", "25")


def main() -> None:
    """Print the table row by row as it is measured."""
    with tempfile.TemporaryDirectory(prefix="gpufare-bench-") as folder:
        print(f"{'what':<66}{'budget':>16}{'measured':>28}", flush=True)
        for measurement in (_bundled, _daily, _large, _imports, _warm_query, _site):
            for what, budget, figure in measurement(Path(folder)):
                print(f"{what:<66}{budget:>16}{figure:>28}", flush=True)


def _bundled(folder: Path) -> Iterator[tuple[str, str, str]]:
    home = folder / "bundled"
    load = measure(gpufare(str(home), "providers", "--json"), runs=1, warmup=0)
    yield "first command of a new home (loads the bundled market)", "-", _process(load)
    yield "offers --gpu h100, bundled market, whole process", "150 ms", _process(_run(home, OFFERS_H100))
    levers = _run(home, ("levers", *SERVE_8B[1:]))
    yield "levers serve llama-3.1-8b, bundled market, whole process", "2 s", _process(levers)
    yield (
        "recommend serve llama-3.1-8b, bundled market, whole process",
        "600 ms",
        _process(_run(home, SERVE_8B)),
    )


def _daily(folder: Path) -> Iterator[tuple[str, str, str]]:
    """The whole day with every address refused: the network's place is a closed port of this machine."""
    nowhere = "http://127.0.0.1:9"
    command = ["env", f"HTTP_PROXY={nowhere}", f"HTTPS_PROXY={nowhere}", f"http_proxy={nowhere}"]
    command += [f"https_proxy={nowhere}", *gpufare(str(folder / "daily"), "daily")]
    found = measure(command, runs=1, warmup=0)
    said = "/".join(map(str, found.exit_codes))
    yield "gpufare daily in a new home, no network", "180 s", f"{found.seconds:.0f} s, exit {said}"


def _large(folder: Path) -> Iterator[tuple[str, str, str]]:
    from bench.market_size import build_market
    from bench.warehouse_load import one_load

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:  # keeps our own memory small
        load, publish = apart.submit(one_load, folder / "load", OFFERS).result()
    yield f"load + clean + check one run of {OFFERS:,} offers", "3 s", f"{load:.2f} s"
    yield "publish them", "-", f"{publish:.2f} s"
    shutil.rmtree(folder / "load")
    home = folder / "large"
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        apart.submit(build_market, home, offers=OFFERS).result()
    yield (
        f"offers --gpu h100 on {OFFERS:,} offers, whole process",
        "150 ms",
        _process(_run(home, OFFERS_H100)),
    )
    yield f"recommend serve on {OFFERS:,} offers, whole process", "600 ms", _process(_run(home, SERVE_70B))
    size = (home / "market.duckdb").stat().st_size
    yield "the published copy", "-", f"{size / 1e6:.0f} MB"


def _warm_query(folder: Path) -> Iterator[tuple[str, str, str]]:
    from warehouse.database import open_market
    from warehouse.queries import OfferFilter, offers

    connection = open_market(folder / "large")
    now = datetime.now(UTC)
    times = _times(lambda: offers(connection, OfferFilter(gpu="h100", limit=25), now=now))
    connection.close()
    yield "the offers query alone, warm", "5 ms", f"{times * 1000:.1f} ms"


def _site(folder: Path) -> Iterator[tuple[str, str, str]]:
    from reports.site import build_site

    result = build_site(folder / "bundled", folder / "site", now=datetime.now(UTC))
    front = (folder / "site" / "index.html").stat().st_size
    yield f"the whole site ({result.pages} pages), bundled market", "5 s", f"{result.seconds:.2f} s"
    yield "front page", "150 KB", f"{front / 1000:.0f} KB"
    shutil.rmtree(folder / "site")


def _imports(folder: Path) -> Iterator[tuple[str, str, str]]:
    for module in ("gpufare.cli.main", "duckdb"):
        found = measure([sys.executable, "-c", f"import {module}"])
        yield f"import {module}", "-", _process(found)


def _run(home: Path, arguments: tuple[str, ...]) -> Measured:
    return measure(gpufare(str(home), *arguments))


def _process(found: Measured) -> str:
    said = "" if found.exit_codes == (0,) else f" exit {'/'.join(map(str, found.exit_codes))}"
    return f"{found.seconds * 1000:.0f} ms, {found.peak_mib:.0f} MiB{said}"


def _times(call: Callable[[], object], runs: int = 20) -> float:
    call()
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
