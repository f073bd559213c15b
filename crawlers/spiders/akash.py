"""Akash: what providers on the market bid for one GPU: the median; lowest, mean, highest are in the note."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import PriceSpider


class AkashSpider(PriceSpider):
    name = "akash"
    title = "Akash"
    homepage = "https://akash.network/pricing/gpus/"
    kind = "marketplace"
    refetch = timedelta(hours=1)
    proof = "documented"
    ignored_fields = "price.weightedAverage"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://console-api.akash.network/v1/gpu-prices", self.parse_models)

    def parse_models(self, response: Response) -> Iterator[Any]:
        rows = self.row(self.json(response)).items("models")
        yield from self.each(rows, "models[]", partial(self.parse_model, response))

    def parse_model(self, response: Response, row: Row) -> Iterator[Any]:
        if row.need("price") is None:  # no bids
            return
        free = row.need("availability.available")
        words = [row.text("vendor"), row.text("model"), row.need("ram"), row.need("interface")]
        row.take("availability.total")
        spread = ", ".join(f"{name} {row.take(f'price.{name}')}" for name in ("min", "avg", "max"))
        yield from self.offer(
            response,
            gpu_name_raw=" ".join(str(word) for word in words if word),
            gpu_count=1.0,
            available=free > 0 if isinstance(free, int) else None,
            available_count=free if isinstance(free, int) else None,
            price_raw=row.price("price.med"),
            price_unit="per gpu-hour",
            currency="USD",
            note=f"median of the bids; {spread}",
        )
