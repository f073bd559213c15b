"""Import of a collected price history: dated rows become one run per provider and day, through all checks.

The table's columns are those of a market collection: observed_at, provider, instance_type, gpu_model_raw,
gpu_count, gpu_memory_gb, vcpus, memory_gb, disk_gb, region, price_kind, price_per_hour, currency, per
(instance or gpu), available, interconnect, source_url, source_file. All providers of a day are staged,
cleaned, checked and kept together, in the order of days; spans are derived once, at the end. A test holds
this to the same verdicts as loading the same runs one by one. What a list does not mention means nothing:
such runs never withdraw an offer.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse import checks, clean, ingest, load, quarantine, spans
from warehouse.checks import Verdict
from warehouse.database import (
    fetch,
    open_warehouse,
    plain_errors,
    run_script,
    scalar,
    sql,
    transaction,
    warehouse_path,
)
from warehouse.errors import UsageError
from warehouse.load import Run
from warehouse.publish import publish
from warehouse.run_folder import ParseReport, SourceReport

if TYPE_CHECKING:
    import duckdb

ORIGIN = "history"
SLUG_TABLE = Path(__file__).parent / "market" / "providers.csv"
MORE_SLUGS = {
    "runpod.io": "runpod",
    "google-cloud-platform": "gcp",
    "index": "index",
    "primecompute": "prime_intellect",
    "dc-gnu": "prime_intellect",
    "dc-roan": "prime_intellect",
    "dc-wildebeest": "prime_intellect",
}
MARKETPLACES = {"vast", "tensordock", "prime_intellect", "salad", "lium", "hyperbolic", "akash", "spheron"}
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class HistoryResult:
    """What an import did.

    Attributes:
        rows: rows read as offers (the last of a day for each offer).
        skipped: rows left out: published indices, earlier observations of the same day, no readable time.
        days, runs: days, and runs of one provider and day; `known_runs` of them were in the warehouse before.
        accepted, held, rejected: rows by verdict.
        held_runs: runs that are held as a whole.
    """

    rows: int
    skipped: int
    days: int
    runs: int
    known_runs: int
    accepted: int
    held: int
    rejected: int
    held_runs: int


def import_history(
    home: Path,
    file: Path,
    *,
    now: datetime,
    whole: bool = False,
    since: date | None = None,
    until: date | None = None,
    progress: Progress = lambda line: None,
) -> HistoryResult:
    """Load a collected history into the warehouse of `home` and publish.

    Args:
        home: folder of the warehouse.
        file: CSV, gzipped or not.
        now: time of loading.
        whole: take each list for all that the provider sold that day. Then R7, R8 and R10 judge it too and
            its silence withdraws offers; for back-tests of the rules only.
        since, until: leave out earlier and later days.
        progress: called with a line now and then.

    Raises:
        UsageError: the file is not such a table.
        WarehouseError: the warehouse is held by another loader, or cannot be written.
    """
    with open_warehouse(home) as connection:
        with plain_errors(warehouse_path(home)):
            ingest.prepare(connection)
            total = read_rows(connection, file)
            runs = [
                run
                for run in _runs(connection, whole=whole)
                if run.bulk_day and (since or run.bulk_day) <= run.bulk_day <= (until or run.bulk_day)
            ]
            new = [run for run in runs if not load.is_loaded(connection, run)]
            connection.execute(
                "SET threads = 1"
            )  # many small steps: a second thread only has to be waited for
            verdicts = _load_days(connection, new, now, progress)
            with transaction(connection):
                load.declare_runs(
                    connection, runs
                )  # all: an import that was killed has left its spans undone
                spans.rebuild(connection)
            rows = int(scalar(connection, "SELECT count(*) FROM history_rows"))
        publish(connection, home, now=now)
    return HistoryResult(
        rows=rows,
        skipped=total - rows,
        days=len({run.bulk_day for run in runs}),
        runs=len(runs),
        known_runs=len(runs) - len(new),
        accepted=sum(verdict.accepted for verdict in verdicts if verdict.accepts),
        held=sum(verdict.held for verdict in verdicts),
        rejected=sum(verdict.rejected for verdict in verdicts),
        held_runs=sum(not verdict.accepts for verdict in verdicts),
    )


def read_rows(connection: duckdb.DuckDBPyConnection, file: Path) -> int:
    """Read the table into the temporary table `history_rows`; returns how many lines it has.

    Raises UsageError where the file is not there or is not such a table.
    """
    import duckdb

    if not file.is_file():
        raise UsageError(f"{file} is not there")
    slugs = provider_slugs()
    clean.table_of(
        connection,
        "history_slugs",
        {"slug": ("VARCHAR", list(slugs)), "name": ("VARCHAR", list(slugs.values()))},
    )
    try:
        run_script(connection, "load/history_rows", {"file": load.glob_escape(file)})
        return int(
            scalar(
                connection,
                "SELECT count(*) FROM read_csv($file, header = true, all_varchar = true, delim = ',', "
                "quote = '\"', escape = '\"')",
                {"file": load.glob_escape(file)},
            )
        )
    except (duckdb.BinderException, duckdb.InvalidInputException, duckdb.ConversionException) as error:
        text = " ".join(str(error).split())[:160]
        raise UsageError(f"{file} is not a table of dated prices ({text}); see gpufare load --help") from None


def provider_slugs() -> dict[str, str]:
    """How collections call a provider -> our name of it. What is in no table keeps its own name."""
    with SLUG_TABLE.open(encoding="utf-8", newline="") as table:
        known = {row["slug"]: row["provider"] for row in csv.DictReader(table)}
    return {**known, **MORE_SLUGS}


def _runs(connection: duckdb.DuckDBPyConnection, *, whole: bool) -> list[Run]:
    _, found = fetch(
        connection,
        "SELECT provider, day, max(observed_at), list_sort(list(DISTINCT source)), count(*) "
        "FROM history_rows GROUP BY provider, day ORDER BY day, provider",
    )
    return [
        Run(
            provider=provider,
            run_id=f"history-{provider}-{day:%Y%m%d}",
            observed_at=observed_at,
            origin=ORIGIN,
            partial=not whole,
            report=ParseReport(
                ORIGIN,
                observed_at.isoformat(),
                "good",
                sources=[SourceReport(source) for source in sources],
                facts={"kind": "marketplace" if provider in MARKETPLACES else "list"},
            ),
            bulk_day=day,
            first_party=False,
        )
        for provider, day, observed_at, sources, rows in found
    ]


def _load_days(
    connection: duckdb.DuckDBPyConnection, runs: list[Run], now: datetime, progress: Progress
) -> list[Verdict]:
    """Judge and keep the runs day by day, each day in one transaction."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE history_last (offer_id UBIGINT, crawler VARCHAR, source VARCHAR, "
        "price_per_hour DECIMAL(20, 10), priced_at TIMESTAMPTZ, last_listed TIMESTAMPTZ)"
    )
    number = load.next_number(connection, "runs", "run_no")
    known_shapes: dict[tuple[Any, ...], clean.Shape] = {}
    verdicts: list[Verdict] = []
    for place, (day, batch) in enumerate(_by_day(runs)):
        for run in batch:
            run.run_no = number
            number += 1
        with transaction(connection):
            verdicts += _load_day(connection, day, batch, now, known_shapes)
        if place % 100 == 99:
            progress(f"{day}: {len(verdicts):,} runs")
    return verdicts


