"""Do the real gpuhunt and SkyPilot read our export, and do they give the same best offers?

    python -m bench.export_side_by_side --python /path/to/bench-env/bin/python [--home HOME]

Exports the market of HOME (default: a new home with the bundled snapshot), then starts the benchmark
environment's Python (bench/peers.txt says what is in it) once per tool on those files, and prints for
each question the cheapest price that gpufare and the tool give, side by side. No network: gpuhunt reads
GPUHUNT_CATALOG_DIR, SkyPilot its catalogue folder under a home of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from warehouse.export import export
from warehouse.export_names import GPUHUNT_CLOUDS, SKYPILOT_CLOUDS, gpuhunt_name, skypilot_name
from warehouse.queries import OfferFilter, offers, open_market

GPUHUNT = """
import json, sys
from gpuhunt import Catalog, QueryFilter
catalog, answers = Catalog(balance_resources=False, auto_reload=False), []
for provider, name, count, spot in json.load(sys.stdin):
    asked = dict(provider=[provider], gpu_name=[name], min_gpu_count=count, max_gpu_count=count, spot=spot)
    found = catalog.query(**asked)
    answers.append([found[0].price, found[0].instance_name, found[0].location] if found else None)
print(json.dumps(answers))
"""
SKYPILOT = """
import json, math, sys
from sky.catalog import common
frames, answers = {}, []
for cloud, name, count, spot in json.load(sys.stdin):
    if cloud not in frames:
        frames[cloud] = common.read_catalog(f"{cloud}/vms.csv")
    found = common.list_accelerators_impl(
        cloud, frames[cloud], False, f"^{name}$", None, count, all_regions=True
    ).get(name, [])
    priced = [(one.spot_price if spot else one.price, one.instance_type, one.region) for one in found]
    priced = [one for one in priced if not math.isnan(one[0])]
    answers.append(min(priced) if priced else None)
print(json.dumps(answers))
"""
Question = tuple[str, str, int, bool]


def main() -> int:
    """Export, ask both tools, print."""
    parser = argparse.ArgumentParser(description="gpufare's export read by the real gpuhunt and SkyPilot.")
    parser.add_argument(
        "--python", required=True, help="Python of the benchmark environment (bench/peers.txt)."
    )
    parser.add_argument("--home", type=Path, help="Home whose market is exported (default: the bundled one).")
    parser.add_argument("--stale", action="store_true", help="Offers of any age count (old markets).")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gpufare-peers-") as folder:
        rows = _rows(options.home or _bundled(Path(folder) / "home"), options.stale or options.home is None)
        worst = 0
        for tool in ("gpuhunt", "skypilot"):
            worst = max(worst, _compare(tool, rows, Path(folder) / tool, options.python))
    return worst


def _bundled(home: Path) -> Path:
    from warehouse.ingest import ingest_bundled

    ingest_bundled(home, now=datetime.now(UTC))
    return home


def _rows(home: Path, stale: bool) -> list[dict[str, Any]]:
    connection = open_market(home)
    try:
        return offers(connection, OfferFilter(include_stale=stale), now=datetime.now(UTC)).rows
    finally:
        connection.close()


def _compare(tool: str, rows: list[dict[str, Any]], folder: Path, python: str) -> int:
    if tool == "gpuhunt":
        done, script = export(rows, tool, folder), GPUHUNT
        environment = {"GPUHUNT_CATALOG_DIR": str(folder)}
    else:
        done, script = export(rows, tool, folder / ".sky" / "catalogs"), SKYPILOT
        environment = {
            "HOME": str(folder),
            "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
            "PYTHONWARNINGS": "ignore",
        }
    best = _best(tool, rows)
    questions = sorted(best)
    answered = subprocess.run(
        [python, "-c", script],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        env={
            "PATH": os.environ["PATH"],
            "http_proxy": "http://127.0.0.1:9",
            "https_proxy": "http://127.0.0.1:9",
        }
        | environment,
        check=False,
    )
    if answered.returncode:
        said = answered.stderr.strip().splitlines() or ["ended without a word"]
        print(f"{tool}: {said[-1]}")
        return 1
    answers = json.loads(answered.stdout.strip().splitlines()[-1])
    same = 0
    print(
        f"\n{tool}: {done.offers:,} offers exported; {sum(done.left_out.values()):,} left out "
        f"({', '.join(f'{why}: {count:,}' for why, count in done.left_out.most_common())})"
    )
    print(f"{'cloud':<12}{'part':<16}{'n':>3} {'kind':<10}{'gpufare $/h':>12}{tool + ' $/h':>14}  same")
    for question, answer in zip(questions, answers, strict=True):
        cloud, name, count, spot = question
        equal = answer is not None and abs(answer[0] - best[question]) < 1e-6 * best[question]
        same += equal
        theirs = f"{answer[0]:.4f}" if answer else "nothing"
        print(
            f"{cloud:<12}{name:<16}{count:>3} {'spot' if spot else 'on demand':<10}{best[question]:>12.4f}"
            f"{theirs:>14}  {'yes' if equal else 'NO'}"
        )
    print(f"{tool}: {same} of {len(questions)} best offers are the same")
    return int(same != len(questions))


def _best(tool: str, rows: list[dict[str, Any]]) -> dict[Question, float]:
    """The cheapest machine price per cloud, part, count and kind, of the offers that the format can hold."""
    from warehouse.export import _unusable

    clouds, named = (GPUHUNT_CLOUDS, gpuhunt_name) if tool == "gpuhunt" else (SKYPILOT_CLOUDS, skypilot_name)
    best: dict[Question, float] = {}
    for row in rows:
        name, cloud = named(row), clouds.get(row["provider"])
        if not name or not cloud or _unusable(row):
            continue
        key = (cloud, name, int(row["gpu_count"]), row["price_kind"] == "spot")
        best[key] = min(best.get(key, float("inf")), row["price_usd_per_hour"])
    return best


if __name__ == "__main__":
    raise SystemExit(main())
