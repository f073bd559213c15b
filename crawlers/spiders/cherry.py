"""Cherry Servers: plans by region, by the hour or for terms. GPU cards stand only in names and texts."""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ValueUnreadable
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind

GPU = re.compile(
    r"\b(?:(?P<count>\d+)\s?x\s)?(?P<gpu>(?:NVIDIA|GeForce|Tesla|Quadro|RTX|GTX)\s(?:[A-Z]*\d+\w*)(?:\s(?:Ada|Ti|PCIe|SXM\d?|\d+\s?GB))*"
    r"|(?:A2|A10|A16|A30|A40|A100|H100|H200|B200|L4|L40S?|P4|P40|P100|T4|V100)\b)"
)
SUBSCRIPTION = {"price_kind": PriceKind.SUBSCRIPTION, "price_unit": "per instance-term"}
UNITS: dict[str, dict[str, Any]] = {
    "Hourly": {"price_unit": "per instance-hour"},
    "Monthly": {**SUBSCRIPTION, "term_months": 1, "price_unit": "per instance-month (730 h)"},
    "Quarterly": {**SUBSCRIPTION, "term_months": 3},
    "Semiannually": {**SUBSCRIPTION, "term_months": 6},
    "Annually": {**SUBSCRIPTION, "term_months": 12},
}


class CherrySpider(PriceSpider):
    name = "cherry"
    title = "Cherry Servers"
    homepage = "https://www.cherryservers.com/pricing/dedicated-servers"
    price_kinds = ("on_demand", "subscription")
    refetch = timedelta(hours=6)
    credential = ("CHERRY_API_KEY",)
    needs_credential = True
    proof = "documented"
    ignored_fields = "id name title custom type specs softwares href category"

    def requests(self) -> Iterator[Any]:
        headers = {"Authorization": f"Bearer {self.secret('CHERRY_API_KEY')}"}
        yield self.get("https://api.cherryservers.com/v1/plans", self.parse_plans, headers=headers)

    def parse_plans(self, response: Response) -> Iterator[Any]:
        rows = self.row({"plans": self.json(response)}).items("plans")
        yield from self.each(rows, "plans[]", partial(self.parse_plan, response))

    def parse_plan(self, response: Response, row: Row) -> Iterator[Any]:
        card = GPU.search(f"{row.need('name')} {row.need('specs')}")
        regions = [self.row(region, "available_regions[]") for region in row.items("available_regions")]
        prices = [self.row(price, "pricing[]") for price in row.items("pricing")]
        if card is None:
            return
        for region in regions:
            stock = region.need("stock_qty")
            for price in prices:
                unit = price.text("unit")
                if unit not in UNITS:
                    self.unused[f"unit={unit}"] += 1
                    continue
                if price.need("taxed"):
                    raise ValueUnreadable("pricing[]: 'taxed' is true, and the tax rate is not stated")
                yield from self.offer(
                    response,
                    instance_type=row.text("slug"),
                    gpu_name_raw=card["gpu"],
                    gpu_count=float(card["count"]) if card["count"] else None,
                    region=region.text("name"),
                    available=stock > 0 if isinstance(stock, int) else None,
                    available_count=stock if isinstance(stock, int) else None,
                    price_raw=price.price("price"),
                    currency=price.text("currency"),
                    **UNITS[unit],
                )
