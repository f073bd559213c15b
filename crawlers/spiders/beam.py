"""Beam: prices per GPU-second in the text of the pricing page; CPU and memory are billed apart."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from scrapy.http import Response

from crawlers.price_spider import PriceSpider
from crawlers.price_text import GPU_NAME, priced_names, tell_strange
from warehouse.records import PriceKind

PRICE = r"\$(\d+\.\d+) ?/ ?sec\b"


class BeamSpider(PriceSpider):
    name = "beam"
    title = "Beam"
    homepage = "https://www.beam.cloud/pricing"
    kind = "serverless"
    price_kinds = ("serverless",)
    refetch = timedelta(hours=24)
    billing_increment_seconds = 1
    proof = "documented"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://www.beam.cloud/pricing", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        found, strange = priced_names(response, GPU_NAME, PRICE, example="$0.0009 /sec")
        for card in found:
            yield from self.offer(
                response,
                instance_type=card.name,
                gpu_name_raw=card.name,
                gpu_count=1.0,
                gpu_memory_gb=card.number(r"(\d+) GB VRAM"),
                price_kind=PriceKind.SERVERLESS,
                price_raw=card.price or None,
                price_unit="per gpu-second",
                currency="USD",
                note="CPU and memory are billed apart",
            )
        tell_strange(self, strange)
