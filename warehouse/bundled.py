"""The market snapshot that ships inside the package: prices to start from on a machine without network.

Two text tables, compiled by `bench.compile_market` from origins whose licence allows it: `offers.csv`, the
newest state of each offer, and `history.csv`, one observation per offer and week of the last twelve months.
Each row names its origin; `origins.csv` says who that is, under which licence, and where each row can be
checked. The rows are compiled by third parties, so none is first-party, and all are as old as `observed_at`
says. Nothing here is read before it is asked for.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.errors import ReferenceDataError
from warehouse.records import Offer, PriceKind

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = Path(__file__).parent / "market"
COLUMNS = (
    "origin",
    "ref",
    "observed_at",
    "provider",
    "instance_type",
    "gpu_name_raw",
    "gpu_count",
    "gpu_memory_gb",
    "interconnect",
    "vcpus",
    "memory_gib",
    "region",
    "price_kind",
    "term_months",
    "price_raw",
    "price_unit",
    "currency",
    "is_floor",
    "available",
    "offer_key",
    "note",
)
_NUMBERS = ("gpu_count", "gpu_memory_gb", "vcpus", "memory_gib")


def bundled_offers() -> pa.Table:
    """Snapshot and history as one Arrow table.

    The columns are those of `warehouse.run_folder.offers_schema()`, then: ``role`` (``current`` or
    ``history``), ``title`` (the provider's name for people), ``first_party`` (false in every row),
    ``origin_id``, ``origin_title`` and ``licence`` (who compiled the row, and under which licence).
    Raises ReferenceDataError where a table of the package is damaged.
    """
    import pyarrow as pa

    from warehouse.run_folder import offers_schema

    both = pa.concat_tables([_read("offers.csv", "current"), _read("history.csv", "history")])
    absent = {field.name: pa.nulls(len(both), field.type) for field in offers_schema()}
    columns = {name: both[name] if name in both.column_names else nulls for name, nulls in absent.items()}
    extra = ("role", "title", "first_party", "origin_id", "origin_title", "licence")
    return pa.table({**columns, **{name: both[name] for name in extra}})


@lru_cache(maxsize=1)
def bundled_date() -> datetime:
    """When the newest price of the snapshot was observed (UTC): how old the bundle is."""
    with (FOLDER / "offers.csv").open(encoding="utf-8") as file:
        return max(datetime.fromisoformat(row["observed_at"]) for row in csv.DictReader(file))


@lru_cache(maxsize=1)
def origins() -> dict[str, dict[str, str]]:
    """Who compiled the rows: id to ``title``, ``licence``, ``homepage``, ``file_address``, ``what``."""
    return _small_table("origins.csv", "origin")


@lru_cache(maxsize=1)
def bundled_providers() -> dict[str, dict[str, str]]:
    """Providers of the bundle: id to ``title`` and ``page`` (the provider's own price page)."""
    return _small_table("providers.csv", "provider")


def offer_of(row: dict[str, str]) -> Offer:
    """One line of a bundled table as an Offer. Raises RecordError where it cannot be true."""
    values: dict[str, Any] = {name: row[name] or None for name in COLUMNS}
    origin, ref = values.pop("origin"), values.pop("ref")
    for name in _NUMBERS:
        values[name] = None if values[name] is None else float(values[name])
    values["source"] = origin
    values["source_url"] = origins()[origin]["file_address"].replace("{ref}", ref)
    values["observed_at"] = datetime.fromisoformat(values["observed_at"])
    values["price_kind"] = PriceKind(values["price_kind"])
    values["price_raw"] = Decimal(values["price_raw"])
    values["term_months"] = int(values["term_months"]) if values["term_months"] else None
    values["is_floor"] = values["is_floor"] == "true"
    values["available"] = None if values["available"] is None else values["available"] == "true"
    return Offer(**values)


def _read(name: str, role: str) -> pa.Table:
    """One of the two tables with typed columns, its source address spelled out, and its role."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv as arrow_csv

    types = {**dict.fromkeys(COLUMNS, pa.string()), **dict.fromkeys(_NUMBERS, pa.float64())}
    types |= {"term_months": pa.int32(), "is_floor": pa.bool_(), "available": pa.bool_()}
    types["observed_at"] = pa.timestamp("us", tz="UTC")
    options = arrow_csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    known, providers = origins(), bundled_providers()
    try:
        table = arrow_csv.read_csv(FOLDER / name, convert_options=options).combine_chunks()
        refs = pc.binary_join_element_wise(table["origin"], pc.fill_null(table["ref"], ""), "\n")
        extra = {
            "source": table["origin"],
            "source_url": _mapped(refs, _address),
            "role": pa.array([role] * len(table), pa.string()),
            "title": _mapped(table["provider"], lambda provider: providers[provider]["title"]),
            "first_party": pa.array([False] * len(table)),
            "origin_id": table["origin"],
            "origin_title": _mapped(table["origin"], lambda origin: known[origin]["title"]),
            "licence": _mapped(table["origin"], lambda origin: known[origin]["licence"]),
        }
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ReferenceDataError(
            f"bundled market: {name} is not readable ({error}); reinstall gpufare"
        ) from None
    for column, values in extra.items():
        table = table.append_column(column, values)
    return table


def _mapped(column: pa.ChunkedArray, function: Callable[[str], str]) -> pa.Array:
    """`function` of each value, called once per distinct value."""
    import pyarrow as pa

    encoded = column.combine_chunks().dictionary_encode()
    return pa.array([function(value) for value in encoded.dictionary.to_pylist()]).take(encoded.indices)


def _address(origin_and_ref: str) -> str:
    origin, ref = origin_and_ref.split("\n", 1)
    return origins()[origin]["file_address"].replace("{ref}", ref)


def _small_table(name: str, key: str) -> dict[str, dict[str, str]]:
    try:
        with (FOLDER / name).open(encoding="utf-8", newline="") as file:
            return {row.pop(key): row for row in csv.DictReader(file)}
    except (OSError, KeyError, csv.Error) as error:
        raise ReferenceDataError(
            f"bundled market: {name} is not readable ({error}); reinstall gpufare"
        ) from None
