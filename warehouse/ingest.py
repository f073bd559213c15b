"""From run folders to the published market: load, clean, check, span, publish; and the dry run.

Each run is one transaction: it is in the warehouse whole or not at all. A run that is held or failed is
recorded with its reason and changes no offer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse import checks, clean, load, quarantine, reference_rows, spans
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
from warehouse.errors import GpufareError, RunFolderError
from warehouse.load import BUNDLED, Run
from warehouse.publish import publish, published_revision
from warehouse.run_folder import ParseReport, SourceReport

if TYPE_CHECKING:
    import duckdb

    from warehouse.dry_run import DryRun


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What became of one run.

    Attributes:
        run_id, provider: the run; for the bundled snapshot both are "bundled".
        state: good, partial, held or failed.
        reason: why it is not good, one line.
        offers: offers accepted into the market.
        rejected, held: rows refused, and rows that wait in quarantine.
        warnings: one line each.
        already_loaded: True where the run was in the warehouse before: nothing was changed.
        no_gpu: rows of machine types without a GPU, left out.
        rates: exchange rates the run held.
        token_prices, grid_carbon: rows of these kinds that the run held.
    """

    run_id: str
    provider: str
    state: str
    reason: str | None
    offers: int
    rejected: int
    held: int
    warnings: tuple[str, ...] = ()
    already_loaded: bool = False
    no_gpu: int = 0
    rates: int = 0
    token_prices: int = 0
    grid_carbon: int = 0


def ingest(home: Path, folders: Iterable[Path], *, now: datetime, origin: str = "live") -> list[LoadResult]:
    """Load run folders that are not loaded yet, oldest first, and publish the market.

    A folder that cannot be read costs only itself: its result is "failed" with the line that says why.

    Args:
        home: folder of warehouse and published copy.
        folders: run folders (parsed: with parse.json).
        now: time of loading.
        origin: live or replay.

    Raises:
        WarehouseError: the warehouse is held by another loader, newer, corrupt, or has no room.
    """
    runs, results = _read_all(folders, origin)
    with open_warehouse(home) as connection:
        with plain_errors(warehouse_path(home)):
            prepare(connection)
            for run in sorted(runs, key=lambda run: (run.observed_at, run.provider, run.run_id)):
                results.append(load_run(connection, run, now=now))
        if published_revision(home) != _revision(connection):
            publish(connection, home, now=now)
    return results


def ingest_bundled(home: Path, *, now: datetime) -> LoadResult | None:
    """Load the snapshot of the package where the warehouse is empty. None where it is not.

    Its rows go the way of all rows, as runs ``bundled-<provider>-<date>``; its weekly history becomes
    `price_days`. Raises WarehouseError like `ingest`.
    """
    with open_warehouse(home) as connection:
        verdict = None
        with plain_errors(warehouse_path(home)):
            if not scalar(connection, "SELECT count(*) FROM runs WHERE origin = 'bundled' OR offers > 0"):
                prepare(connection)
                with transaction(connection):
                    verdict = load_bundled(connection, now)
                _load_bundled_reference(connection, now)
        if published_revision(home) != _revision(connection):
            publish(connection, home, now=now)
    return None if verdict is None else _result(BUNDLED, BUNDLED, verdict)


def _load_bundled_reference(connection: duckdb.DuckDBPyConnection, now: datetime) -> None:
    """Token prices and grid intensities of the package, as runs of their sources."""
    import tempfile

    from warehouse.bundled_reference import bundled_reference_runs

    with tempfile.TemporaryDirectory() as folder:
        for run in bundled_reference_runs(Path(folder)):
            load_run(connection, run, now=now)


def republish(home: Path, *, now: datetime) -> Path:
    """Build the published copy anew from the warehouse."""
    with open_warehouse(home) as connection:
        return publish(connection, home, now=now)


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Put the package's exchange rates into a warehouse that has none."""
    if scalar(connection, "SELECT count(*) FROM fx_rates"):
        return
    from warehouse.fx import bundled_rates

    rates = bundled_rates()
    clean.table_of(
        connection,
        "bundled_rates",
        {
            "rate_date": ("DATE", [rate.rate_date for rate in rates]),
            "currency": ("VARCHAR", [rate.currency for rate in rates]),
            "units_per_eur": ("DOUBLE", [float(rate.units_per_eur) for rate in rates]),
            "source_url": ("VARCHAR", [rate.source_url for rate in rates]),
        },
    )
    connection.execute("INSERT INTO fx_rates SELECT *, 'bundled' FROM bundled_rates")


