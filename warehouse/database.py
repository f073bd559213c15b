"""Opening the two DuckDB files: the loader's own (one writer) and the published copy (any number of readers).

The loader's file is attached to an in-memory connection with a storage version that DuckDB 1.5 reads too.
The published copy is opened read-only and locked down: no extension is fetched, no other file is read or
written, no Python variable is looked up, and none of that can be switched back on from SQL.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.errors import OlderCopyError, WarehouseBusyError, WarehouseError

if TYPE_CHECKING:
    import duckdb

SCHEMA_VERSION = 7
STORAGE_VERSION = "v1.5.0"
WAREHOUSE_FILE = "warehouse.duckdb"
MARKET_FILE = "market.duckdb"
SCHEMA_FOLDER = Path(__file__).parent / "schema"

_QUERY = re.compile(r"(\s|--[^\n]*\n)*(SELECT|FROM|WITH)\b", re.IGNORECASE)
_MOMENT_TYPES = {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"}

READER_CONFIG: dict[str, Any] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "python_enable_replacements": "false",
}


@lru_cache(maxsize=128)
def sql(name: str) -> str:
    """The text of ``schema/<name>.sql``."""
    return (SCHEMA_FOLDER / f"{name}.sql").read_text("utf-8")


def run_script(
    connection: duckdb.DuckDBPyConnection, name: str, parameters: dict[str, Any] | None = None
) -> None:
    """Execute every statement of ``schema/<name>.sql``; each gets the named parameters it uses."""
    run_statements(connection, sql(name), parameters or {})


def run_statements(connection: duckdb.DuckDBPyConnection, text: str, given: dict[str, Any]) -> None:
    """Execute every statement of a text; each gets the named parameters it uses."""
    for statement in connection.extract_statements(text):
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
    if "?" in str(path):  # DuckDB takes what follows for the query of an address
        raise WarehouseError(
            f"{home}: a home whose name holds a question mark cannot be used; choose another --home"
        )
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseError(f"{home} cannot be made ({error.strerror}); choose another --home") from None
    connection = memory_connection()
    try:
        with plain_errors(path):
            _attach(connection, path)
            _bring_forward(connection, path)
        yield connection
    finally:
        with suppress(
            duckdb.Error
        ):  # a full disk may refuse the last checkpoint; the log keeps what is committed
            connection.close()


def _attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(f"ATTACH {_quoted(path)} AS warehouse (STORAGE_VERSION '{STORAGE_VERSION}')")
    connection.execute("USE warehouse")


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
    from warehouse.migrations import FRESH

    for name in FRESH:
        connection.execute(sql(name))
    connection.execute("INSERT INTO meta VALUES ('schema_version', ?)", [str(SCHEMA_VERSION)])


def open_market(home: Path) -> duckdb.DuckDBPyConnection:
    """The published copy, read-only and locked down. The caller closes it.

    Raises:
        WarehouseError: there is none yet, it is corrupt, or it comes from another version of gpufare.
    """
    return open_published(market_path(home))


def open_published(path: Path) -> duckdb.DuckDBPyConnection:
    """Like `open_market`, by the name of the file or of its folder."""
    driver = _reader()
    path = market_path(path) if path.is_dir() else path
    if not path.exists():
        raise WarehouseError(f"{path} does not exist yet; run: gpufare load")
    try:
        connection: duckdb.DuckDBPyConnection = driver.connect(
            str(path), read_only=True, config=READER_CONFIG
        )
        # Two connections of one process share an instance: the first has set and locked it for both.
        locked = connection.execute("SELECT current_setting('lock_configuration')").fetchone()
        if locked is None or not locked[0]:
            connection.execute("SET GLOBAL TimeZone = 'UTC'")
            connection.execute("SET lock_configuration = true")
    except (driver.Error, OSError) as error:
        raise _explain(error, path) from None
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        _refuse_older(_refuse_newer(row, path), path)
    except driver.Error as error:
        connection.close()
        raise _explain(error, path) from None
    except WarehouseError:
        connection.close()
        raise
    return connection


def _reader() -> Any:
    """DuckDB's compiled module, which is all that a reader needs.

    The package around it imports 60 ms of Python (relations, spark-like frames, package metadata) that no
    command uses; where a version of DuckDB has no such module, the package itself does.
    """
    from importlib import import_module

    try:
        return import_module("_duckdb")
    except ImportError:
        return import_module("duckdb")


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turns trouble with a file (lock, room, rights, damage) into one line that names the next step.

    Any other error is a fault of ours and passes as it is.
    """
    import duckdb

    trouble = (
        duckdb.IOException,
        duckdb.FatalException,
        duckdb.SerializationException,
        duckdb.OutOfMemoryException,
        duckdb.TransactionException,
        OSError,
    )
    try:
        yield
    except trouble as error:
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
        with suppress(duckdb.Error):  # the failed statement may have ended the transaction already
            connection.execute("ROLLBACK")
        raise


