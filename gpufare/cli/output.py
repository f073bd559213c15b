"""How commands print: tables for people, JSON and CSV for programs; messages go to stderr.

`Output` is the only door to stdout. rich is imported only for a terminal; a pipe gets plain text.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TextIO

from warehouse.errors import UsageError

SCHEMA_VERSION = 1
PLAIN_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table for people.

    Attributes:
        key: key of the row.
        title: heading, with its unit.
        right: True for numbers.
        show: turns the value into text; None values print as an empty cell unless `show` handles them.
        min_width: narrowest width in characters when the terminal is small.
    """

    key: str
    title: str
    right: bool = False
    show: Callable[[Any], str] | None = None
    min_width: int = 4

    def text(self, row: dict[str, Any]) -> str:
        """The cell's text, free of control characters."""
        value = row.get(self.key)
        shown = "" if value is None else self.show(value) if self.show else plain_text(value)
        return "".join(character if character.isprintable() else "�" for character in shown)


class Output:
    """Prints the answer of one command.

    Args:
        as_json, as_csv: the command's ``--json`` / ``--csv`` flags; both at once is a usage error.
        plain: no colour and no animation (from the settings).
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        as_csv: bool = False,
        plain: bool = False,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        if as_json and as_csv:
            raise UsageError("--json and --csv exclude one another; give one of them")
        self.format = "json" if as_json else "csv" if as_csv else "table"
        self.stdout, self.stderr = stdout or sys.stdout, stderr or sys.stderr
        self.colour = self.stdout.isatty() and not plain
        self.animate = self.stderr.isatty() and not plain

    def rows(
        self,
        rows: Sequence[dict[str, Any]],
        columns: Sequence[Column],
        *,
        as_of: datetime,
        warnings: Sequence[str] = (),
        empty: str = "nothing to show",
    ) -> None:
        """Print rows in the chosen format. In a table, `warnings` go to stderr after it."""
        if self.format == "json":
            self.envelope(list(rows), as_of=as_of, warnings=warnings)
            return
        if self.format == "csv":
            self.stdout.write(to_csv(rows, _keys(rows, columns)))
        elif rows:
            self._table(rows, columns)
        else:
            self.message(empty)
        for warning in warnings:
            self.message(f"note: {warning}")

    def envelope(self, data: Any, *, as_of: datetime, warnings: Sequence[str] = ()) -> None:
        """Print the contract's JSON envelope."""
        body = {
            "schema_version": SCHEMA_VERSION,
            "as_of": as_of.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "data": data,
            "warnings": list(warnings),
        }
        self.stdout.write(json.dumps(body, ensure_ascii=False, default=_json_value, allow_nan=False) + "\n")

    def text(self, text: str) -> None:
        """Print prose (an explanation) to stdout."""
        self.stdout.write(_printable_lines(text) + "\n")

    def message(self, text: str) -> None:
        """One line to stderr."""
        self.stderr.write(_printable_lines(text) + "\n")

    @contextmanager
    def progress(self, title: str, total: int | None = None) -> Iterator[Callable[[str], None]]:
        """Progress on a terminal, silent elsewhere. Yields ``step(text)``: count one, show text."""
        if not self.animate:
            yield lambda text: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
        from rich.text import Text

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
        )
        with Progress(*columns, console=Console(file=self.stderr), transient=True) as bar:
            task = bar.add_task(title, total=total)

            def step(text: str) -> None:
                bar.update(task, advance=1, description=Text(text).plain)

            yield step

    def _table(self, rows: Sequence[dict[str, Any]], columns: Sequence[Column]) -> None:
        cells = [[column.text(row) for column in columns] for row in rows]
        if self.colour:
            _rich_table(self.stdout, columns, cells)
        else:
            self.stdout.write(_plain_table(columns, cells))


def plain_text(value: Any) -> str:
    """A value as text for a table cell."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def to_csv(rows: Iterable[dict[str, Any]], keys: Sequence[str]) -> str:
    """CSV text with a header; cells that a spreadsheet would run as a formula are neutralised."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(keys)
    for row in rows:
        writer.writerow([csv_cell(row.get(key)) for key in keys])
    return buffer.getvalue()


def csv_cell(value: Any) -> Any:
    """One CSV value: text that starts like a formula gets a leading apostrophe."""
    if value is None:
        return ""
    if isinstance(value, list | tuple | dict):
        value = json.dumps(value, ensure_ascii=False, default=_json_value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


def _keys(rows: Sequence[dict[str, Any]], columns: Sequence[Column]) -> list[str]:
    return list(rows[0]) if rows else [column.key for column in columns]


def _plain_table(columns: Sequence[Column], cells: list[list[str]]) -> str:
    widths = [max(len(column.title), *(len(row[i]) for row in cells)) for i, column in enumerate(columns)]
    lines = [[column.title for column in columns], ["-" * width for width in widths], *cells]
    out = []
    for line in lines:
        padded = [
            text.rjust(width) if column.right else text.ljust(width)
            for text, width, column in zip(line, widths, columns, strict=True)
        ]
        out.append("  ".join(padded).rstrip())
    return "\n".join(out) + "\n"


def _rich_table(stdout: TextIO, columns: Sequence[Column], cells: list[list[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        justify = "right" if column.right else "left"
        table.add_column(column.title, justify=justify, overflow="fold", min_width=column.min_width)  # type: ignore[arg-type]
    for row in cells:
        table.add_row(*(Text(text) for text in row))
    Console(file=stdout, highlight=False).print(table)


def _printable_lines(text: str) -> str:
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in text)


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