def load_run(connection: duckdb.DuckDBPyConnection, run: Run, *, now: datetime) -> LoadResult:
    """Load one run in one transaction; a run that is in the warehouse already changes nothing."""
    if load.is_loaded(connection, run):
        return _known_result(connection, run)
    try:
        with transaction(connection):
            run.run_no = load.next_number(connection, "runs", "run_no")
            run.loaded_at = now
            run.learnt_at = run.learnt_at or now
            previous = "load/previous_revised" if run.revises else "load/previous_spans"
            verdict = judge(connection, run, previous=previous)
            _keep(connection, run, verdict, now)
    except RunFolderError as error:
        return LoadResult(run.run_id, run.provider, "failed", str(error), 0, 0, 0)
    return _result(run.run_id, run.provider, verdict)


def judge(
    connection: duckdb.DuckDBPyConnection,
    run: Run,
    *,
    previous: str = "load/previous_spans",
    days: str = "core_price_days",
) -> Verdict:
    """Stage, clean and check one run; leaves `verdicts` behind."""
    rates = load.stage_rates(connection, run)
    load.stage_run(connection, run)
    clean.clean(connection, {run.provider: run.report.facts.get("gpu_spellings") or {}})
    checks.prepare_history(connection, previous=previous, days=days)
    verdict = checks.check_run(connection, run, reference_rows.blocks(connection, run))
    verdict.rates = rates
    verdict.token_prices, verdict.grid_carbon = reference_rows.counts(connection, run)
    return verdict


def load_bundled(connection: duckdb.DuckDBPyConnection, now: datetime) -> Verdict:
    """Stage, clean and keep all rows of `warehouse.bundled` at once, in the caller's transaction."""
    load_bundled_days(connection)
    runs = _bundled_runs(connection, "current", load.next_number(connection, "runs", "run_no"))
    load.stage_bundled(connection, runs, "current")
    clean.clean(connection, {})
    verdict = checks.check_bundled(connection, runs)
    counts = _counts_by_run(connection)
    write_runs(connection, [(run, verdict, counts.get(run.run_no, (0, 0, 0))) for run in runs], now)
    load.keep_run(connection, newest=True)
    spans.rebuild(connection, learnt_at=now)
    quarantine.keep_quarantine(connection, runs[0], verdict)
    return verdict


def load_bundled_days(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep the snapshot's weekly history as price days; leaves its current rows in `bundled_current`."""
    from warehouse.bundled import bundled_offers

    connection.register("bundled_rows", bundled_offers())
    try:
        for role in ("history", "current"):
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE bundled_{role} AS FROM bundled_rows WHERE role = '{role}'"
            )
    finally:
        connection.unregister("bundled_rows")
    for role in ("history", "current"):
        runs = _bundled_runs(connection, role, 0)
        load.stage_bundled(connection, runs, role)
        clean.clean(connection, {})
        checks.check_bundled(connection, runs)
        spans.keep_price_days(connection, replaces=True)
        connection.execute(sql("index/compiled"))


def _bundled_runs(connection: duckdb.DuckDBPyConnection, role: str, first_no: int) -> list[Run]:
    _, found = fetch(
        connection,
        "SELECT provider, observed_at::DATE AS day, max(observed_at), any_value(title), count(*) "  # noqa: S608
        f"FROM bundled_{role} GROUP BY provider, day ORDER BY day, provider",
    )
    runs = []
    for index, (provider, day, observed_at, title, rows) in enumerate(found):
        report = ParseReport(
            BUNDLED, observed_at.isoformat(), "good", sources=[SourceReport(BUNDLED, offers=rows)]
        )
        runs.append(
            Run(
                provider=provider,
                run_id=f"bundled-{provider}-{day:%Y%m%d}",
                observed_at=observed_at,
                origin=BUNDLED,
                partial=True,
                report=report,
                run_no=first_no + index,
                bulk_day=day,
                title=title,
                first_party=False,
            )
        )
    return runs


