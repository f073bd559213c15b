"""Baseten: prices per minute of whole instances in the text of the pricing page; MIG rows are slices.

The page's other prices are per token and stand beside model names: they are passed over.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from scrapy.http import Response

from crawlers.parsing import ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.price_text import GPU_NAME, pieces, priced_names
from warehouse.records import PriceKind

PRICE = r"\$(\d+\.\d{4,6})(?!\d)"


class BasetenSpider(PriceSpider):
    name = "baseten"
    title = "Baseten"
    homepage = "https://www.baseten.co/pricing/"
    kind = "serverless"
    price_kinds = ("serverless",)
    refetch = timedelta(hours=24)
    billing_increment_seconds = 60
    proof = "documented"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://www.baseten.co/pricing/", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        if not any(re.search(r"per minute|/ ?min", part) for part in pieces(response)):
            raise ShapeError(f"{response.url}: the page no longer says 'per minute'")
        found, _ = priced_names(response, rf"{GPU_NAME}(?: \d+ GiB VRAM.*)?", PRICE, example="$0.10833")
        for card in found:
            name, memory = re.split(r" \d+ GiB", card.name)[0], card.number(r"(\d+) GiB VRAM")
            yield from self.offer(
                response,
                instance_type=f"{name} {memory:g} GiB" if memory else name,
                gpu_name_raw=name,
                gpu_count=1.0,
                gpu_memory_gb=memory,
                partition=f"MIG {memory:g} GB" if memory and "MIG" in name else None,
                price_kind=PriceKind.SERVERLESS,
                price_raw=card.price or None,
                price_unit="per instance-minute",
                currency="USD",
            )
