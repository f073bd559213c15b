"""Fireworks: GPUs of on-demand deployments, per GPU-hour, in the text of the pricing page.

Token prices stand beside model names in other tables: they are passed over.
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

PRICE = r"\$(\d+\.\d\d)(?!\d)"


class FireworksSpider(PriceSpider):
    name = "fireworks"
    title = "Fireworks"
    homepage = "https://fireworks.ai/pricing"
    kind = "serverless"
    price_kinds = ("serverless",)
    refetch = timedelta(hours=24)
    proof = "documented"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://fireworks.ai/pricing", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        if not any(re.search(r"per hour|/ ?ho?u?r|\bhourly", part) for part in pieces(response)):
            raise ShapeError(f"{response.url}: the page no longer says 'per hour'")
        found, _ = priced_names(response, rf"{GPU_NAME}(?: GPU)?", PRICE, example="$2.90")
        for card in found:
            yield from self.offer(
                response,
                instance_type=card.name,
                gpu_name_raw=card.name,
                gpu_count=1.0,
                price_kind=PriceKind.SERVERLESS,
                price_raw=card.price or None,
                price_unit="per gpu-hour",
                currency="USD",
            )
