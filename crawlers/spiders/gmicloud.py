"""GMI Cloud: "from" prices per GPU-hour in the text of the pricing page: floors, shown and never ranked."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from scrapy.http import Response

from crawlers.parsing import ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.price_text import GPU_NAME, pieces

URL = "https://www.gmicloud.ai/en/pricing"
CARD = re.compile(
    rf"(?<![\w-])(?P<gpu>{GPU_NAME})(?![\w-])(?:(?!{GPU_NAME})[^$])*?"
    r"(?:from|starting at|as low as)\s\$(?P<price>\d+(?:\.\d+)?)\s?/\s?(?:GPU[- ]?)?(?:hour|hr)",
    re.IGNORECASE,
)


class GmicloudSpider(PriceSpider):
    name = "gmicloud"
    title = "GMI Cloud"
    homepage = "https://www.gmicloud.ai/en/pricing"
    refetch = timedelta(hours=24)
    proof = "documented"

    def requests(self) -> Iterator[Any]:
        yield self.get(URL, self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        cards = {card["gpu"]: card for card in CARD.finditer("\n".join(pieces(response)))}
        if not cards:
            raise ShapeError(f"{response.url}: no 'H100 ... from $2.10 / GPU-hour' is on the page")
        for gpu, card in cards.items():
            yield from self.offer(
                response,
                instance_type=gpu,
                gpu_name_raw=gpu,
                gpu_count=1.0,
                is_floor=True,
                price_raw=Decimal(card["price"]) or None,
                price_unit="per gpu-hour",
                currency="USD",
            )
