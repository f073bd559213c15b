"""`python -m bench.aws_file [MEGABYTES]`: seconds and memory from an AWS price file to offers.

Writes a price file of one region to the documented layout: five lines of preamble, the header of 80-odd
columns, and for every SKU of a machine type its on-demand, reserved, dedicated, Windows, licence and
Capacity Block rows, so that few of the rows are offers of ours. Machine types with accelerators are real
ones of the reference table; prices and SKUs are made up from a fixed seed. The file then goes through the
`aws` spider's own reading in a process of its own, once as it is fetched and once as the archive keeps it
(gzip). Nothing passes or fails here: it prints.
"""

from __future__ import annotations

import csv
import gzip
import io
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SEED = 20261121
DEFAULT_MEGABYTES = 300
BYTES_PER_MB = 10**6
KIB_PER_MB = 1000 / 1.024
HEADER = """
SKU,OfferTermCode,RateCode,TermType,PriceDescription,EffectiveDate,StartingRange,EndingRange,Unit,
PricePerUnit,Currency,RelatedTo,LeaseContractLength,PurchaseOption,OfferingClass,Product Family,
serviceCode,Location,Location Type,Instance Type,Current Generation,Instance Family,vCPU,
Physical Processor,Clock Speed,Memory,Storage,Network Performance,Processor Architecture,
Storage Media,Volume Type,Max Volume Size,Max IOPS/volume,Max IOPS Burst Performance,
Max throughput/volume,Provisioned,Tenancy,EBS Optimized,Operating System,License Model,Group,
Group Description,Transfer Type,From Location,From Location Type,To Location,To Location Type,
usageType,operation,CapacityStatus,Dedicated EBS Throughput,ECU,Elastic Graphics Type,
Enhanced Networking Supported,GPU,GPU Memory,Instance,instanceSKU,Intel AVX Available,
Intel AVX2 Available,Intel Turbo Available,MarketOption,Normalization Size Factor,Physical Cores,
Pre Installed S/W,Processor Features,Product Type,Region Code,Resource Type,serviceName,
Volume API Name
"""
SYSTEMS = (
    ("Linux", "NA", "No License required", "RunInstances"),
    ("Linux", "SQL Std", "No License required", "RunInstances:0004"),
    ("Linux", "SQL Ent", "No License required", "RunInstances:0100"),
    ("Windows", "NA", "No License required", "RunInstances:0002"),
    ("Windows", "NA", "Bring your own license", "RunInstances:0800"),
    ("Windows", "SQL Ent", "No License required", "RunInstances:0102"),
    ("RHEL", "NA", "No License required", "RunInstances:0010"),
    ("SUSE", "NA", "No License required", "RunInstances:000g"),
    ("Ubuntu Pro", "NA", "No License required", "RunInstances:0g00"),
)
TENANCIES = ("Shared", "Dedicated", "Host")
STATES = ("Used", "UnusedCapacityReservation", "AllocatedCapacityReservation")
TERMS = [
    (length, option, kind)
    for length in ("1yr", "3yr")
    for option in ("No Upfront", "Partial Upfront", "All Upfront")
    for kind in ("standard", "convertible")
]
FAMILIES = (
    "c5 c5d c6a c6g c6i c7g c7i i3 i4i m5 m5d m6a m6g m6i m7g m7i r5 r5d r6g r6i r7g r7i t3 t4g x2idn z1d"
)
SIZES = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge metal"
Row = dict[str, str]


def main(megabytes: float) -> None:
    """Write the file, read it twice in processes of their own, print both."""
    with tempfile.TemporaryDirectory(prefix="gpufare-aws-") as folder:
        plain = Path(folder) / "index.csv"
        rows = write_price_file(plain, int(megabytes * BYTES_PER_MB))
        packed = plain.with_suffix(".csv.gz")
        with plain.open("rb") as source, gzip.open(packed, "wb", compresslevel=6) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        print(f"{plain.stat().st_size / BYTES_PER_MB:,.0f} MB, {rows:,} rows")
        for name, file in (("as fetched", plain), ("as archived (gzip)", packed)):
            done = subprocess.run(
                [sys.executable, "-m", "bench.aws_file", "--read", str(file)],
                cwd=PROJECT,
                capture_output=True,
                text=True,
                check=False,
            )
            print(f"{name:<20}{done.stdout.strip() or done.stderr.strip()[-300:]}")


def read(file: Path) -> None:
    """Read the file with the spider's own code; print offers, seconds and this process's peak memory."""
    from crawlers.aws_files import read_price_list

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    _, found = read_price_list(file)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{len(found):>6,} offers {seconds:>7.2f} s {peak / KIB_PER_MB:>7,.0f} MB at most "
        f"({before / KIB_PER_MB:,.0f} MB before the file was opened)"
    )


