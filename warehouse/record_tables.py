"""The Parquet tables of a parsed run folder: one per kind of record, one column per field of its class.

Numbers that a source prints are kept as text, so that no digit is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.errors import RunFolderError
from warehouse.records import FxRate, GridCarbon, Offer, Record, TokenPrice

if TYPE_CHECKING:
    import pyarrow as pa

OFFERS_FILE = "offers.parquet"
FX_FILE = "fx_rates.parquet"
TOKENS_FILE = "token_prices.parquet"
CARBON_FILE = "grid_carbon.parquet"
FILES: dict[type[Record], str] = {
    Offer: OFFERS_FILE,
    FxRate: FX_FILE,
    TokenPrice: TOKENS_FILE,
    GridCarbon: CARBON_FILE,
}
PRINTED_NUMBERS = {
    "price_raw",
    "upfront_raw",
    "units_per_eur",
    "input_raw",
    "output_raw",
    "cached_input_raw",
    "intensity_raw",
}


def write_records(folder: Path, records: list[Record]) -> None:
    """Write one file per kind of record that there is; without any record an empty `offers.parquet`."""
    import pyarrow.parquet as pq

    for kind, name in FILES.items():
        rows = [record for record in records if isinstance(record, kind)]
        if rows or (kind is Offer and not records):
            pq.write_table(record_table(kind, rows), folder / name, compression="zstd")


def read_records(folder: Path) -> list[Record]:
    """The records of a parsed run folder as objects (tests and dry runs; loading goes through Arrow)."""
    import pyarrow.parquet as pq

    records: list[Record] = []
    try:
        for kind, name in FILES.items():
            if (folder / name).exists():
                records += [_record(kind, row) for row in pq.read_table(folder / name).to_pylist()]
    except (OSError, ValueError) as error:
        raise RunFolderError(f"run folder {folder}: record tables are not readable ({error})") from None
    return records


def record_table(kind: type[Record], records: Sequence[Record]) -> pa.Table:
    """Arrow table of records of one kind."""
    import pyarrow as pa

    columns = {
        field.name: [_cell(getattr(record, field.name)) for record in records] for field in fields(kind)
    }
    return pa.table(columns, schema=record_schema(kind))


def offers_schema() -> pa.Schema:
    """Arrow schema of `offers.parquet`."""
    return record_schema(Offer)


def record_schema(kind: type[Record]) -> pa.Schema:
    """Arrow schema of one kind's table; texts where `_types` names nothing else."""
    import pyarrow as pa

    types = _types()
    return pa.schema([(field.name, types.get(field.name, pa.string())) for field in fields(kind)])


def _types() -> dict[str, pa.DataType]:
    import pyarrow as pa

    sizes = ("gpu_count", "gpu_memory_gb", "vcpus", "memory_gib", "disk_gb", "tax_rate", "carbon_free_share")
    bands = ("interruption_rate_low", "interruption_rate_high")
    return {
        **dict.fromkeys((*sizes, *bands), pa.float64()),
        **dict.fromkeys(("available_count", "context_length"), pa.int64()),
        **dict.fromkeys(("effective_from", "rate_date", "retired_on"), pa.date32()),
        **dict.fromkeys(("is_floor", "available", "first_party"), pa.bool_()),
        "observed_at": pa.timestamp("us", tz="UTC"),
        "term_months": pa.int32(),
    }


def _cell(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.value if isinstance(value, Enum) else value


def _record(kind: type[Record], row: dict[str, Any]) -> Record:
    numbers = {
        name: Decimal(value) for name, value in row.items() if name in PRINTED_NUMBERS and value is not None
    }
    return kind(**{**row, **numbers})
