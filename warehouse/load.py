"""Loading: a run folder's Parquet (or the bundled Arrow table) into the raw tables, set-wise.

A run is staged in temporary tables, cleaned (`warehouse.clean`), checked (`warehouse.checks`) and then kept
by `keep_run`. What is kept: `raw_offers` (one row per offer), `raw_states` (one row per price an offer ever
had) and `raw_listings` (what a run lists otherwise than the one before it: an unchanged price adds nothing).
Nothing here goes row by row.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.database import run_script, scalar, sql
from warehouse.errors import RunFolderError
from warehouse.records import PriceKind
from warehouse.run_folder import (
    FX_FILE,
    OFFERS_FILE,
    ParseReport,
    RunFolder,
    SourceReport,
    read_run_folder,
)

if TYPE_CHECKING:
    import duckdb

BUNDLED = "bundled"
REQUIRED_COLUMNS = {
    "provider",
    "source",
    "source_url",
    "observed_at",
    "price_kind",
    "price_raw",
    "price_unit",
    "currency",
    "instance_type",
    "gpu_name_raw",
    "gpu_count",
}
REVISION_NAME = re.compile(r"(.+)\.r([2-9]|[1-9]\d+)")
REQUIRED_FX_COLUMNS = {"rate_date", "currency", "units_per_eur", "source_url"}


@dataclass(slots=True)
class Run:
    """One run on its way into the warehouse.

    Attributes:
        provider, run_id: the run's identity.
        observed_at: when its prices were true at the provider (UTC).
        origin: live, replay or bundled.
        partial: True where the recording covers only some of the provider's requests.
        report: what the spider made of it.
        folder: where its tables lie, None for bundled rows.
        run_no: small number within this warehouse, given when staging.
        bulk_day: day of a bundled run; its rows are found by provider and day.
        title: the provider's name where the report has no facts.
        loaded_at: time of loading, None where the clock is not judged.
        bodies, body_bytes, body_digest: how many response bodies, their length together, and what they are.
        learnt_at: when this warehouse knew it (UTC): the time of loading, for bundled rows `observed_at`.
        revision, revises: 2 and up where it is a later parse of the same bodies, and the first run's id.
    """

    provider: str
    run_id: str
    observed_at: datetime
    origin: str
    partial: bool
    report: ParseReport
    folder: Path | None = None
    run_no: int = 0
    bulk_day: date | None = None
    title: str | None = None
    first_party: bool = True
    loaded_at: datetime | None = None
    bodies: int = 0
    body_bytes: int = 0
    body_digest: str | None = None
    learnt_at: datetime | None = None
    revision: int = 1
    revises: str | None = None
    sources: dict[str, SourceReport] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sources = {source.source: source for source in self.report.sources}

    @property
    def kind(self) -> str:
        """list, marketplace, serverless or reference."""
        return str(self.report.facts.get("kind") or "list")

    @property
    def lists_offers(self) -> bool:
        """True where a run without offers would be a fault: clouds and compiled catalogues of them."""
        if self.kind != "reference":
            return True
        kinds = set(self.report.facts.get("price_kinds") or ())
        return not self.first_party and bool(kinds & {kind.value for kind in PriceKind})

    @property
    def whole(self) -> bool:
        """True where the absence of an offer means something."""
        return self.origin != BUNDLED and not self.partial and self.report.state == "good"

    @property
    def good_sources(self) -> list[str]:
        """Sources that answered whole."""
        return sorted(name for name, source in self.sources.items() if source.state == "good")


def read_run(folder: Path, origin: str) -> Run:
    """The run in a parsed run folder. Raises RunFolderError where it is not readable or not parsed yet."""
    found: RunFolder = read_run_folder(folder)
    report = found.parse_report()
    if report is None:
        raise RunFolderError(f"run folder {folder} was not parsed yet; run: gpufare crawl --replay {folder}")
    if not found.provider or found.provider == BUNDLED:
        raise RunFolderError(f"run folder {folder}: run.json names no provider")
    digests = sorted({exchange.sha256 for exchange in found.exchanges if exchange.sha256})
    return Run(
        bodies=len(digests),
        body_bytes=_stored_bytes(found),
        body_digest=hashlib.sha256(" ".join(digests).encode()).hexdigest()[:16] if digests else None,
        provider=found.provider,
        run_id=found.run_id,
        observed_at=found.recorded_at,
        origin=origin,
        partial=found.partial,
        report=report,
        folder=found.path,
        title=report.facts.get("title"),
        first_party=bool(report.facts.get("first_party", True)),
        **_revision(found.run_id),
    )


def _stored_bytes(folder: RunFolder) -> int:
    """Length of all bodies before compression; a body that is not there counts nothing."""
    total = 0
    for name in {exchange.body_file for exchange in folder.exchanges if exchange.body_file}:
        file = folder.path / Path(name).name
        with suppress(OSError):
            if file.suffix != ".gz":
                total += file.stat().st_size
                continue
            with file.open("rb") as packed:  # a gzip file ends with the length of what was packed
                packed.seek(-4, os.SEEK_END)
                total += int.from_bytes(packed.read(4), "little")
    return total


def _revision(run_id: str) -> dict[str, Any]:
    """`revision` and `revises` from the name of a run folder: ``<first run's id>.r2`` is its second parse."""
    named = REVISION_NAME.fullmatch(run_id)
    return {"revision": int(named[2]), "revises": named[1]} if named else {}


