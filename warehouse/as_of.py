"""The market as it was known on an earlier day, for every reader alike.

`open_as_of` opens the published copy and lays temporary tables of the same names over it: what was true at
the provider by that moment, learnt by then and not yet replaced by a better reading. A reader that asks for
`offers` or `price_days` gets them without knowing of it; the copy itself is not touched.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.database import fetch, open_market, sql
from warehouse.errors import NothingFoundError

if TYPE_CHECKING:
    import duckdb

FIXED = {"accelerators", "provider_facts", "states", "meta", "past_spans", "past_keys", "past_price_days"}
"""Tables that are no facts of a day, or that the answers are made of."""
BUILT = ("offers", "spans", "offer_keys", "price_days", "runs", "providers", "quarantine", "fx_rates")
"""Tables with statements of their own in `queries/as_of_tables`; others are cut by their columns of time."""
CUTS = (
    ("unlearnt_at", "(unlearnt_at IS NULL OR unlearnt_at > $as_of::TIMESTAMPTZ)"),
    ("learnt_at", "learnt_at <= $as_of::TIMESTAMPTZ"),
    ("at", '"at" <= $as_of::TIMESTAMPTZ'),
    ("observed_at", "observed_at <= $as_of::TIMESTAMPTZ"),
    ("day", "day <= $as_of::TIMESTAMPTZ::DATE"),
)


def open_as_of(home: Path, as_of: datetime) -> duckdb.DuckDBPyConnection:
    """The published copy as it was known at `as_of` (aware time). The caller closes it.

    Raises:
        WarehouseError: as `open_market`.
        NothingFoundError: nothing was known by then; the line says since when something is.
    """
    connection = open_market(home)
    try:
        _lay_over(connection, as_of.astimezone(UTC))
    except BaseException:
        connection.close()
        raise
    return connection


def market_name(connection: duckdb.DuckDBPyConnection) -> str:
    """Name of the published copy within the connection, for SQL: ``"market".main``."""
    row = connection.execute("SELECT current_database()").fetchone()
    name = str(row[0] if row else "market").replace('"', '""')
    return f'"{name}".main'


def as_of_offers(connection: duckdb.DuckDBPyConnection) -> str:
    """The offers as of ``$as_of`` as a subquery, with the columns of `offers` and what readers filter by."""
    return sql("queries/as_of").replace("{market}", market_name(connection))


def _lay_over(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    market = market_name(connection)
    known = f"SELECT count(*) FILTER (learnt_at <= $as_of::TIMESTAMPTZ), min(learnt_at) FROM {market}.runs"  # noqa: S608
    _, rows = fetch(connection, known, {"as_of": as_of})
    if not rows[0][0]:
        first = f"the first facts are of {rows[0][1]:%Y-%m-%d %H:%M} UTC" if rows[0][1] else "it is empty"
        raise NothingFoundError(f"this warehouse knew nothing on {as_of:%Y-%m-%d %H:%M} UTC; {first}")
    text = sql("queries/as_of_tables").replace("{as_of_offers}", as_of_offers(connection))
    given = {"as_of": as_of}
    for statement in connection.extract_statements(text.replace("{market}", market)):
        connection.execute(statement, {name: given[name] for name in statement.named_parameters})
    for table, columns in _other_tables(connection).items():
        cuts = [cut for column, cut in CUTS if column in columns]
        if cuts:
            connection.execute(
                f'CREATE TEMP TABLE "{table}" AS FROM {market}."{table}" WHERE {" AND ".join(cuts)}', given
            )


def _other_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """Published tables that are cut by their columns of time, with their columns."""
    rows = connection.execute(
        "SELECT table_name, list(column_name) FROM duckdb_columns() "
        "WHERE database_name = current_database() AND NOT internal GROUP BY table_name"
    ).fetchall()
    return {table: set(columns) for table, columns in rows if table not in FIXED and table not in BUILT}
