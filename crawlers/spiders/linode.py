"""Akamai (Linode): types with their prices, and which region has which of them now.

The source names the GPU only in a type's id and label; "RTX6000" is the Quadro RTX 6000, not the Ada card.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import Gather, PriceSpider
from warehouse.records import PriceKind
from warehouse.units import MIB_PER_GIB

API = "https://api.linode.com/v4"
TYPES = API + "/linode/types?page={page}&page_size=500"
STOCK = API + "/regions/availability?page={page}&page_size=500"
REGIONS = API + "/regions?page={page}&page_size=500"

MONTH = "per instance-month (667 h)"  # the monthly price caps the hourly one after about 667 hours

Prices = dict[str | None, tuple[Decimal | None, Decimal | None]]  # region (None: the others): hourly, monthly


class LinodeSpider(PriceSpider):
    name = "linode"
    title = "Akamai (Linode)"
    homepage = "https://www.linode.com/pricing/"
    price_kinds = ("on_demand", "subscription")
    refetch = timedelta(hours=1)
    gpu_spellings: ClassVar[dict[str, str]] = {
        "RTX6000": "quadro-rtx-6000-24gb",
        "RTX4000 Ada": "rtx-4000-ada-20gb",
    }
    proof = "recorded"
    ignored_fields = "addons transfer network_out class successor accelerated_devices"

    def requests(self) -> Iterator[Any]:
        self.types: dict[str, tuple[Response, dict[str, Any]]] = {}
        self.stock: dict[str, dict[str | None, bool | None]] = {}
        self.gpu_regions: list[str | None] = []
        everything = Gather(self.join)
        yield self.paged(TYPES, self.parse_types, gather=everything)
        yield self.paged(STOCK, self.parse_stock, gather=everything, source="linode:availability")
        yield self.paged(REGIONS, self.parse_regions, gather=everything, source="linode:regions")

    def parse_types(self, response: Response) -> Iterator[Any]:
        answer = self.row(self.json(response))
        for name, facts in self.each(answer.items("data"), "types[]", self.gpu_type):
            self.types[name] = (response, facts)
        yield from self.more(response, answer)

    def gpu_type(self, row: Row) -> Iterator[tuple[str, dict[str, Any]]]:
        if not row.need("gpus"):
            return
        prices: Prices = {None: (row.price("price.hourly"), row.price("price.monthly"))}
        for place in row.usual("region_prices") or ():
            override = self.row(place, "region_prices[]")
            prices[override.text("id")] = (override.price("hourly"), override.price("monthly"))
        machine = {
            "gpu_name_raw": row.text("label"),
            "gpu_count": row.number("gpus"),
            "vcpus": row.number("vcpus"),
            "memory_gib": row.number("memory", per=MIB_PER_GIB),
            "disk_gb": row.number("disk", per=MIB_PER_GIB),
        }
        yield row.text("id"), {"prices": prices, "machine": machine}

    def parse_stock(self, response: Response) -> Iterator[Any]:
        answer = self.row(self.json(response))
        for data in answer.items("data"):
            row = self.row(data, "availability[]")
            self.stock.setdefault(row.text("plan"), {})[row.text("region")] = row.need("available") is True
        yield from self.more(response, answer)

    def parse_regions(self, response: Response) -> Iterator[Any]:
        answer = self.row(self.json(response))
        rows = [self.row(data, "regions[]") for data in answer.items("data")]
        self.gpu_regions += [row.text("id") for row in rows if "GPU Linodes" in row.items("capabilities")]
        yield from self.more(response, answer)

    def more(self, response: Response, answer: Row) -> Iterator[Any]:
        more, total = response.meta["page"] < answer.need("pages"), answer.need("results")
        yield from self.next_page(response, len(answer.items("data")), more=more, total=total, what="rows")

    def join(self) -> Iterator[Any]:
        strangers = [plan for plan in self.stock if "-gpu-" in plan and plan not in self.types]
        if strangers:
            self.unused["availability of GPU plans that are no types"] += len(strangers)
        for name, (response, facts) in self.types.items():
            stock = self.stock.get(name, {}) if self.stock else dict.fromkeys(self.gpu_regions)
            anywhere = any(stock.values()) if name in self.stock else None
            for region, available in {
                None: anywhere,
                **stock,
            }.items():  # None: the list price, where it stands
                hourly, monthly = facts["prices"].get(region) or facts["prices"][None]
                machine = partial(
                    self.offer,
                    response,
                    instance_type=name,
                    region=region,
                    available=available,
                    currency="USD",
                    **facts["machine"],
                )
                yield from machine(price_raw=hourly, price_unit="per instance-hour")
                yield from machine(price_raw=monthly, price_unit=MONTH, price_kind=PriceKind.SUBSCRIPTION)
