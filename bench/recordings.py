"""`python -m bench.recordings [PROVIDER...]`: what our crawl makes of real answers that others recorded.

Each run folder below ../shared/recordings for which we have a spider goes through the whole command,
``gpufare crawl --replay FOLDER --dry-run --json``, in a process of its own. Its rows are matched with the
folder's expected.csv: instance type, price kind and term, region, availability and GPU count where the file
states them, price within 0.1 % (Vast 1 %); token prices and grid carbon have columns of their own. Nothing
passes or fails here: it prints.
"""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
RECORDINGS = PROJECT.parent / "shared" / "recordings"
TERMS = {"reserved_1y": ("reserved", 12), "reserved_3y": ("reserved", 36)}
SOLD_AS = {"8x MI300X bare metal": ("reserved", 1)}  # "one-month minimum", listed as on demand
TOKEN_KEY = {"provider": "provider", "model": "model_id"}
TOKEN_NUMBERS = {
    "input_usd_per_mtok": "input_usd_per_mtok",
    "output_usd_per_mtok": "output_usd_per_mtok",
    "cached_input_usd_per_mtok": "cache_read_usd_per_mtok",
    "context_length": "context_length",
}
CARBON_NUMBERS = {"g_co2e_per_kwh": "g_co2_per_kwh", "carbon_free_share": "cfe"}
HEADER = f"{'recording':<46}{'rows':>11}{'GPUs right':>12}{'beyond':>8}{'held':>6}{'seconds':>9}"


@dataclass(frozen=True, slots=True)
class Score:
    """Rows found of rows expected; of the found ones whose part is expected, how many have it; the rest."""

    found: int
    expected: int
    optional: int
    parts_right: int
    parts_expected: int
    beyond: int
    held: int


def main(providers: list[str]) -> None:
    """Print one line per recording, and the sums."""
    folders = [path.parent for path in sorted(RECORDINGS.glob("*/*/run.json")) if _wanted(path, providers)]
    if not folders:
        print("no recording was found in ../shared/recordings")
        return
    print(HEADER)
    scores, total_seconds = [], 0.0
    with tempfile.TemporaryDirectory(prefix="gpufare-recordings-") as home:
        for folder in folders:
            started = time.perf_counter()
            answer = _dry_run(folder, Path(home))
            seconds = time.perf_counter() - started
            total_seconds += seconds
            name = f"{folder.parent.name}/{folder.name}"
            if isinstance(answer, str):
                print(f"{name:<46}  {answer}")
                continue
            scores.append(score(folder, answer))
            print(_line(name, scores[-1], f"{seconds:.1f}"), flush=True)
    print(_line("all", _sum(scores), f"{total_seconds:.1f}"))
    print(f"largest process: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:,.0f} MiB")


def _wanted(run_json: Path, providers: list[str]) -> bool:
    provider = run_json.parent.parent.name
    known = (PROJECT / "crawlers" / "spiders" / f"{provider}.py").exists()
    return known and (run_json.parent / "expected.csv").exists() and (not providers or provider in providers)


def _dry_run(folder: Path, home: Path) -> list[dict[str, Any]] | str:
    command = [sys.executable, "-m", "gpufare", "--home", str(home), "crawl", "--replay", str(folder)]
    done = subprocess.run(
        [*command, "--dry-run", "--json"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    try:
        rows: list[dict[str, Any]] = json.loads(done.stdout)["data"]
    except (ValueError, KeyError):
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return rows


def score(folder: Path, rows: list[dict[str, Any]]) -> Score:
    """Match the rows of a dry run with the folder's expected.csv."""
    with (folder / "expected.csv").open(encoding="utf-8", newline="") as file:
        expected = [row for row in csv.DictReader(file) if row.get("price_kind") != "spec"]
    if folder.parent.name == "ecb_fx":
        return _score_rates(rows, expected)
    if expected and "model_id" in expected[0]:
        return _score_numbers(rows, expected, TOKEN_KEY, TOKEN_NUMBERS)
    if expected and "g_co2_per_kwh" in expected[0]:
        newest = max(row["period"] for row in rows)
        rows = [row for row in rows if row["period"] == newest]
        return _score_numbers(rows, expected, {"region": "region"}, CARBON_NUMBERS)
    left: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        left.setdefault(str(row["instance_type"]), []).append(row)
    tolerance = 0.01 if folder.parent.name == "vast" else 0.001
    found = parts_right = parts_expected = 0
    for want in expected:
        candidates = left.get(want["instance_type_raw"], [])
        fits = [row for row in candidates if _same(row, want, tolerance)]
        match = next((row for row in fits if row["accelerator_id"] == want["accelerator_id"]), None)
        match = match or next(iter(fits), None)
        if match is None:
            continue
        candidates.remove(match)
        found += 1
        if want["accelerator_id"]:
            parts_expected += 1
            parts_right += match["accelerator_id"] == want["accelerator_id"]
    optional = sum("optional" in row["note"] for row in expected)
    beyond = sum(map(len, left.values()))
    held = sum(str(row["state"]).startswith("held") for row in rows)
    return Score(found, len(expected), optional, parts_right, parts_expected, beyond, held)


def _score_rates(rows: list[dict[str, Any]], expected: list[dict[str, str]]) -> Score:
    got = {(row["date"], row["currency"], float(row["units_per_eur"])) for row in rows}
    want = {(row["date"], row["currency"], float(row["units_per_eur"])) for row in expected}
    return Score(len(got & want), len(want), 0, 0, 0, len(got - want), 0)


def _score_numbers(
    rows: list[dict[str, Any]], expected: list[dict[str, str]], key: dict[str, str], numbers: dict[str, str]
) -> Score:
    """Rows with numbers of their own; `key` and `numbers` map our columns to the file's; 0: not stated."""
    ours = {tuple(row[name] for name in key): row for row in rows}
    found = 0
    for want in expected:
        row = ours.pop(tuple(want[name] for name in key.values()), None)
        found += row is not None and all(_near(row[name], want[theirs]) for name, theirs in numbers.items())
    return Score(found, len(expected), 0, 0, 0, len(ours), 0)


def _near(got: float | None, want: str) -> bool:
    wanted = float(want or 0)
    return not wanted if got is None else bool(wanted) and abs(got / wanted - 1) <= 0.001


def _same(row: dict[str, Any], want: dict[str, str], tolerance: float) -> bool:
    stated = TERMS.get(want["price_kind"], (want["price_kind"], row["term_months"]))
    kind, term = SOLD_AS.get(want["instance_type_raw"], stated)
    price = row["price_per_hour"]
    return (
        (row["price_kind"], row["term_months"], row["currency"]) == (kind, term, want["currency"])
        and price is not None
        and abs(price / float(want["price_per_hour"]) - 1) <= tolerance
        and (not want["region"] or row["region"] == want["region"])
        and (not want["available"] or str(row["available"]).lower() == want["available"])
        and (not want["gpu_count"] or row["gpu_count"] == float(want["gpu_count"]))
    )


def _sum(scores: list[Score]) -> Score:
    names = Score.__dataclass_fields__
    return Score(**{name: sum(getattr(item, name) for item in scores) for name in names})


def _line(name: str, item: Score, seconds: str) -> str:
    rows, parts = f"{item.found}/{item.expected}", f"{item.parts_right}/{item.parts_expected}"
    return f"{name:<46}{rows:>11}{parts:>12}{item.beyond:>8}{item.held:>6}{seconds:>9}"


if __name__ == "__main__":
    main(sys.argv[1:])
