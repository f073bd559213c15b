"""AWS's price files, read on disk: plain shared Linux machines with accelerators, and their savings plans.

Of a region's half a million rows under a tenth is of accelerator machines, and of those a few are plain
Linux: a machine has rows for every tenancy, licence, software, reservation state and Capacity Block.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

from crawlers.large_csv import connection, csv_body, plain_size, rows_of
from crawlers.parsing import Row, ShapeError

PREAMBLE_LINES = 5
PLAN_MEMORY_LIMIT = "2GB"  # a plan file is one JSON object: DuckDB reads it whole
ROOM_BYTES = 1 << 16
ACCELERATED = re.compile(r"(p|g|gr|trn|inf|dl)\d")
DISK = re.compile(r"(?:(\d+) x )?(\d+)(?: GB)?(?: NVMe)?(?: (?:SSD|HDD))?")
SIZE = re.compile(r"([\d,]+(?:\.\d+)?) (?:GiB|GB)\b.*")
_NEEDED = """
    SKU|OfferTermCode|TermType|Unit|PricePerUnit|Currency|LeaseContractLength|PurchaseOption|
    OfferingClass|Location|Instance Type|vCPU|Memory|Storage|Tenancy|Operating System|License Model|
    operation|CapacityStatus|GPU|GPU Memory|Pre Installed S/W"""
_IGNORED = """
    RateCode|PriceDescription|EffectiveDate|StartingRange|EndingRange|RelatedTo|Product Family|
    serviceCode|Location Type|Current Generation|Instance Family|Physical Processor|Clock Speed|
    Network Performance|Processor Architecture|Storage Media|Volume Type|Max Volume Size|Max IOPS/volume|
    Max IOPS Burst Performance|Max throughput/volume|Provisioned|EBS Optimized|Group|Group Description|
    Transfer Type|From Location|From Location Type|To Location|To Location Type|usageType|
    Dedicated EBS Throughput|ECU|Elastic Graphics Type|Enhanced Networking Supported|Instance|instanceSKU|
    Intel AVX Available|Intel AVX2 Available|Intel Turbo Available|Normalization Size Factor|
    Physical Cores|Processor Features|Product Type|Resource Type|serviceName|Volume API Name"""
OPTIONAL = {
    "Region Code": '"Location"',
    "MarketOption": "'OnDemand'",
}  # absent from old files: what stands in
PLAIN_LINUX = """
    "Tenancy" = 'Shared' AND "Operating System" = 'Linux' AND "CapacityStatus" = 'Used'
    AND coalesce("Pre Installed S/W", 'NA') = 'NA' AND "License Model" = 'No License required'
    AND coalesce("MarketOption", 'OnDemand') = 'OnDemand' AND NOT ends_with(coalesce("operation", ''), ':CB')
    AND coalesce("OfferingClass", 'standard') = 'standard'"""
SALES = f"""
    SELECT "SKU" AS sku, "TermType" AS term, any_value("LeaseContractLength") AS length,
        any_value("PurchaseOption") AS option, any_value("Currency") AS currency,
        any_value("Unit") FILTER ("Unit" <> 'Quantity') AS unit,
        any_value("PricePerUnit") FILTER ("Unit" <> 'Quantity') AS hourly,
        any_value("PricePerUnit") FILTER ("Unit" = 'Quantity') AS upfront,
        any_value("Region Code") AS region, any_value("Instance Type") AS name,
        any_value("vCPU") AS vcpus, any_value("Memory") AS memory, any_value("Storage") AS storage,
        any_value("GPU") AS gpus, any_value("GPU Memory") AS gpu_memory
    FROM gpu WHERE {PLAIN_LINUX} GROUP BY "SKU", "TermType", "OfferTermCode"
    ORDER BY name, term, length, option, sku"""  # noqa: S608 - constants
PLAN_RATES = """
    WITH body AS (SELECT * FROM read_json($1, format = 'unstructured', maximum_object_size = $3,
        columns = {products: 'STRUCT(sku VARCHAR, attributes STRUCT(purchaseOption VARCHAR))[]',
            terms: 'STRUCT(savingsPlan STRUCT(sku VARCHAR, leaseContractLength STRUCT(duration INTEGER,
                unit VARCHAR), rates STRUCT(discountedSku VARCHAR, unit VARCHAR,
                discountedRate STRUCT(price VARCHAR, currency VARCHAR))[])[])'})),
    plan AS (SELECT unnest(terms.savingsPlan) AS t FROM body),
    product AS (SELECT unnest(products) AS p FROM body)
    SELECT p.attributes.purchaseOption AS purchaseOption, t.leaseContractLength.duration AS duration,
        t.leaseContractLength.unit AS length, r.discountedSku AS sku, r.unit AS unit,
        r.discountedRate.price AS price, r.discountedRate.currency AS currency
    FROM plan LEFT JOIN product ON p.sku = t.sku,
        unnest(list_filter(t.rates, lambda rate: list_contains($2, rate.discountedSku))) AS u(r)"""


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split("|"))


NEEDED = _names(_NEEDED)
KNOWN = {*NEEDED, *_names(_IGNORED), *OPTIONAL}


def read_price_list(file: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """The unknown columns of a region's price file, and one row per way to buy a plain Linux machine.

    Rows: sku, term (OnDemand, Reserved), length, option, currency, unit, hourly, upfront, region, name,
    vcpus, memory, storage, gpus, gpu_memory; all text as printed, None where blank.

    Raises:
        ShapeError: a column is gone, the file is cut short, or no row is plain Linux any more.
    """
    with csv_body(file, needed=NEEDED, preamble_lines=PREAMBLE_LINES) as (con, columns):
        chosen = [f'"{name}"' for name in NEEDED]
        chosen += [
            f'"{name}"' if name in columns else f'{other} AS "{name}"' for name, other in OPTIONAL.items()
        ]
        wanted = """ FROM body WHERE "GPU" <> '' OR regexp_matches("Instance Type", $1)"""
        con.execute(
            "CREATE TEMP TABLE gpu AS SELECT " + ", ".join(chosen) + wanted, [f"^{ACCELERATED.pattern}"]
        )
        sales = rows_of(con, SALES)
        machines = rows_of(con, "SELECT count(*) AS n FROM gpu")[0]["n"]
    if machines and not sales:
        raise ShapeError(
            f"none of {machines:,} rows of accelerator machines is plain shared Linux: Tenancy, "
            "Operating System, CapacityStatus, License Model, Pre Installed S/W, MarketOption or "
            "OfferingClass have new words"
        )
    return [name for name in columns if name not in KNOWN and not name.startswith("Instance Capacity")], sales


def plan_rates(file: Path, skus: list[str]) -> list[dict[str, Any]]:
    """Rates of a region's savings plans for the given machines: purchaseOption, duration, length, sku, unit,
    price, currency.

    Raises:
        ShapeError: a field is gone, or none of the machines is named.
    """
    with connection(file) as con:
        con.execute(f"SET memory_limit = '{PLAN_MEMORY_LIMIT}'; SET threads = 1")
        rates = rows_of(con, PLAN_RATES, [str(file), skus, plain_size(file) + ROOM_BYTES])
    if skus and not rates:
        raise ShapeError("terms.savingsPlan[].rates[].discountedSku: no machine of the price file is named")
    for rate in rates:
        lost = [field for field, value in rate.items() if value is None and field != "unit"]
        if lost:
            raise ShapeError(f"terms.savingsPlan[].rates[]: field {lost[0]!r} is missing")
    return rates


def machine_of(row: Row) -> dict[str, Any]:
    """The machine of one row of `read_price_list`, as fields of an offer."""
    count, memory = row.number("gpus"), memory_size(row.need("gpu_memory"))
    return {
        "instance_type": row.text("name"),
        "gpu_count": count,
        "gpu_memory_gb": memory / count if memory and count else None,
        "partition": str(Fraction(row.need("gpus"))) if count and count < 1 else None,
        "vcpus": row.number("vcpus"),
        "memory_gib": memory_size(row.need("memory")),
        "disk_gb": disk_gb(row.need("storage")),
        "region": row.text("region"),
    }


def memory_size(text: str | None) -> float | None:
    """``2048 GiB`` or ``1128 GB HBM3`` as a number; None where it is blank or written otherwise."""
    match = SIZE.fullmatch(text or "")
    return float(match[1].replace(",", "")) if match else None


def disk_gb(text: str | None) -> float | None:
    """``8 x 3800 GB NVMe SSD`` as 30400; None for machines without local disks, and where it is unclear."""
    match = DISK.fullmatch(text or "")
    return float(match[1] or 1) * float(match[2]) if match else None
