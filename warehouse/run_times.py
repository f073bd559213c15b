"""When providers were last crawled: what the scheduler decides by."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from warehouse.database import fetch

if TYPE_CHECKING:
    import duckdb


def run_times(connection: duckdb.DuckDBPyConnection) -> tuple[dict[str, datetime], dict[str, datetime]]:
    """(last good run, last run of any outcome) by provider; only live crawls count."""
    _, rows = fetch(
        connection,
        "SELECT provider, max(observed_at) FILTER (state IN ('good', 'partial')) AS good, "
        "max(observed_at) AS tried "
        "FROM runs WHERE origin = 'live' GROUP BY provider",
    )
    good = {provider: moment for provider, moment, _ in rows if moment is not None}
    return good, {provider: moment for provider, _, moment in rows}
