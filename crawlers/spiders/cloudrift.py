"""CloudRift: virtual machines by type and variant; prices in cents, sizes in bytes, stock per data centre."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import PriceSpider
from warehouse.units import BYTES_PER_GB, BYTES_PER_GIB

URL = "https://api.cloudrift.ai/api/v1/instance-types/list"
ASKED = {"version": "2025-03-21", "data": {"selector": {"ByServiceAndLocation": {"services": ["vm"]}}}}


class CloudriftSpider(PriceSpider):
    name = "cloudrift"
    title = "CloudRift"
    homepage = "https://www.cloudrift.ai/pricing"
    kind = "marketplace"
    refetch = timedelta(hours=1)
    proof = "documented"
    ignored_fields = "variants"

    def requests(self) -> Iterator[Any]:
        yield self.post(URL, ASKED, self.parse_types)

    def parse_types(self, response: Response) -> Iterator[Any]:
        types = self.row(self.json(response)).items("data.instance_types")
        for item in types:
            kind = self.row(item, "instance_types[]")
            parse = partial(self.parse_variant, response, kind.text("brand_short"))
            yield from self.each(kind.items("variants"), "variants[]", parse)
            self.audit(kind)

    def parse_variant(self, response: Response, brand: str, row: Row) -> Iterator[Any]:
        count, vram = row.price("gpu_count"), row.number("vram", per=BYTES_PER_GIB)
        if not count:  # a CPU machine
            return
        places = self.row(row.need("nodes_per_dc"), "nodes_per_dc").data
        for place, nodes in places.items() or (("", 0),):  # none: sold out, the price stands
            yield from self.offer(
                response,
                instance_type=row.text("name"),
                gpu_name_raw=brand,
                gpu_count=float(count),
                gpu_memory_gb=vram if count == 1 else None,  # of one GPU or of all: not known
                vcpus=row.number("cpu_count"),
                memory_gib=row.number("dram", per=BYTES_PER_GIB),
                disk_gb=row.number("disk", per=BYTES_PER_GB),
                region=place or None,
                available=nodes > 0,
                available_count=nodes,
                price_raw=row.price("cost_per_hour"),
                price_unit="cent per instance-hour",
                currency="USD",
            )
