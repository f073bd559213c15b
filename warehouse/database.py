"""Opening the two DuckDB files: the loader's own (one writer) and the published copy (any number of readers).

The loader's file is attached to an in-memory connection with a storage version that DuckDB 1.5 reads too.
The published copy is opened read-only and locked down: no extension is fetched, no other file is read or
written, no Python variable is looked up, and none of that can be switched back on from SQL.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    import duckdb

SCHEMA_VERSION = 1
STORAGE_VERSION = "v1.5.0"
WAREHOUSE_FILE = "warehouse.duckdb"
MARKET_FILE = "market.duckdb"
SCHEMA_FOLDER = Path(__file__).parent / "schema"
MIGRATIONS: dict[int, str] = {}
"""SQL file under `schema` that takes a warehouse from version key - 1 to version key."""

READER_CONFIG: dict[str, Any] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "lock_configuration": "true",
}


@lru_cache(maxsize=128)
def sql(name: str) -> str:
    """The text of ``schema/<name>.sql``."""
    return (SCHEMA_FOLDER / f"{name}.sql").read_text("utf-8")


def run_script(connection: duckdb.DuckDBPyConnection, name: str, parameters: dict[str, Any] | None = None) -> None:
    """Execute every statement of ``schema/<name>.sql``; each gets the named parameters it uses."""
    given = parameters or {}
    for statement in connection.extract_statements(sql(name)):
        connection.execute(statement, {key: given[key] for key in statement.named_parameters})


def warehouse_path(home: Path) -> Path:
    """The loader's file."""
    return home / WAREHOUSE_FILE


def market_path(home: Path) -> Path:
    """The published copy."""
    return home / MARKET_FILE


@contextmanager
def open_warehouse(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The loader's connection; the file is made, or brought forward to this version, where needed.

    Raises:
        WarehouseError: another loader holds the file, it is corrupt, it comes from a newer gpufare, or the
            folder cannot be written. The text is one line that names the file and the next step.
    """
    import duckdb

    path = warehouse_path(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseError(f"{home} cannot be made ({error.strerror}); choose another --home") from None
    connection = memory_connection()
    try:
        with plain_errors(path):
            connection.execute(
                f"ATTACH {_quoted(path)} AS warehouse (STORAGE_VERSION '{STORAGE_VERSION}')"  # noqa: S608
            )
            connection.execute("USE warehouse")
        with plain_errors(path):
            _bring_forward(connection, path)
        yield connection
    finally:
        try:
            connection.close()
        except duckdb.Error:  # a full disk may refuse the last checkpoint; the log keeps what was committed
            pass


def memory_connection() -> duckdb.DuckDBPyConnection:
    """An in-memory connection for loading: reads local files, fetches nothing, keeps UTC."""
    import duckdb

    connection = duckdb.connect(
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    )
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = true")
    return connection


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the loader's tables in the current catalogue."""
    connection.execute(sql("tables"))
    connection.execute("INSERT INTO meta VALUES ('schema_version', ?)", [str(SCHEMA_VERSION)])


def open_market(home: Path) -> duckdb.DuckDBPyConnection:
    """The published copy, read-only and locked down. The caller closes it.

    Raises:
        WarehouseError: there is none yet, it is corrupt, or it comes from a newer gpufare.
    """
    return open_published(market_path(home))


def open_published(path: Path) -> duckdb.DuckDBPyConnection:
    """Like `open_market`, by file name."""
    import duckdb

    if not path.exists():
        raise WarehouseError(f"{path} does not exist yet; run: gpufare load")
    try:
        connection = duckdb.connect(str(path), read_only=True, config=READER_CONFIG)
    except (duckdb.Error, OSError) as error:
        raise _explain(error, path) from None
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        _refuse_newer(row, path)
    except duckdb.Error as error:
        connection.close()
        raise _explain(error, path) from None
    except WarehouseError:
        connection.close()
        raise
    return connection


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turns DuckDB's and the system's errors about a file into one line that names the next step."""
    import duckdb

    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise _explain(error, path) from None


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing: commits at the end, rolls back on any error."""
    import duckdb

    connection.execute("BEGIN TRANSACTION")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        try:
            connection.execute("ROLLBACK")
        except duckdb.Error:  # the failed statement has ended the transaction already
            pass
        raise


def scalar(connection: duckdb.DuckDBPyConnection, text: str, parameters: Any = None) -> Any:
    """First column of the first row, None where there is none."""
    row = connection.execute(text, parameters).fetchone()
    return row[0] if row else None


def rows_as_dicts(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """All rows of an executed query as dictionaries."""
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def replace_file(built: Path, target: Path) -> None:
    """Flush `built` to disk and rename it over `target`: a reader sees the old file or the new, whole."""
    with built.open("rb+") as handle:
        os.fsync(handle.fileno())
    built.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _bring_forward(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    tables = scalar(
        connection,
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'warehouse' AND table_name = 'meta'",
    )
    if not tables:
        with transaction(connection):
            create_tables(connection)
        return
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    found = _refuse_newer(row, path)
    for version in range(found + 1, SCHEMA_VERSION + 1):
        with transaction(connection):
            connection.execute(sql(MIGRATIONS[version]))
            connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", [str(version)])


def _refuse_newer(row: tuple[Any, ...] | None, path: Path) -> int:
    if row is None or not str(row[0]).isdigit():
        raise WarehouseError(f"{path} is not a gpufare file (no schema version); move it away and load again")
    found = int(row[0])
    if found > SCHEMA_VERSION:
        raise WarehouseError(
            f"{path} was written by a newer gpufare (format {found}, this one knows {SCHEMA_VERSION}); "
            "update gpufare or use another --home"
        )
    return found


def _explain(error: Exception, path: Path) -> WarehouseError:
    text = " ".join(str(error).split())
    lower = text.lower()
    if "lock on file" in lower or "conflicting lock" in lower or "being used by another process" in lower:
        return WarehouseError(f"{path} is held by another gpufare loader; wait until it has ended, then try again")
    if any(sign in lower for sign in ("no space left", "disk quota", "file too large", "could not write")):
        return WarehouseError(
            f"{path}: the disk has no room ({_short(text)}); nothing was changed: free some space and load again"
        )
    if isinstance(error, PermissionError) or "permission denied" in lower or "read-only file" in lower:
        return WarehouseError(f"{path} cannot be written (permission denied); use another --home")
    if any(sign in lower for sign in ("not a valid duckdb", "corrupt", "checksum", "serialization", "does not exist!")):
        step = "load the run folders again" if path.name == WAREHOUSE_FILE else "run: gpufare load"
        return WarehouseError(f"{path} is not a readable gpufare file ({_short(text)}); move it away and {step}")
    if "older version" in lower or "newer version" in lower or "storage version" in lower:
        return WarehouseError(f"{path} was written by a newer DuckDB ({_short(text)}); update duckdb")
    return WarehouseError(f"{path}: {_short(text)}")


def _short(text: str) -> str:
    return text if len(text) <= 160 else text[:157] + "..."


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
