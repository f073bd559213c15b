"""Small markets for tests: rows of the published `offers` table and a connection that holds them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
COLUMNS = {
    "offer_id": "UBIGINT",
    "provider": "VARCHAR",
    "source": "VARCHAR",
    "instance_type": "VARCHAR",
    "accelerator_id": "VARCHAR",
    "candidates": "VARCHAR[]",
    "family": "VARCHAR",
    "partition": "VARCHAR",
    "gpu_name_raw": "VARCHAR",
    "gpu_count": "DOUBLE",
    "gpu_memory_gb": "DOUBLE",
    "interconnect": "VARCHAR",
    "vcpus": "DOUBLE",
    "memory_gib": "DOUBLE",
    "disk_gb": "DOUBLE",
    "region": "VARCHAR",
    "country": "VARCHAR",
    "continent": "VARCHAR",
    "price_kind": "VARCHAR",
    "term_months": "INTEGER",
    "price_per_hour": "DOUBLE",
    "currency": "VARCHAR",
    "price_raw": "DOUBLE",
    "price_unit": "VARCHAR",
    "price_usd_per_hour": "DOUBLE",
    "price_usd_per_gpu_hour": "DOUBLE",
    "fx_rate": "DOUBLE",
    "fx_date": "DATE",
    "available": "BOOLEAN",
    "available_count": "BIGINT",
    "is_floor": "BOOLEAN",
    "effective_from": "DATE",
    "observed_at": "TIMESTAMPTZ",
    "price_since": "TIMESTAMPTZ",
    "first_party": "BOOLEAN",
    "origin": "VARCHAR",
    "outdated": "BOOLEAN",
    "missing_runs": "INTEGER",
    "billing_increment_seconds": "INTEGER",
    "minimum_seconds": "INTEGER",
    "kind": "VARCHAR",
    "offer_key": "VARCHAR",
    "machine_id": "VARCHAR",
    "note": "VARCHAR",
    "interruption_rate_low": "DOUBLE",
    "interruption_rate_high": "DOUBLE",
    "source_url": "VARCHAR",
    "run_id": "VARCHAR",
    "body_sha256": "VARCHAR",
}
AVAILABILITY = {
    "provider": "VARCHAR",
    "instance_type": "VARCHAR",
    "accelerator_id": "VARCHAR",
    "candidates": "VARCHAR[]",
    "gpu_count": "DOUBLE",
    "partition": "VARCHAR",
    "region": "VARCHAR",
    "price_kind": "VARCHAR",
    "window_days": "INTEGER",
    "polls": "BIGINT",
    "polls_available": "BIGINT",
    "days": "BIGINT",
    "days_available": "BIGINT",
    "last_available_at": "TIMESTAMPTZ",
    "offers_available": "BIGINT",
}


def offer(
    part: str | None = "h100-sxm5-80gb", price: float = 2.0, gpus: float = 1, **changes: Any
) -> dict[str, Any]:
    """One row of `offers` at `price` USD per GPU-hour."""
    row = dict.fromkeys(COLUMNS)
    row.update(
        provider="acme",
        source="acme",
        instance_type=f"{gpus:g}x",
        accelerator_id=part,
        candidates=[part] if part else [],
        gpu_name_raw="GPU",
        gpu_count=gpus,
        gpu_memory_gb=80.0,
        region="r1",
        country="US",
        continent="north_america",
        price_kind="on_demand",
        price_per_hour=price * gpus,
        currency="USD",
        price_raw=price,
        price_unit="per gpu-hour",
        price_usd_per_hour=price * gpus,
        price_usd_per_gpu_hour=price,
        is_floor=False,
        observed_at=NOW - timedelta(hours=3),
        first_party=True,
        origin="live",
        outdated=False,
        missing_runs=0,
        kind="list",
        source_url="https://acme.example/prices",
        run_id="run-1",
    )
    row.update(changes)
    return row


def build_market(*rows: dict[str, Any]) -> Any:
    """A connection with an `offers` table of these rows."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    _fill(connection, "offers", COLUMNS, [{**row, "offer_id": number} for number, row in enumerate(rows)])
    return connection


def add_availability(connection: Any, *rows: dict[str, Any]) -> None:
    """Give the market a table of availability; each row starts as acme's 1x in r1, looked at 40 times."""
    usual = {
        "provider": "acme",
        "instance_type": "1x",
        "accelerator_id": "h100-sxm5-80gb",
        "candidates": ["h100-sxm5-80gb"],
        "gpu_count": 1.0,
        "partition": None,
        "region": "r1",
        "price_kind": "on_demand",
        "window_days": 30,
        "polls": 40,
        "polls_available": 36,
        "days": 10,
        "days_available": 9,
        "last_available_at": NOW - timedelta(hours=30),
        "offers_available": 0,
    }
    _fill(connection, "availability", AVAILABILITY, [{**usual, **row} for row in rows])


def _fill(connection: Any, table: str, columns: dict[str, str], rows: list[dict[str, Any]]) -> None:
    connection.execute(f"CREATE TABLE {table} (" + ", ".join(f'"{n}" {t}' for n, t in columns.items()) + ")")
    marks = ", ".join("?" * len(columns))
    for row in rows:
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", [row[name] for name in columns])
