"""gpuhunt's catalogue: machine types of nine clouds with on-demand and spot prices, a zipped table per cloud.

Compiled by others from the clouds' own interfaces, hourly: a row is as old as its version. SXM and PCIe parts
share one name there, so many rows stay undecided between parts; AWS lacks previous generations.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.compiled import cloud_id, last_modified, moment
from crawlers.csv_tables import SURPLUS, csv_rows
from crawlers.parsing import Row, ShapeError, ValueUnreadable
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind
from warehouse.units import gb_to_gib

BASE = "https://dstack-gpu-pricing.s3.eu-west-1.amazonaws.com/v3"
NEEDED = (
    "instance_name",
    "location",
    "price",
    "cpu",
    "memory",
    "gpu_count",
    "gpu_name",
    "gpu_memory",
    "spot",
)
VERSION = re.compile(r"(\d{8})-\d+")
KINDS = {"true": PriceKind.SPOT, "false": PriceKind.ON_DEMAND}
LARGEST_TABLE_BYTES = 256_000_000


class GpuhuntCatalogSpider(PriceSpider):
    name = "gpuhunt_catalog"
    title = "gpuhunt catalogue"
    homepage = "https://github.com/dstackai/gpuhunt"
    kind = "reference"
    first_party = False
    sources = (
        "gpuhunt_catalog:aws",
        "gpuhunt_catalog:azure",
        "gpuhunt_catalog:verda",
        "gpuhunt_catalog:gcp",
        "gpuhunt_catalog:lambdalabs",
        "gpuhunt_catalog:nebius",
        "gpuhunt_catalog:oci",
        "gpuhunt_catalog:runpod",
        "gpuhunt_catalog:cloudrift",
    )
    price_kinds = ("on_demand", "spot")
    refetch = timedelta(hours=6)
    default_on = False
    proof = "documented"
    terms_note = (
        "Compiled list: off by default, for it only fills gaps, and the terms of its data are unread; "
        "switch it on where a cloud cannot be crawled"
    )
    ignored_fields = "gpu_vendor flags cpu_arch provider_data"

    def requests(self) -> Iterator[Any]:
        for source in self.sources:
            cloud = source.partition(":")[2]
            yield self.get(f"{BASE}/{cloud}/version", self.parse_version, source=source, cloud=cloud)

    def parse_version(self, response: Response) -> Iterator[Any]:
        cloud, version = response.meta["cloud"], VERSION.fullmatch(response.body.decode("latin-1").strip())
        if version is None:
            raise ShapeError(f"{response.url}: {response.body[:40]!r} is not a version like 20260901-1")
        url, day = f"{BASE}/{cloud}/{version[0]}/catalog.zip", moment(version[1])
        yield self.get(url, self.parse_zip, source=response.meta["source"], cloud=cloud, day=day)

    def parse_zip(self, response: Response) -> Iterator[Any]:
        cloud = response.meta["cloud"]
        try:
            with zipfile.ZipFile(io.BytesIO(response.body)) as packed:
                if packed.getinfo(f"{cloud}.csv").file_size > LARGEST_TABLE_BYTES:
                    raise ShapeError(
                        f"{response.url}: {cloud}.csv is larger than {LARGEST_TABLE_BYTES:,} bytes"
                    )
                table = response.replace(body=packed.read(f"{cloud}.csv"))
        except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
            raise ShapeError(f"{response.url}: no {cloud}.csv can be unpacked ({error})") from None
        made = last_modified(response) or response.meta["day"]
        parse = partial(self.parse_row, response, cloud_id(cloud), made)
        yield from self.each(csv_rows(table, needed=NEEDED), f"{cloud}.csv", parse)

    def parse_row(self, response: Response, cloud: str, made: datetime, row: Row) -> Iterator[Any]:
        if row.take(SURPLUS):
            raise ValueUnreadable(f"{row.where}: more cells than headers: {row.data}")
        count, spot, ram = row.number("gpu_count"), row.text("spot"), row.number("memory")
        if not count:
            return
        yield from self.offer(
            response,
            provider=cloud,
            observed_at=made,
            instance_type=row.text("instance_name"),
            gpu_name_raw=row.text("gpu_name"),
            gpu_count=count,
            gpu_memory_gb=row.number("gpu_memory"),
            vcpus=row.number("cpu"),
            memory_gib=ram and gb_to_gib(ram),
            disk_gb=row.number("disk_size"),
            region=row.need("location") or None,
            price_kind=KINDS.get(spot.lower(), spot),
            price_raw=row.price("price"),
            price_unit="per instance-hour",
            currency="USD",
            note="compiled by gpuhunt",
        )
