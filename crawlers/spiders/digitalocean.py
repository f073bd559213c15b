"""DigitalOcean: the documentation's price tables (whole Droplets), with a key the API's sizes and regions.

Where the API lists GPU sizes, the page's on-demand table only repeats them and gives way. Contract rows have
no price. Short names mean the Ada generation here.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError, ValueUnreadable
from crawlers.price_spider import Gather, PriceSpider
from crawlers.tables import printed_price, table_rows, whole_page
from warehouse.records import PriceKind
from warehouse.units import MIB_PER_GIB, size_to_gb

PAGE = "https://docs.digitalocean.com/products/droplets/details/pricing/"
API = "https://api.digitalocean.com/v2/sizes?per_page=500"
SECTIONS = {
    "on-demand-gpu-droplet-pricing": PriceKind.ON_DEMAND,
    "spot-gpu-droplet-pricing": PriceKind.SPOT,
}
GPU = re.compile(r"(?P<gpu>.+?)(?: \((?P<count>\d+)x\))?")
PRICE = re.compile(r"\$ ?(\d+(?:,\d{3})*(?:\.\d{1,4})?) ?(?:per |/ ?)hour")
UNITS = {"gib": "GiB", "tib": "TiB", "gb": "GB", "tb": "TB"}


class DigitaloceanSpider(PriceSpider):
    name = "digitalocean"
    title = "DigitalOcean"
    homepage = "https://www.digitalocean.com/pricing/gpu-droplets"
    price_kinds = ("on_demand", "spot", "subscription")
    refetch = timedelta(hours=12)
    expected_offers = (10, 200)
    credential = ("DIGITALOCEAN_TOKEN",)
    gpu_spellings: ClassVar[dict[str, str]] = {
        "NVIDIA H200": "h200-sxm-141gb",
        "NVIDIA L40s": "l40s-48gb",
        "NVIDIA RTX 4000": "rtx-4000-ada-20gb",
        "NVIDIA RTX 6000": "rtx-6000-ada-48gb",
    }
    proof = "recorded"
    ignored_fields = "transfer description networking_throughput disk style"

    def requests(self) -> Iterator[Any]:
        self.tables: list[tuple[Response, PriceKind, list[dict[str, str]]]] = []
        self.sizes = 0
        self.everything = Gather(self.join)
        yield self.get(PAGE, self.parse_page, gather=self.everything)
        yield self.sizes_page(API)

    def sizes_page(self, url: str, read: int = 0) -> Any:
        token = self.secret("DIGITALOCEAN_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else None
        return self.get(
            url,
            self.parse_sizes,
            source="digitalocean:api",
            headers=headers,
            needs="DIGITALOCEAN_TOKEN",
            gather=self.everything,
            read=read,
        )

    def parse_page(self, response: Response) -> Iterator[Any]:
        for section, kind in SECTIONS.items():
            table = whole_page(response).xpath(f"//*[@id='{section}']/following::table[1]")
            if not table:
                raise ShapeError(f"{response.url}: no table follows #{section}")
            self.tables.append((response, kind, table_rows(table[0], needed=("GPU", "Price"), where=section)))
        yield from ()

    def join(self) -> Iterator[Any]:
        for response, kind, rows in self.tables:
            if kind is PriceKind.SPOT or not self.sizes:
                yield from self.each(rows, f"{kind} table", partial(self.parse_row, response, kind))

    def parse_row(self, response: Response, kind: PriceKind, row: Row) -> Iterator[Any]:
        gpu = GPU.fullmatch(row.text("GPU"))
        assert gpu is not None  # any text fits
        yield from self.offer(
            response,
            instance_type=row.text("GPU"),
            gpu_name_raw=gpu["gpu"],
            gpu_count=float(gpu["count"] or 1),
            price_kind=kind,
            price_raw=printed_price(row, "Price", PRICE),
            price_unit="per instance-hour",
            currency="USD",
        )

    def parse_sizes(self, response: Response) -> Iterator[Any]:
        answer = self.row(self.json(response))
        rows, read = answer.items("sizes"), response.meta["read"]
        for record in self.each(rows, "sizes[]", partial(self.parse_size, response)):
            self.sizes += 1
            yield record
        following = answer.take("links.pages.next")
        if following and not following.startswith(API.split("?")[0]):
            raise ShapeError(f"{response.url}: links.pages.next leads elsewhere ({following})")
        if following and rows:
            yield self.sizes_page(following, read + len(rows))
        else:
            self.check_total(read + len(rows), answer.take("meta.total"), "sizes", "digitalocean:api")

    def parse_size(self, response: Response, row: Row) -> Iterator[Any]:
        if "gpu_info" not in row.data:  # a machine without GPU has none
            if row.text("slug").startswith("gpu-"):
                raise ShapeError(f"sizes[] {row.text('slug')}: field 'gpu_info' is missing")
            return
        count, vram = row.number("gpu_info.count"), row.number("gpu_info.vram.amount")
        row.take("gpu_info.vram.unit")
        disks = [self.row(disk, "disk_info[]") for disk in row.take("disk_info") or ()]
        sizes = [(disk.number("size.amount") or 0, disk.text("size.unit")) for disk in disks]
        sizes = [(amount, UNITS.get(unit.lower(), unit)) for amount, unit in sizes]
        regions = row.items("regions")
        if unknown := [unit for _, unit in sizes if unit not in UNITS.values()]:
            raise ValueUnreadable(
                f"sizes[]: field 'disk_info[].size.unit' is {unknown[0]!r}, no unit we know"
            )
        for region in regions or [None]:
            for field, kind, unit in (
                ("price_hourly", PriceKind.ON_DEMAND, "per instance-hour"),
                ("price_monthly", PriceKind.SUBSCRIPTION, "per instance-month (744 h)"),
            ):
                yield from self.offer(
                    response,
                    instance_type=row.text("slug"),
                    gpu_name_raw=row.text("gpu_info.model"),
                    gpu_count=count,
                    gpu_memory_gb=vram and count and vram / count,
                    vcpus=row.number("vcpus"),
                    memory_gib=row.number("memory", per=MIB_PER_GIB),
                    disk_gb=sum(size_to_gb(*size) for size in sizes) or None,
                    region=region,
                    available=bool(row.need("available") and regions),
                    price_kind=kind,
                    price_raw=row.price(field),
                    price_unit=unit,
                    currency="USD",
                )
