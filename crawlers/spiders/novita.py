"""Novita AI: GPU products with an hourly, a spot and perhaps a monthly price, in 1e-5 dollars per GPU."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind
from warehouse.units import gb_to_gib

SALES: dict[str, dict[str, Any]] = {
    "price": {"price_unit": "1e-5 per gpu-hour"},
    "spotPrice": {"price_kind": PriceKind.SPOT, "price_unit": "1e-5 per gpu-hour"},
    "monthlyPrice": {
        "price_kind": PriceKind.SUBSCRIPTION,
        "term_months": 1,
        "price_unit": "1e-5 per gpu-month (730 h)",
    },
}


class NovitaSpider(PriceSpider):
    name = "novita"
    title = "Novita AI"
    homepage = "https://novita.ai/pricing"
    price_kinds = ("on_demand", "spot", "subscription")
    refetch = timedelta(hours=2)
    credential = ("NOVITA_API_KEY",)
    needs_credential = True
    proof = "documented"
    ignored_fields = "billingMethods canBuy"

    def requests(self) -> Iterator[Any]:
        headers = {"Authorization": f"Bearer {self.secret('NOVITA_API_KEY')}"}
        url = "https://api.novita.ai/gpu-instance/openapi/v1/products"
        yield self.get(url, self.parse_products, headers=headers)

    def parse_products(self, response: Response) -> Iterator[Any]:
        rows = self.row(self.json(response)).items("data")
        yield from self.each(rows, "data[]", partial(self.parse_product, response))

    def parse_product(self, response: Response, row: Row) -> Iterator[Any]:
        ram, stock = row.number("memoryPerGpu"), row.take("inventoryState")
        regions = row.items("regions")
        for field, terms in SALES.items():
            if isinstance(row.need(field), list | dict):  # a form that is not documented
                self.unused[f"{field}={type(row.take(field)).__name__}"] += 1
                continue
            for region in regions or [None]:
                yield from self.offer(
                    response,
                    instance_type=row.text("id"),
                    gpu_name_raw=row.text("name"),
                    gpu_count=1.0,
                    vcpus=row.number("cpuPerGpu"),
                    memory_gib=ram and gb_to_gib(ram),
                    disk_gb=row.number("diskPerGpu"),
                    region=region,
                    available=row.need("availableDeploy") is True and stock != "none",
                    price_raw=row.price(field),
                    currency="USD",
                    **terms,
                )
