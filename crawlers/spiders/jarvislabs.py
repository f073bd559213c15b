"""JarvisLabs: cards in the text of the pricing page, USD per GPU-hour.

The API is left alone: readers disagree whether its prices are dollars or rupees.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from scrapy.http import Response

from crawlers.parsing import ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.price_text import GPU_NAME, pieces

CARD = re.compile(
    rf"(?P<gpu>{GPU_NAME}) (?:Blackwell|Hopper|Ada(?: Lovelace)?|Ampere|Turing|Volta) · (?P<memory>\d+) ?GB "
    r"\$(?P<price>\d+\.\d\d)\b"
)
ANY_CARD = re.compile(r"· \d+ ?GB \$")


class JarvislabsSpider(PriceSpider):
    name = "jarvislabs"
    title = "JarvisLabs"
    homepage = "https://jarvislabs.ai/pricing"
    refetch = timedelta(hours=12)
    proof = "documented"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://jarvislabs.ai/pricing", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        text = " ".join(pieces(response))
        cards = list(CARD.finditer(text))
        if not cards:
            raise ShapeError(f"{response.url}: no card 'H100 SXM Hopper · 80 GB $2.69' is on the page")
        self.check_total(len(cards), len(ANY_CARD.findall(text)), "cards")
        for card in cards:
            yield from self.offer(
                response,
                instance_type=card["gpu"],
                gpu_name_raw=card["gpu"],
                gpu_count=1.0,
                gpu_memory_gb=float(card["memory"]),
                price_raw=Decimal(card["price"]) or None,
                price_unit="per gpu-hour",
                currency="USD",
            )