def _by_day(runs: list[Run]) -> Iterator[tuple[Any, list[Run]]]:
    for day, batch in groupby(runs, key=lambda run: run.bulk_day):
        yield day, list(batch)


def _load_day(
    connection: duckdb.DuckDBPyConnection,
    day: date,
    runs: list[Run],
    now: datetime,
    known_shapes: dict[tuple[Any, ...], clean.Shape],
) -> list[Verdict]:
    load.declare_runs(connection, runs)
    load.stage_rows(connection, "(FROM history_rows WHERE day = $day)", {"day": day})
    clean.clean(connection, {}, known_shapes)
    checks.prepare_history(connection, previous="load/previous_history", days="core_price_days")
    verdicts = checks.check_runs(connection, runs, {})
    counts = [verdicts[run.run_no] for run in runs]
    ingest.write_runs(
        connection,
        [
            (run, verdict, (verdict.accepted, verdict.rejected, verdict.held))
            for run, verdict in zip(runs, counts, strict=True)
        ],
        now,
    )
    spans.record_coverages(connection, [(run, verdicts[run.run_no].state) for run in runs])
    load.keep_run(connection, newest=True)
    for run in runs:
        quarantine.keep_blocks(connection, run, verdicts[run.run_no])
    quarantine.keep_rows(connection)
    run_script(connection, "load/keep_quality")
    connection.execute(sql("load/run_counts"))
    spans.keep_price_days(connection, replaces=False)
    run_script(connection, "load/history_last")
    return counts
