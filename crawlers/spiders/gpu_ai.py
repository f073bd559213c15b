"""GPU.ai: resold configurations of many suppliers, each with the price of the whole configuration."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind
from warehouse.units import gb_to_gib

URL = "https://api.gpu.ai/v1/pricing?limit=200"
KINDS = {"on_demand": PriceKind.ON_DEMAND, "spot": PriceKind.SPOT}


class GpuAiSpider(PriceSpider):
    name = "gpu_ai"
    title = "GPU.ai"
    homepage = "https://gpu.ai/pricing"
    kind = "marketplace"
    first_party = False
    price_kinds = ("on_demand", "spot")
    refetch = timedelta(hours=2)
    proof = "recorded"
    ignored_fields = "community instant_boot"

    def requests(self) -> Iterator[Any]:
        yield self.get(URL, self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        answer = self.row(self.json(response))
        rows, cursor = answer.items("data"), answer.take("next_cursor")
        if "next_cursor" not in answer.data:
            self.partial("field 'next_cursor' is missing: there may be further pages")
        yield from self.each(rows, "data[]", partial(self.parse_row, response))
        if cursor and rows:
            yield self.get(f"{URL}&cursor={quote(str(cursor))}", self.parse_page)

    def parse_row(self, response: Response, row: Row) -> Iterator[Any]:
        free, tier, ram = row.usual("available"), row.text("tier"), row.number("ram_gb")
        yield from self.offer(
            response,
            instance_type=row.text("offering_id"),
            gpu_name_raw=row.text("gpu_type"),
            gpu_count=row.number("gpu_count"),
            vcpus=row.number("cpu_cores"),
            memory_gib=ram and gb_to_gib(ram),
            disk_gb=row.number("storage_gb"),
            region=row.label("region"),
            price_kind=KINDS.get(tier, tier),
            available=free > 0 if isinstance(free, int) else None,
            available_count=free if isinstance(free, int) else None,
            price_raw=row.price("price_per_hour"),
            price_unit="per instance-hour",
            currency="USD",
            note=f"{row.take('capacity_class') or 'unnamed'} capacity, {row.take('deployment_type')}",
        )