def _keep(connection: duckdb.DuckDBPyConnection, run: Run, verdict: Verdict, now: datetime) -> None:
    counts = (verdict.accepted, verdict.rejected, verdict.held)
    write_runs(connection, [(run, verdict, counts)], now)
    if run.revises and verdict.accepts:
        run_script(
            connection,
            "load/supersede",
            {"run_no": run.run_no, "provider": run.provider, "revises": run.revises, "now": run.learnt_at},
        )
    spans.record_coverages(connection, [(run, verdict.state)])
    newest = spans.newest_accepted(connection, run)
    load.keep_run(connection, newest=newest)
    quarantine.keep_quarantine(connection, run, verdict)
    run_script(connection, "load/keep_quality")
    if not verdict.accepts:
        return
    reference_rows.keep(connection, run)
    connection.execute(sql("load/run_counts"))
    if newest and not run.revises:
        spans.extend(connection)
    else:
        spans.rebuild(connection, learnt_at=run.learnt_at)
    spans.keep_price_days(connection, replaces=newest and run.whole, revises=bool(run.revises) and newest)


def write_runs(
    connection: duckdb.DuckDBPyConnection,
    runs: Sequence[tuple[Run, Verdict, tuple[int, int, int]]],
    now: datetime,
) -> None:
    """Add a row to `runs` for each run, with its counts of rows (accepted, rejected, held)."""
    rows = []
    for run, verdict, (accepted, rejected, held) in runs:
        report = run.report
        rows.append(
            [
                run.run_no,
                run.run_id,
                run.provider,
                run.observed_at,
                now,
                verdict.state,
                verdict.reason,
                run.origin,
                run.partial,
                accepted if verdict.accepts else 0,
                rejected,
                held,
                verdict.no_gpu,
                report.requests,
                report.seconds,
                report.parser_version,
                json.dumps([asdict(source) for source in report.sources]),
                json.dumps(report.unused_fields),
                json.dumps({"title": run.title, "first_party": run.first_party, **report.facts}),
                json.dumps(report.rejected[:50]),
                json.dumps(verdict.warnings),
                ",".join(run.good_sources),
                run.title,
                run.learnt_at or run.observed_at,
                run.revision,
                run.revises,
                None,
                None,
            ]
        )
    marks = ", ".join("?" * len(rows[0])) if rows else ""
    connection.executemany(f"INSERT INTO runs VALUES ({marks})", rows)  # noqa: S608


def _revision(connection: duckdb.DuckDBPyConnection) -> int:
    return int(scalar(connection, "SELECT coalesce(max(run_no), 0) FROM runs"))


def _counts_by_run(connection: duckdb.DuckDBPyConnection) -> dict[int, tuple[int, int, int]]:
    rows = connection.execute(
        "SELECT run_no, count(*) FILTER (status = 'accepted'), count(*) FILTER (status = 'rejected'), "
        "count(*) FILTER (status = 'held') FROM verdicts WHERE NOT is_repeat GROUP BY run_no"
    ).fetchall()
    return {run_no: (accepted, rejected, held) for run_no, accepted, rejected, held in rows}


def _read_all(folders: Iterable[Path], origin: str) -> tuple[list[Run], list[LoadResult]]:
    runs, failed = [], []
    for folder in folders:
        try:
            runs.append(load.read_run(folder, origin))
        except GpufareError as error:
            failed.append(LoadResult(folder.name, folder.parent.name, "failed", str(error), 0, 0, 0))
    return runs, failed


def _result(run_id: str, provider: str, verdict: Verdict) -> LoadResult:
    return LoadResult(
        run_id=run_id,
        provider=provider,
        state=verdict.state,
        reason=verdict.reason,
        offers=verdict.accepted,
        rejected=verdict.rejected,
        held=verdict.held,
        warnings=tuple(verdict.warnings),
        no_gpu=verdict.no_gpu,
        rates=verdict.rates,
        token_prices=verdict.token_prices,
        grid_carbon=verdict.grid_carbon,
    )


def _known_result(connection: duckdb.DuckDBPyConnection, run: Run) -> LoadResult:
    row = connection.execute(
        "SELECT state, reason, offers, rejected, held FROM runs WHERE provider = ? AND run_id = ? "
        "ORDER BY run_no DESC",
        [run.provider, run.run_id],
    ).fetchone()
    if row is None:
        raise AssertionError("a loaded run has a row")
    state, reason, offers, rejected, held = row
    known = (f"{run.provider}/{run.run_id} is already loaded",)
    return LoadResult(
        run.run_id, run.provider, state, reason, offers, rejected, held, known, already_loaded=True
    )


def dry_run(folder: Path, *, now: datetime, home: Path | None = None, origin: str = "replay") -> DryRun:
    """Clean and check one run folder in memory; see `warehouse.dry_run`."""
    from warehouse.dry_run import dry_run as run_dry

    return run_dry(folder, now=now, home=home, origin=origin)