def is_loaded(connection: duckdb.DuckDBPyConnection, run: Run) -> bool:
    """True where this run was loaded before."""
    query = "SELECT count(*) FROM runs WHERE provider = ? AND run_id = ? AND revises IS DISTINCT FROM run_id"
    return bool(scalar(connection, query, [run.provider, run.run_id]))


def next_number(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> int:
    """One more than the largest number in use. `table` and `column` are ours."""
    return int(scalar(connection, f"SELECT coalesce(max({column}), 0) + 1 FROM {table}"))  # noqa: S608


def stage_run(connection: duckdb.DuckDBPyConnection, run: Run) -> int:
    """Stage the offers of one run in the temporary tables `this_run` and `staged`. Returns their number."""
    declare_runs(connection, [run])
    offers = None if run.folder is None else run.folder / OFFERS_FILE
    if offers is None or not offers.exists():
        source, parameters = "(SELECT NULL::VARCHAR AS provider LIMIT 0)", {}
    else:
        require_columns(connection, offers, REQUIRED_COLUMNS)
        source, parameters = "read_parquet($file)", {"file": glob_escape(offers)}
    _run_stage(connection, source, parameters, run.folder)
    return int(scalar(connection, "SELECT count(*) FROM staged"))


def stage_bundled(connection: duckdb.DuckDBPyConnection, runs: list[Run], role: str) -> None:
    """Stage rows of the registered table `bundled_rows` that have this role ("current" or "history")."""
    declare_runs(connection, runs)
    view = {"current": "bundled_current", "history": "bundled_history"}[role]
    _run_stage(connection, view, {}, None)


def stage_rows(connection: duckdb.DuckDBPyConnection, source: str, parameters: dict[str, Any]) -> None:
    """Stage the rows of a table expression (text of ours) for the declared runs, by provider and day."""
    _run_stage(connection, source, parameters, None)


def declare_runs(connection: duckdb.DuckDBPyConnection, runs: list[Run]) -> None:
    """Write the temporary table `this_run`: what the checks need to know of the runs being staged."""
    rows = [_run_row(run) for run in runs]
    connection.execute(sql("load/this_run"), {"rows": json.dumps(rows)})


def stage_rates(connection: duckdb.DuckDBPyConnection, run: Run) -> int:
    """Add the run's exchange rates; a known one stays as it is. Returns how many there are."""
    file = None if run.folder is None else run.folder / FX_FILE
    if file is None or not file.exists():
        return 0
    require_columns(connection, file, REQUIRED_FX_COLUMNS)
    with folder_errors(run.folder):
        connection.execute(sql("load/fx_rates"), {"file": glob_escape(file), "origin": run.origin})
        return int(
            scalar(connection, "SELECT count(*) FROM read_parquet($file)", {"file": glob_escape(file)})
        )


def keep_run(connection: duckdb.DuckDBPyConnection, *, newest: bool) -> None:
    """Append what is staged and judged (`verdicts`) to the raw and core tables.

    Args:
        newest: True where no newer run of the provider is known; an older run adds what it saw, but does
            not change what is stated of an offer today.
    """
    numbers = {
        "first_state": next_number(connection, "raw_states", "state_no"),
        "first_place": next_number(connection, "raw_places", "place_no"),
    }
    for step in ("bodies", "offers", "interruptions", "states", "listings", "meaning"):
        run_script(connection, f"load/keep_{step}", {**numbers, "newest": newest})


def glob_escape(path: Path) -> str:
    """A file name for read_parquet, which would read brackets, stars and question marks as a pattern."""
    return "".join(f"[{character}]" if character in "[*?" else character for character in str(path))


def _run_stage(
    connection: duckdb.DuckDBPyConnection, source: str, parameters: dict[str, Any], folder: Path | None
) -> None:
    with folder_errors(folder):
        connection.execute(sql("load/stage").replace("{source}", source), parameters)


def _run_row(run: Run) -> dict[str, Any]:
    facts = run.report.facts
    limits = facts.get("price_limits_usd_per_gpu_hour") or (None, None)
    skipped = any(source.state == "skipped" for source in run.sources.values())
    expected = (None, None) if skipped else facts.get("expected_offers") or (None, None)
    return {
        "run_no": run.run_no,
        "run_id": run.run_id,
        "provider": run.provider,
        "observed_at": run.observed_at.astimezone(UTC).isoformat(),
        "loaded_at": run.loaded_at.astimezone(UTC).isoformat() if run.loaded_at else None,
        "origin": run.origin,
        "kind": run.kind,
        "title": run.title,
        "first_party": run.first_party,
        "limit_low": limits[0],
        "limit_high": limits[1],
        "expected_low": expected[0],
        "expected_high": expected[1],
        "counts_rows": run.whole and run.lists_offers,
        "sources_key": ",".join(run.good_sources),
        "bulk_provider": run.provider if run.bulk_day else None,
        "bulk_day": run.bulk_day.isoformat() if run.bulk_day else None,
        "bodies": run.bodies,
        "body_bytes": run.body_bytes,
        "body_digest": run.body_digest,
        "unused_fields": json.dumps(run.report.unused_fields or {}),
        "learnt_at": (run.learnt_at or run.observed_at).astimezone(UTC).isoformat(),
    }


def require_columns(connection: duckdb.DuckDBPyConnection, file: Path, required: set[str]) -> None:
    """RunFolderError where a record table lacks one of the `required` columns."""
    with folder_errors(file.parent):
        found = connection.execute("SELECT name FROM parquet_schema(?)", [glob_escape(file)]).fetchall()
    missing = sorted(required - {name for (name,) in found})
    if missing:
        raise RunFolderError(
            f"run folder {file.parent}: {file.name} lacks the column {missing[0]!r}; parse it again with: "
            f"gpufare crawl --replay {file.parent}"
        )


class folder_errors:  # noqa: N801 - reads as a statement
    """Turns an unreadable Parquet file into a RunFolderError; trouble with the disk keeps its own line."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        import duckdb

        readable = (
            duckdb.InvalidInputException,
            duckdb.IOException,
            duckdb.ConversionException,
            duckdb.BinderException,
            duckdb.SerializationException,
        )
        if self.folder is None or not isinstance(error, readable) or "space left" in str(error).lower():
            return
        text = " ".join(str(error).split())[:160]
        raise RunFolderError(
            f"run folder {self.folder}: its record tables are not readable ({text}); parse it again with: "
            f"gpufare crawl --replay {self.folder}"
        ) from None
