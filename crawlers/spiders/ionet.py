"""io.net: market snapshot per GPU model; the products have prices of their own, all per GPU-hour."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import PriceSpider

URL = "https://api.io.solutions/v1/io-explorer/network/market-snapshot?hardware_type=gpu"
PRODUCTS = {
    "price": "cluster",
    "baremetal_price": "bare metal",
    "kubernetes_price": "kubernetes",
    "caas_price": "container",
    "vmaas_price": "virtual machine",
}


class IonetSpider(PriceSpider):
    name = "ionet"
    title = "io.net"
    homepage = "https://io.net/pricing"
    kind = "marketplace"
    refetch = timedelta(hours=1)
    proof = "documented"
    ignored_fields = "type"

    def requests(self) -> Iterator[Any]:
        yield self.get(URL, self.parse_models)

    def parse_models(self, response: Response) -> Iterator[Any]:
        rows = self.row(self.json(response)).items("data")
        yield from self.each(rows, "data[]", partial(self.parse_model, response))

    def parse_model(self, response: Response, row: Row) -> Iterator[Any]:
        name, idle = row.text("hardware_name"), row.need("idle")
        for field, product in PRODUCTS.items():
            yield from self.offer(
                response,
                instance_type=f"{name} {product}",
                gpu_name_raw=name,
                gpu_count=1.0,
                available=idle > 0 if isinstance(idle, int) else None,
                price_raw=row.price(field),
                price_unit="per gpu-hour",
                currency="USD",
            )
