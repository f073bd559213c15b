"""Spheron: other providers' GPUs, resold; cards in the text of the pricing page, USD per GPU-hour."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from scrapy.http import Response

from crawlers.parsing import ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.price_text import GPU_NAME, pieces
from warehouse.records import PriceKind

URL = "https://www.spheron.network/pricing"
PRICE = r"\$(\d+(?:\.\d+)?)\s?/ ?hr"
CARD = re.compile(
    rf"(?<![\w-])(?P<gpu>{GPU_NAME})(?![\w-])(?P<details>(?:(?!{GPU_NAME})[^$])*?){PRICE}(?:\sSpot\s{PRICE})?"
)


class SpheronSpider(PriceSpider):
    name = "spheron"
    title = "Spheron"
    homepage = "https://www.spheron.network/pricing"
    kind = "marketplace"
    first_party = False
    price_kinds = ("on_demand", "spot")
    refetch = timedelta(hours=12)
    proof = "documented"

    def requests(self) -> Iterator[Any]:
        yield self.get(URL, self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        text = "\n".join(pieces(response))
        cards = list(CARD.finditer(text))
        if not cards:
            raise ShapeError(f"{response.url}: no card 'H100 ... $2.98 /hr Spot $2.10 /hr' is on the page")
        read = sum(2 if card[4] else 1 for card in cards)
        if strange := len(re.findall(PRICE, text)) - read:
            self.unused["prices beside no GPU name"] += strange
        for card in cards:
            first = PriceKind.SPOT if "Spot" in card["details"] else PriceKind.ON_DEMAND
            for kind, price in ((first, card[3]), (PriceKind.SPOT, card[4])):
                yield from self.offer(
                    response,
                    instance_type=card["gpu"],
                    gpu_name_raw=card["gpu"],
                    gpu_count=1.0,
                    price_kind=kind,
                    price_raw=Decimal(price or 0) or None,
                    price_unit="per gpu-hour",
                    currency="USD",
                )
