"""The data folder: the whole market as Parquet, CSV and JSON.

One Arrow table feeds all three, in the order of the published copy, so that two builds from the same input
are the same bytes. In CSV, text that a spreadsheet would run as a formula gets a leading apostrophe.
"""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from reports import formatting as fmt
from reports.build_views.labels import TIER_STATES
from reports.market_views import Market
from reports.view_models import Download

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_INTERNAL = "is_fast, group_id, comparable, tier, shown"
_BATCH = 5000


def write_downloads(market: Market, folder: Path) -> tuple[Download, ...]:
    """Write ``offers.parquet``, ``offers.csv`` and ``offers.json`` into `folder`; say what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    table = offers_arrow(market)
    written = []
    for name, what, write in (
        ("offers.parquet", "every offer, every column", _write_parquet),
        ("offers.csv", "the same for a spreadsheet", _write_csv),
        ("offers.json", "the same for a program", _write_json),
    ):
        path = folder / name
        write(table, path, market.now)
        written.append(Download(name, f"data/{name}", what, fmt.byte_size(path.stat().st_size)))
    return tuple(written)


def offers_arrow(market: Market) -> Any:
    """The market as an Arrow table: the published columns, `age_hours` and `state`."""
    states = " ".join(f"WHEN {tier} THEN '{word or 'ok'}'" for tier, word in enumerate(TIER_STATES))
    relation = market.con.sql(
        f"""SELECT * EXCLUDE ({_INTERNAL}) REPLACE (round(age_hours, 3) AS age_hours),
                   CASE WHEN tier < 2 AND coalesce(missing_runs, 0) > 0 THEN 'missing'
                        ELSE CASE tier {states} END END AS state
            FROM site_offers
            ORDER BY accelerator_id NULLS LAST, price_usd_per_gpu_hour NULLS LAST, provider, offer_id"""  # noqa: S608
    )
    return relation.to_arrow_table()


def csv_safe(value: Any) -> Any:
    """A value for a CSV cell: text that starts like a formula is neutralised, lists are joined."""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    if isinstance(value, str):
        return "'" + value if value.startswith(FORMULA_STARTS) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return fmt.stamp(value)
    return value


def _write_parquet(table: Any, path: Path, now: datetime) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    utc = pa.timestamp("us", tz="UTC")
    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(utc))
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")


def _write_csv(table: Any, path: Path, now: datetime) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.column_names)
        for batch in table.to_batches(max_chunksize=_BATCH):
            columns = [batch.column(index).to_pylist() for index in range(batch.num_columns)]
            writer.writerows([csv_safe(value) for value in row] for row in zip(*columns, strict=True))


def _write_json(table: Any, path: Path, now: datetime) -> None:
    names = table.column_names
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"schema_version": 1, "as_of": "{fmt.stamp(now)}", "data": [')
        separator = "\n"
        for batch in table.to_batches(max_chunksize=_BATCH):
            columns = [batch.column(index).to_pylist() for index in range(batch.num_columns)]
            for row in zip(*columns, strict=True):
                record = dict(zip(names, row, strict=True))
                file.write(
                    separator + json.dumps(record, ensure_ascii=False, default=_json_value, allow_nan=False)
                )
                separator = ",\n"
        file.write('\n], "warnings": []}\n')


def _json_value(value: Any) -> str:
    if isinstance(value, datetime):
        return fmt.stamp(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")
