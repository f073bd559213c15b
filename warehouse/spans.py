"""Validity spans: from sightings to "this price held from then to then".

A run that is newer than all accepted runs of its provider extends the spans without reading the past
(`extend`); any other run, a backfilled recording say, rebuilds the provider's spans from all sightings
(`rebuild`). Both give the same spans, which a property test holds. Missing and withdrawn follow from the
good whole runs alone (R17): three of them in a row that do not list an offer end its span.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from warehouse.database import run_script, scalar
from warehouse.load import Run

if TYPE_CHECKING:
    import duckdb

ANY_SOURCE = "*"


def newest_accepted(connection: duckdb.DuckDBPyConnection, run: Run) -> bool:
    """True where no accepted run of this provider is as new as `run`."""
    query = (
        "SELECT count(*) FROM runs WHERE provider = ? AND state IN ('good', 'partial') "
        "AND observed_at >= ? AND run_no <> ?"
    )
    return not scalar(connection, query, [run.provider, run.observed_at, run.run_no])


def record_coverages(connection: duckdb.DuckDBPyConnection, runs: Sequence[tuple[Run, str]]) -> None:
    """Write which sources of each run answered, and how; ``*`` stands for the run as a whole."""
    rows: list[list[Any]] = []
    for run, state in runs:
        rows += [
            [run.run_no, run.provider, s.source, s.state, s.reason, s.offers, s.requests]
            for s in run.sources.values()
        ]
        rows.append([run.run_no, run.provider, ANY_SOURCE, state, None, None, None])
    connection.executemany("INSERT INTO run_sources VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def extend(connection: duckdb.DuckDBPyConnection) -> None:
    """Carry the spans of the staged run's provider forward; the run must be the newest of its provider."""
    run_script(connection, "spans/coverage")
    run_script(connection, "spans/extend")


def rebuild(connection: duckdb.DuckDBPyConnection, *, learnt_at: datetime | None = None) -> None:
    """Derive all spans of the staged runs' providers anew from every accepted sighting.

    Spans that come out as they were keep the time when they were learnt; those that do not are kept as what
    was believed until now (`core_past_spans`).

    Args:
        learnt_at: the time of this knowledge; None: when the newest run of these providers was loaded.
    """
    known = "SELECT max(loaded_at) FROM runs WHERE provider IN (SELECT provider FROM this_run)"
    run_script(connection, "spans/coverage")
    run_script(connection, "spans/rebuild", {"learnt_at": learnt_at or scalar(connection, known)})


def decide(
    connection: duckdb.DuckDBPyConnection,
    run_no: int,
    state_nos: Sequence[int],
    *,
    accepted: bool,
    decided_at: datetime,
) -> None:
    """Record that sightings of a run count, or do not, whatever the rules said (release, reject).

    Append-only: the latest decision about a sighting stands. The caller rebuilds the provider's spans after
    it (`declare_runs`, then `rebuild` with the same time).
    """
    connection.execute(
        "INSERT INTO raw_decisions SELECT $run_no, unnest($states::INTEGER[]), $accepted, $at",
        {"run_no": run_no, "states": list(state_nos), "accepted": accepted, "at": decided_at},
    )


def keep_price_days(connection: duckdb.DuckDBPyConnection, *, replaces: bool, revises: bool = False) -> None:
    """Keep the day's level per accelerator and price kind.

    Args:
        replaces: True where these rows may replace what is known of the same day.
        revises: True where the run is a new parse of a run: what the day said and no longer says goes too.
    """
    run_script(connection, "spans/price_days", {"replaces": replaces, "revises": revises})
