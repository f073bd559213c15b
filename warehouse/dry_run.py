"""The dry run: one run cleaned and checked in memory, nothing loaded.

History rules compare with the published copy of `home` where there is one, else with the package's snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse import load, reference_rows
from warehouse.checks import Verdict
from warehouse.database import create_tables, fetch_dicts, market_path, memory_connection
from warehouse.ingest import judge, load_bundled_days, prepare
from warehouse.load import Run
from warehouse.offer_rows import finished_row
from warehouse.run_folder import FX_FILE

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class DryRun:
    """What loading a run would make of it.

    Attributes:
        run_id, provider, state, reason: as in `LoadResult`.
        rows: offers as `offers --json` prints them; held ones have the state "held: R2: ...".
        unknown_names: ``{"name", "count", "reason"}`` of GPU names and machine types that mean nothing known.
        rejected: ``{"reason", "row"}`` of refused rows: the spider's, then those of R1.
        unused_fields: input fields that nobody took, with counts.
        rates: exchange rates: date, base, currency, units_per_eur.
        token_prices, grid_carbon: rows as in the published tables of these names.
        warnings: one line each.
        no_gpu: rows left out because their machine type has no GPU.
    """

    run_id: str
    provider: str
    state: str
    reason: str | None
    rows: list[dict[str, Any]]
    unknown_names: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    unused_fields: dict[str, int]
    rates: list[dict[str, Any]]
    token_prices: list[dict[str, Any]]
    grid_carbon: list[dict[str, Any]]
    warnings: tuple[str, ...]
    no_gpu: int


def dry_run(folder: Path, *, now: datetime, home: Path | None = None, origin: str = "replay") -> DryRun:
    """Clean and check a parsed run folder in memory.

    Args:
        folder: the run folder.
        now: the moment ages are counted to.
        home: where the published copy to compare with lies, None to compare with the package's snapshot.
        origin: live or replay.

    Raises:
        RunFolderError: the folder is not readable or not parsed.
    """
    run = load.read_run(folder, origin)
    connection = memory_connection()
    try:
        create_tables(connection)
        run.run_no = 1
        verdict = _judge_beside(connection, run, home)
        token_prices, grid_carbon = reference_rows.dry_rows(connection, run)
        return DryRun(
            run_id=run.run_id,
            provider=run.provider,
            state=verdict.state,
            reason=verdict.reason,
            rows=_rows(connection, run, verdict, now),
            unknown_names=_unknown_names(connection),
            rejected=[*run.report.rejected, *_refused(connection)],
            unused_fields=run.report.unused_fields,
            rates=_rates(connection, run),
            token_prices=token_prices,
            grid_carbon=grid_carbon,
            warnings=tuple(verdict.warnings),
            no_gpu=verdict.no_gpu,
        )
    finally:
        connection.close()


def _judge_beside(connection: duckdb.DuckDBPyConnection, run: Run, home: Path | None) -> Verdict:
    if home is None or not market_path(home).exists():
        prepare(connection)
        load_bundled_days(connection)
        return judge(connection, run)
    name = str(market_path(home)).replace("'", "''")
    connection.execute(f"ATTACH '{name}' AS market (READ_ONLY)")
    connection.execute(
        "INSERT INTO fx_rates SELECT rate_date, currency, units_per_eur, source_url, 'published' "
        "FROM market.fx_rates WHERE currency <> 'EUR'"
    )
    prepare(connection)
    connection.execute("INSERT INTO core_price_days BY NAME FROM market.price_days")
    return judge(connection, run, previous="load/previous_market")


def _rows(
    connection: duckdb.DuckDBPyConnection, run: Run, verdict: Verdict, now: datetime
) -> list[dict[str, Any]]:
    found = fetch_dicts(
        connection,
        "SELECT * REPLACE (price_per_hour::DOUBLE AS price_per_hour, "
        "least(stated_at, run_observed_at) AS stated_at) "
        "FROM verdicts WHERE status <> 'rejected' AND NOT is_repeat ORDER BY row_no",
    )
    common = {
        "run_id": run.run_id,
        "origin": run.origin,
        "missing_runs": 0,
        "price_since": None,
    }
    rows = []
    for row in found:
        held = row["evidence"]
        if row["status"] == "waiting":
            source = run.sources.get(row["source"])
            held = (
                source.reason if source and source.state in ("held", "failed") else None
            ) or verdict.reason
            held = held or f"the run is {verdict.state}"
        values = {
            **row,
            **common,
            **_billing(row["provider"], run),
            "observed_at": row["stated_at"],
            "price_raw": row["price"],
        }
        for stated in ("gpu_count", "gpu_memory_gb", "partition"):
            values[stated] = row[stated] if row[stated] is not None else row[f"{stated}_raw"]
        if row["currency"] == "USD":
            values["fx_rate"] = None
        rows.append(finished_row(values, now, held=held))
    return rows


def _billing(provider: str, run: Run) -> dict[str, Any]:
    """How time is billed: as the provider's own spider says, else as the table of provider facts does."""
    from warehouse.reference import provider_facts

    stated = run.report.facts if provider == run.provider else {}
    known = provider_facts().get(provider)
    return {
        name: stated.get(name) or (getattr(known, name) if known else None)
        for name in ("billing_increment_seconds", "minimum_seconds")
    }


def _unknown_names(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    return fetch_dicts(
        connection,
        "SELECT coalesce(gpu_name_raw, instance_type) AS name, count(*) AS count, "
        "any_value(gpu_problem) AS reason "
        "FROM cleaned WHERE gpu_problem IS NOT NULL GROUP BY ALL ORDER BY count DESC, name",
    )


def _refused(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    found = fetch_dicts(
        connection,
        "SELECT evidence, instance_type, gpu_name_raw, region, price_kind, price_raw, price_unit, currency "
        "FROM verdicts WHERE status = 'rejected' ORDER BY row_no",
    )
    return [{"reason": row.pop("evidence"), "row": row} for row in found]


def _rates(connection: duckdb.DuckDBPyConnection, run: Run) -> list[dict[str, Any]]:
    if run.folder is None or not (run.folder / FX_FILE).exists():
        return []
    return fetch_dicts(
        connection,
        "SELECT rate_date AS date, 'EUR' AS base, currency, "
        "TRY_CAST(units_per_eur AS DOUBLE) AS units_per_eur "
        "FROM read_parquet(?) ORDER BY date, currency",
        [load.glob_escape(run.folder / FX_FILE)],
    )
