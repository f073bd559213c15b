"""Seeweb: the product page (euros per GPU) and, with a key, the API's plans (euros per machine, by region).

With a key only the API is read, the page would repeat it. "available" says that a plan is sold,
not that there is stock.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import PriceSpider
from crawlers.price_text import priced_names
from warehouse.units import MIB_PER_GIB

PAGE = "https://www.seeweb.it/en/products/cloud-server-gpu"
API = "https://api.seeweb.it/ecs/v2/plans"
PRICE = r"Hourly Cost:? (\d+[.,]\d\d) ?€"


class SeewebSpider(PriceSpider):
    name = "seeweb"
    title = "Seeweb"
    homepage = "https://www.seeweb.it/en/products/cloud-server-gpu"
    refetch = timedelta(hours=12)
    credential = ("SEEWEB_API_TOKEN",)
    proof = "documented"
    ignored_fields = "available"

    def requests(self) -> Iterator[Any]:
        token = self.secret("SEEWEB_API_TOKEN")
        if token:
            yield self.get(API, self.parse_plans, headers={"X-APITOKEN": token})
        else:
            yield self.get(PAGE, self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        found, strange = priced_names(response, r"CLOUD GPU .{2,40}", PRICE, example="Hourly Cost 2.60 €")
        if strange:
            self.partial(f"{len(strange)} prices stand beside no 'CLOUD GPU ...', the first: {strange[0]!r}")
        for card in found:
            yield from self.offer(
                response,
                instance_type=card.name,
                gpu_name_raw=card.name.removeprefix("CLOUD GPU "),
                gpu_count=1.0,
                price_raw=card.price or None,
                price_unit="per gpu-hour",
                currency="EUR",
            )

    def parse_plans(self, response: Response) -> Iterator[Any]:
        rows = self.row(self.json(response)).items("plans")
        yield from self.each(rows, "plans[]", partial(self.parse_plan, response))

    def parse_plan(self, response: Response, row: Row) -> Iterator[Any]:
        row.need("gpu")
        count = row.number("gpu")
        if not count:
            return
        places = [self.row(place, "available_regions[]") for place in row.items("available_regions")]
        for region in [place.text("location") for place in places] or [""]:
            yield from self.offer(
                response,
                instance_type=row.text("name"),
                gpu_name_raw=row.text("gpu_label"),
                gpu_count=count,
                vcpus=row.number("cpu"),
                memory_gib=row.number("ram", per=MIB_PER_GIB),
                disk_gb=row.number("disk"),
                region=region or None,
                price_raw=row.price("hourly_price"),
                price_unit="per instance-hour",
                currency="EUR",
            )