def write_price_file(file: Path, size_bytes: int) -> int:
    """A price file of at least this many bytes; the number of its rows."""
    draw = random.Random(SEED)
    header = [name.strip() for name in HEADER.replace("\n", "").split(",")]
    rows = written = 0
    with file.open("w", encoding="utf-8", newline="") as out:
        written += out.write(
            '"FormatVersion","v1.0"\n"Disclaimer","Made up for a measurement."\n'
            '"Publication Date","2026-11-20T00:00:00Z"\n"Version","20261120000000"\n"OfferCode","AmazonEC2"\n'
        )
        written += out.write(",".join(f'"{name}"' for name in header) + "\n")
        machines = _machines(draw)
        while written < size_bytes:
            buffer = io.StringIO()
            writer = csv.DictWriter(buffer, header, restval="", quoting=csv.QUOTE_ALL, lineterminator="\n")
            for row in _rows_of(next(machines), draw):
                writer.writerow(row)
                rows += 1
            written += out.write(buffer.getvalue())
    return rows


def _machines(draw: random.Random) -> Iterator[Row]:
    """The accelerator machines of the reference table once, then CPU machines for ever."""
    from warehouse.reference import accelerators, read_table

    for _, known in read_table("instance_types.csv"):
        if known["provider"] == "aws" and known["vcpus"]:
            count, part = float(known["gpu_count"]), accelerators()[known["accelerators"].split("|")[0]]
            gpus = {"GPU": f"{count:g}", "GPU Memory": f"{count * part.memory_gb:g} GB"}
            named = {"Instance Type": known["name"], "vCPU": known["vcpus"]}
            yield {
                **named,
                "Memory": f"{known['memory_gib']} GiB",
                **(gpus if part.vendor.lower() in ("nvidia", "amd") else {}),
            }
    while True:
        for family in FAMILIES.split():
            for size in SIZES.split():
                cores = draw.choice((2, 4, 8, 16, 32, 64, 96))
                yield {"Instance Type": f"{family}.{size}", "vCPU": str(cores), "Memory": f"{cores * 4} GiB"}


def _rows_of(machine: Row, draw: random.Random) -> Iterator[Row]:
    """Every SKU of one machine type with its terms."""
    name, base = machine["Instance Type"], draw.uniform(0.05, 90)
    common = {
        **machine,
        "EffectiveDate": "2026-11-01",
        "Currency": "USD",
        "Unit": "Hrs",
        "Product Family": "Compute Instance",
        "serviceCode": "AmazonEC2",
        "Location": "US East (N. Virginia)",
        "Location Type": "AWS Region",
        "Current Generation": "Yes",
        "Instance Family": "General purpose",
        "Physical Processor": "Intel Xeon Scalable",
        "Storage": "4 x 1900 GB NVMe SSD",
        "Network Performance": "100 Gigabit",
        "Processor Architecture": "64-bit",
        "Normalization Size Factor": "NA",
        "Region Code": "us-east-1",
        "serviceName": "Amazon Elastic Compute Cloud",
        "MarketOption": "OnDemand",
        "usageType": f"BoxUsage:{name}",
    }
    for system, software, licence, operation in SYSTEMS:
        kind = {"Operating System": system, "Pre Installed S/W": software, "License Model": licence}
        for tenancy in TENANCIES:
            for state in STATES:
                sku = _sku(draw)
                price = 0.0 if state.startswith("Allocated") else base
                row = {**common, **kind, "operation": operation, "Tenancy": tenancy, "CapacityStatus": state}
                yield {**row, **_on_demand(sku, price, name, system)}
                if state == "Used" and tenancy != "Host":
                    yield from ({**row, **term} for term in _reserved(sku, price))
        blocks = {"MarketOption": "CapacityBlock", "operation": f"{operation}:CB"}
        shared = {"Tenancy": "Shared", "CapacityStatus": "Used"}
        paid = 0.336 if system == "Ubuntu Pro" else 0.0
        yield {**common, **kind, **shared, **blocks, **_on_demand(_sku(draw), paid, name, system)}


def _on_demand(sku: str, price: float, name: str, system: str) -> Row:
    return {
        "SKU": sku,
        "OfferTermCode": "JRTCKXETXF",
        "RateCode": f"{sku}.JRTCKXETXF.6YS6EN2CT7",
        "TermType": "OnDemand",
        "StartingRange": "0",
        "EndingRange": "Inf",
        "PricePerUnit": f"{price:.10f}",
        "PriceDescription": f"${price:.4g} per On Demand {system} {name} Instance Hour",
    }


def _reserved(sku: str, price: float) -> Iterator[Row]:
    for number, (length, option, kind) in enumerate(TERMS):
        years, code = int(length[0]), f"TERM{number:06d}"
        upfront = {"No Upfront": 0.0, "Partial Upfront": 0.5, "All Upfront": 1.0}[option]
        term = {
            "SKU": sku,
            "OfferTermCode": code,
            "TermType": "Reserved",
            "LeaseContractLength": length,
            "PurchaseOption": option,
            "OfferingClass": kind,
        }
        hourly = price * 0.6 * (1 - upfront)
        yield {**term, "RateCode": f"{sku}.{code}.6YS6EN2CT7", "PricePerUnit": f"{hourly:.10f}"}
        if upfront:
            total = price * 0.6 * upfront * 8760 * years
            paid = {"Unit": "Quantity", "PricePerUnit": f"{total:.4f}", "PriceDescription": "Upfront Fee"}
            yield {**term, **paid, "RateCode": f"{sku}.{code}.2TG2D8R56U"}


def _sku(draw: random.Random) -> str:
    return "".join(draw.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=16))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        read(Path(sys.argv[2]))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_MEGABYTES)
