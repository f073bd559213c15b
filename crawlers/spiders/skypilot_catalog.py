"""SkyPilot's catalogue: machine types of many clouds with on-demand and spot prices, one file per cloud.

Compiled by others, some files by hand and rarely: a row is as old as its file. The mirror is asked first,
because it states the time of the file. The file of GCP is left out: it prices host and GPU apart. That of
Azure is US only, that of Lambda every type in every region, that of Vast medians.
"""

import ast
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.compiled import cloud_id, last_modified
from crawlers.csv_tables import SURPLUS, csv_rows
from crawlers.parsing import Row, ShapeError, ValueUnreadable
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind
from warehouse.units import mib_to_gib

MIRROR = "https://skypilot-catalog.s3.us-east-1.amazonaws.com/catalogs/v8"
ORIGIN = "https://raw.githubusercontent.com/skypilot-org/skypilot-catalog/master/catalogs/v8"
NEEDED = ("InstanceType", "AcceleratorName", "AcceleratorCount", "vCPUs", "MemoryGiB", "Price", "Region")


class SkypilotCatalogSpider(PriceSpider):
    name = "skypilot_catalog"
    title = "SkyPilot catalogue"
    homepage = "https://github.com/skypilot-org/skypilot-catalog"
    kind = "reference"
    first_party = False
    sources = (
        "skypilot_catalog:aws",
        "skypilot_catalog:azure",
        "skypilot_catalog:lambda",
        "skypilot_catalog:oci",
        "skypilot_catalog:ibm",
        "skypilot_catalog:runpod",
        "skypilot_catalog:vast",
        "skypilot_catalog:nebius",
        "skypilot_catalog:do",
        "skypilot_catalog:cudo",
        "skypilot_catalog:fluidstack",
    )
    price_kinds = ("on_demand", "spot")
    refetch = timedelta(hours=12)
    default_on = False
    proof = "documented"
    terms_note = (
        "Compiled list: off by default, for it only fills gaps, and several of its files "
        "are refreshed rarely; switch it on where a cloud cannot be crawled"
    )
    ignored_fields = "AvailabilityZone Arch Generation DeviceMemoryGiB ImageId"

    def requests(self) -> Iterator[Any]:
        for source in self.sources:
            cloud = source.partition(":")[2]
            path = f"{cloud}/vms.csv"
            yield self.get(
                f"{MIRROR}/{path}",
                self.parse_file,
                source=source,
                otherwise=[f"{ORIGIN}/{path}"],
                cloud=cloud,
            )

    def parse_file(self, response: Response) -> Iterator[Any]:
        made = last_modified(response)
        if made is None:
            raise ShapeError(f"{response.url}: the answer does not say when the file was made")
        rows = csv_rows(response, needed=(*NEEDED, "SpotPrice", "GpuInfo"))
        parse = partial(self.parse_row, response, cloud_id(response.meta["cloud"]), made)
        yield from self.each(rows, f"{response.meta['cloud']}/vms.csv", parse)

    def parse_row(self, response: Response, cloud: str, made: datetime, row: Row) -> Iterator[Any]:
        if row.take(SURPLUS):
            raise ValueUnreadable(f"{row.where}: more cells than headers: {row.data}")
        if not row.need("AcceleratorName") or not row.need("InstanceType"):  # CPU machine, or a part of one
            return
        machine = {
            "provider": cloud,
            "observed_at": made,
            "instance_type": row.text("InstanceType"),
            "gpu_name_raw": row.text("AcceleratorName"),
            "gpu_count": row.number("AcceleratorCount"),
            "gpu_memory_gb": memory(str(row.take("GpuInfo"))),
            "vcpus": row.number("vCPUs"),
            "memory_gib": row.number("MemoryGiB"),
            "region": row.text("Region"),
            "price_unit": "per instance-hour",
            "currency": "USD",
            "offer_key": row.take("AvailabilityZone") or None,
            "note": "compiled by SkyPilot",
        }
        yield from self.offer(response, price_raw=row.price("Price"), **machine)
        yield from self.offer(
            response, price_kind=PriceKind.SPOT, price_raw=row.price("SpotPrice"), **machine
        )


def memory(info: str) -> float | None:
    """Memory of one GPU, GiB as stated in the Python literal of the column GpuInfo; None where it is not."""
    try:
        size = ast.literal_eval(info)["Gpus"][0]["MemoryInfo"]["SizeInMiB"]
        return mib_to_gib(float(size)) or None
    except (ValueError, SyntaxError, LookupError, TypeError):
        return None