def scalar(connection: duckdb.DuckDBPyConnection, text: str, parameters: Any = None) -> Any:
    """First column of the first row, None where there is none."""
    _, rows = fetch(connection, text, parameters)
    return rows[0][0] if rows else None


def fetch(
    connection: duckdb.DuckDBPyConnection, text: str, parameters: Any = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of a query; moments come as aware UTC datetimes.

    DuckDB hands a TIMESTAMPTZ to Python only with the help of a library that we do not need otherwise, so
    such columns are read as plain UTC timestamps and get their time zone here.
    """
    described = _columns(connection, text, parameters)
    moments = [index for index, (_, kind) in enumerate(described) if kind.upper() in _MOMENT_TYPES]
    if not moments:
        return [name for name, _ in described], connection.execute(text, parameters).fetchall()
    picked = ", ".join(
        f"make_timestamp(epoch_us(column{index}))" if index in moments else f"column{index}"
        for index in range(len(described))
    )
    aliases = ", ".join(f"column{index}" for index in range(len(described)))
    wrapped = f"SELECT {picked} FROM (\n{text.strip().rstrip(';')}\n) AS answer({aliases})"  # noqa: S608
    rows = connection.execute(wrapped, parameters).fetchall()
    return [name for name, _ in described], [_with_zone(row, moments) for row in rows]


def _columns(
    connection: duckdb.DuckDBPyConnection, text: str, parameters: Any = None
) -> list[tuple[str, str]]:
    """Names and types of a query's columns: planned only, where it is a query that can be described."""
    if _QUERY.match(text):
        cursor = connection.execute(f"DESCRIBE {text}", parameters)
        return [(str(row[0]), str(row[1])) for row in cursor.fetchall()]
    cursor = connection.execute(text, parameters)
    return [(str(column[0]), str(column[1])) for column in cursor.description or ()]


def columns_of(connection: Any, table: str) -> frozenset[str]:
    """Columns of a table of ours, empty where this copy (of an older version) has none of that name.

    Asking for no row of it takes a tenth of the time that the catalogue's own views take.
    """
    try:
        return frozenset(column[0] for column in connection.execute(f"FROM {table} LIMIT 0").description)
    except Exception as error:
        if type(error).__name__ != "CatalogException":
            raise
        return frozenset()


def fetch_dicts(
    connection: duckdb.DuckDBPyConnection, text: str, parameters: Any = None
) -> list[dict[str, Any]]:
    """Like `fetch`, each row as a dictionary."""
    names, rows = fetch(connection, text, parameters)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _with_zone(row: tuple[Any, ...], moments: list[int]) -> tuple[Any, ...]:
    values = list(row)
    for index in moments:
        values[index] = None if values[index] is None else values[index].replace(tzinfo=UTC)
    return tuple(values)


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
    if found == SCHEMA_VERSION:
        return
    from warehouse.migrations import back_up, bring_forward

    connection.execute("CHECKPOINT warehouse")
    connection.execute("USE memory")
    connection.execute("DETACH warehouse")
    back_up(path, found)
    _attach(connection, path)
    bring_forward(connection, found, SCHEMA_VERSION)


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


def _refuse_older(found: int, path: Path) -> None:
    if found < SCHEMA_VERSION:
        raise OlderCopyError(f"{path} was published by an older gpufare (format {found}); run: gpufare load")


def _explain(error: Exception, path: Path) -> WarehouseError:
    text = " ".join(str(error).split())
    lower = text.lower()
    if "lock on file" in lower or "conflicting lock" in lower or "being used by another process" in lower:
        return WarehouseBusyError(
            f"{path} is held by another gpufare loader; wait until it has ended, then try again"
        )
    if any(sign in lower for sign in ("no space left", "disk quota", "file too large", "could not write")):
        return WarehouseError(
            f"{path}: the disk has no room ({_short(text)}); what readers see is unchanged: free some space, "
            "then run: gpufare load"
        )
    if isinstance(error, PermissionError) or "permission denied" in lower or "read-only file" in lower:
        return WarehouseError(f"{path} cannot be written (permission denied); use another --home")
    if any(
        sign in lower
        for sign in ("not a valid duckdb", "corrupt", "checksum", "serialization", "does not exist!")
    ):
        step = "load the run folders again" if path.name == WAREHOUSE_FILE else "run: gpufare load"
        return WarehouseError(
            f"{path} is not a readable gpufare file ({_short(text)}); move it away and {step}"
        )
    if "older version" in lower or "newer version" in lower or "storage version" in lower:
        return WarehouseError(f"{path} was written by a newer DuckDB ({_short(text)}); update duckdb")
    return WarehouseError(f"{path}: {_short(text)}")


def _short(text: str) -> str:
    return text if len(text) <= 160 else text[:157] + "..."


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
