"""Reads large CSV and JSON files with DuckDB: the wanted rows and columns only, never the file in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crawlers.parsing import ShapeError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY_LIMIT = "256MB"
THREADS = 2


@contextmanager
def csv_body(
    file: Path, *, needed: tuple[str, ...], preamble_lines: int = 0
) -> Iterator[tuple[DuckDBPyConnection, list[str]]]:
    """A connection in which the view ``body`` is the file (all columns text, blank is NULL), and its columns.

    Quoted cells, commas, a header line after `preamble_lines`; every row must have all cells.

    Raises:
        ShapeError: a `needed` column is gone, or a row cannot be read (also later, while the view is read).
    """
    with connection(file) as con:
        options = "header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"', "
        options += f"null_padding = false, strict_mode = true, skip = {preamble_lines}"
        con.execute("CREATE VIEW body AS SELECT * FROM read_csv(" + literal(file) + ", " + options + ")")  # noqa: S608
        columns = [str(row[0]) for row in con.execute("DESCRIBE body").fetchall()]
        for lost in (name for name in needed if name not in columns):
            raise ShapeError(f"the file has no column {lost!r} (it has {', '.join(columns[:12])} ...)")
        yield con, columns


@contextmanager
def connection(file: Path) -> Iterator[DuckDBPyConnection]:
    """A connection in memory with bounded memory; DuckDB's complaints about the file become a ShapeError."""
    import duckdb

    con = duckdb.connect(":memory:")
    try:
        con.execute(
            f"SET memory_limit = '{MEMORY_LIMIT}'; SET threads = {THREADS}; SET temp_directory = ''; "
            "SET preserve_insertion_order = false; SET enable_progress_bar = false"
        )
        yield con
    except duckdb.Error as error:
        words = " ".join(str(error).replace(str(file), "the file").split())
        raise ShapeError(f"the file cannot be read as documented: {words[:240]}") from None
    finally:
        con.close()


def rows_of(con: DuckDBPyConnection, query: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
    """The rows of a query as dictionaries."""
    found = con.execute(query, parameters or [])
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def plain_size(file: Path) -> int:
    """Bytes of a file when it is unpacked; gzip states it in its last four bytes (up to 4 GiB)."""
    if file.suffix != ".gz":
        return file.stat().st_size
    with file.open("rb") as packed:
        packed.seek(-4, 2)
        return int.from_bytes(packed.read(4), "little")


def literal(value: object) -> str:
    """A value as an SQL text literal."""
    return "'" + str(value).replace("'", "''") + "'"
