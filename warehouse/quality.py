"""What the checks found, for people: counts per source and rule, and one quarantine entry as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warehouse.database import fetch_dicts, sql
from warehouse.errors import UsageError

if TYPE_CHECKING:
    import duckdb


def quality(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Per provider and rule what was found and what became of it, most rows first.

    Columns: provider, rule, `level` (the gravest: R, B, Q, W), `last_rows` (findings of the newest run),
    `rows` and `runs` (findings and runs with one, over the newest 30 days of the provider's runs), `held`,
    `released`, `rejected`, `superseded` (quarantine entries by status), `waiting_since` (oldest held entry,
    UTC), `example`.
    """
    return fetch_dicts(connection, sql("queries/quality"))


def entry(connection: duckdb.DuckDBPyConnection, entry_id: str) -> dict[str, Any]:
    """One quarantine entry: its columns, the `market_price_per_hour` that stands meanwhile, and its `audit`
    (decided_at, action, who, note).

    Raises:
        UsageError: there is no such entry.
    """
    rows = fetch_dicts(connection, sql("queries/quarantine_entry"), {"id": entry_id})
    if not rows:
        raise UsageError(f"quarantine holds no entry {entry_id[:40]!r}; run: gpufare quarantine list")
    audit = fetch_dicts(
        connection,
        "SELECT decided_at, action, who, note FROM quarantine_audit WHERE id = $id ORDER BY decided_at",
        {"id": entry_id},
    )
    return {**rows[0], "audit": audit}
