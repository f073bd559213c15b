"""Publishing: the read-only copy is built beside its place and renamed into it.

A reader that is open keeps the old file; one that opens later sees the new one; a crash at any point leaves
yesterday's file whole and at most a leftover that the next publishing removes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse import reference_rows
from warehouse.availability import publish_availability
from warehouse.database import (
    SCHEMA_VERSION,
    STORAGE_VERSION,
    market_path,
    open_published,
    plain_errors,
    replace_file,
    run_script,
    scalar,
    sql,
)
from warehouse.errors import WarehouseError
from warehouse.fair_price import publish_fair_prices
from warehouse.index import publish_index

if TYPE_CHECKING:
    import duckdb

ROW_GROUP_ROWS = 16_384
"""Small row groups: with rows sorted by accelerator a question reads only its own."""
LEFTOVER = "market.duckdb.building-*"
_COLUMN_TYPES = {
    "int": "INTEGER",
    "int | None": "INTEGER",
    "float": "DOUBLE",
    "float | None": "DOUBLE",
    "date": "DATE",
    "tuple[str, ...]": "VARCHAR[]",
}


def publish(
    connection: duckdb.DuckDBPyConnection,
    home: Path,
    *,
    now: datetime,
    at_step: Callable[[str], None] = lambda step: None,
) -> Path:
    """Build the published copy of the attached warehouse and rename it into place.

    Args:
        connection: the loader's connection.
        home: folder of the copy.
        now: time of publishing, kept in `meta`.
        at_step: called with "started", "built" and "closed" (for tests that stop it there).

    Raises:
        WarehouseError: the disk has no room, or the folder cannot be written; the old copy is untouched.
    """
    target = market_path(home)
    for leftover in home.glob(LEFTOVER):
        leftover.unlink(missing_ok=True)
    built = home / f"{target.name}.building-{os.getpid()}"
    at_step("started")
    try:
        with plain_errors(target):
            _build(connection, built, now)
            at_step("built")
            connection.execute("DETACH market")
            at_step("closed")
            replace_file(built, target)
    except BaseException:
        _discard(connection, built)
        raise
    return target


def published_revision(home: Path) -> int | None:
    """Which state of the warehouse the published copy shows; None where there is no readable copy."""
    try:
        connection = open_published(market_path(home))
    except WarehouseError:
        return None
    try:
        value = scalar(connection, "SELECT value FROM meta WHERE key = 'revision'")
    finally:
        connection.close()
    return int(value) if value else None


def _build(connection: duckdb.DuckDBPyConnection, built: Path, now: datetime) -> None:
    name = str(built).replace("'", "''")
    connection.execute(
        f"ATTACH '{name}' AS market (STORAGE_VERSION '{STORAGE_VERSION}', ROW_GROUP_SIZE {ROW_GROUP_ROWS})"
    )
    run_script(connection, "publish/market")
    _write_provider_facts(connection)
    connection.execute(sql("load/fx_days"))
    connection.execute("CREATE OR REPLACE TEMP TABLE disappeared AS " + sql("checks/r17"))
    run_script(connection, "publish/tables", {"now": now.astimezone(UTC)})
    reference_rows.publish(connection)
    _write_accelerators(connection)
    publish_index(connection)
    publish_fair_prices(connection, now=now)
    publish_availability(connection, now=now)
    _write_meta(connection, now)
    connection.execute("CHECKPOINT market")


def _write_accelerators(connection: duckdb.DuckDBPyConnection) -> None:
    from warehouse.reference import Accelerator, accelerators

    _write_reference(connection, "accelerators", Accelerator, list(accelerators().values()))


def _write_provider_facts(connection: duckdb.DuckDBPyConnection) -> None:
    from warehouse.reference import provider_facts
    from warehouse.reference.provider_table import ProviderFacts

    _write_reference(connection, "provider_facts", ProviderFacts, list(provider_facts().values()))


def _write_reference(
    connection: duckdb.DuckDBPyConnection, table: str, kind: type[Any], rows: Sequence[Any]
) -> None:
    """A published table with a column for each field of a dataclass. `table` is ours."""
    from dataclasses import fields

    from warehouse.clean import table_of

    columns: dict[str, tuple[str, list[Any]]] = {}
    for field in fields(kind):
        values = [getattr(row, field.name) for row in rows]
        if str(field.type).startswith("tuple"):
            values = [list(value) for value in values]
        columns[field.name] = (_COLUMN_TYPES.get(str(field.type), "VARCHAR"), values)
    table_of(connection, "reference_table", columns)
    connection.execute(f"CREATE TABLE market.{table} AS FROM reference_table")


def _write_meta(connection: duckdb.DuckDBPyConnection, now: datetime) -> None:
    rows = {
        "schema_version": str(SCHEMA_VERSION),
        "published_at": now.astimezone(UTC).isoformat(),
        "market_date": _iso(scalar(connection, "SELECT max(observed_at) FROM market.offers")),
        "bundled_date": _iso(
            scalar(connection, "SELECT max(observed_at) FROM market.offers WHERE origin = 'bundled'")
        ),
        "revision": str(scalar(connection, "SELECT coalesce(max(run_no), 0) FROM runs")),
    }
    connection.executemany("INSERT INTO market.meta VALUES (?, ?)", [list(row) for row in rows.items()])


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _discard(connection: duckdb.DuckDBPyConnection, built: Path) -> None:
    import duckdb

    with suppress(duckdb.Error):  # a broken attachment goes with the connection
        connection.execute("DETACH DATABASE IF EXISTS market")
    for file in (built, built.with_name(built.name + ".wal")):
        file.unlink(missing_ok=True)
