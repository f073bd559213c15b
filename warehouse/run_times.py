"""When providers were last crawled: what the scheduler decides by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def run_times(connection: duckdb.DuckDBPyConnection) -> tuple[dict[str, datetime], dict[str, datetime]]:
    """(last good run, last run of any outcome) by provider; only live crawls count."""
    rows = connection.execute(
        "SELECT provider, max(observed_at) FILTER (state IN ('good', 'partial')), max(observed_at) "
        "FROM runs WHERE origin = 'live' GROUP BY provider"
    ).fetchall()
    good = {provider: moment.astimezone(UTC) for provider, moment, _ in rows if moment is not None}
    tried = {provider: moment.astimezone(UTC) for provider, _, moment in rows}
    return good, tried
