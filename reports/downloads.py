"""The data folder: the whole market as Parquet, CSV and JSON.

One Arrow table feeds all three, in the order of the published copy, so that two builds from the same input
are the same bytes. In CSV, text that a spreadsheet would run as a formula gets a leading apostrophe. CSV and
JSON carry the 64-bit `offer_id` as text, because spreadsheets and JavaScript would round it.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports import formatting as fmt
from reports.market_views import Market
from reports.view_models import Download

if TYPE_CHECKING:
    import pyarrow as pa

FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
_BATCH_ROWS = 20_000


def write_downloads(market: Market, folder: Path) -> tuple[Download, ...]:
    """Write ``offers.parquet``, ``offers.csv`` and ``offers.json`` into `folder`; say what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    table = _with_utc(market.download_table())
    _write_parquet(table, folder / "offers.parquet")
    _write_csv(table, folder / "offers.csv")
    _write_json(table, folder / "offers.json", market.now)
    said = {
        "offers.parquet": "every offer, every column",
        "offers.csv": "the same for a spreadsheet",
        "offers.json": "the same for a program",
    }
    return tuple(
        Download(name, f"data/{name}", what, fmt.byte_size((folder / name).stat().st_size))
        for name, what in said.items()
    )


def _with_utc(table: pa.Table) -> pa.Table:
    """The table with its timestamps marked as the UTC they are, and without the engine's own metadata."""
    import pyarrow as pa

    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            column = table.column(index).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
            table = table.set_column(index, field.name, column)
    return table.replace_schema_metadata(None)


def _write_parquet(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd")


def _write_csv(table: pa.Table, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    for index, field in enumerate(table.schema):
        column = _as_text(table.column(index))
        if pa.types.is_list(field.type):
            column = pc.binary_join(column, " ")
        if pa.types.is_string(column.type):
            runs = pc.match_substring_regex(column, FORMULA)
            column = pc.if_else(runs, pc.binary_join_element_wise("'", column, ""), column)
        table = table.set_column(index, field.name, column)
    csv.write_csv(table, path)


def _write_json(table: pa.Table, path: Path, now: datetime) -> None:
    import json

    for index, field in enumerate(table.schema):
        table = table.set_column(index, field.name, _as_text(table.column(index)))
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"schema_version": 1, "as_of": "{fmt.stamp(now)}", "data": [')
        separator = "\n"
        for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
            for row in batch.to_pylist():
                file.write(separator + encode(row))
                separator = ",\n"
        file.write('\n], "warnings": []}\n')


def _as_text(column: Any) -> Any:
    """Times, days and 64-bit ids as text; everything else as it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(column.type):
        return pc.strftime(column.cast(pa.timestamp("s", tz="UTC"), safe=False), format="%Y-%m-%dT%H:%M:%SZ")
    if pa.types.is_date(column.type) or pa.types.is_uint64(column.type):
        return column.cast(pa.string())
    return column
