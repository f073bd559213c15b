"""LeaderGPU: dedicated machines by the month, EUR per card and month, in the text of the front page.

How the page writes its prices was told only in words, so this source is off by default.
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
from warehouse.records import PriceKind

URL = "https://www.leadergpu.com/"
NUMBER = r"\d+(?:\.\d{1,2})?"
CARD = re.compile(
    rf"(?:(?P<count>\d+) ?x\s?)?(?<![\w-])(?P<gpu>{GPU_NAME})(?![\w-])(?:(?!{GPU_NAME})[^€])*?"
    rf"(?:€\s?(?P<before>{NUMBER})|(?P<after>{NUMBER})\s?€)\s?(?:/|per)\s?month"
)


class LeadergpuSpider(PriceSpider):
    name = "leadergpu"
    title = "LeaderGPU"
    homepage = "https://www.leadergpu.com/"
    price_kinds = ("subscription",)
    refetch = timedelta(hours=24)
    default_on = False
    proof = "documented"
    terms_note = "terms not read; off until the page has been seen"

    def requests(self) -> Iterator[Any]:
        yield self.get(URL, self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        cards = list(CARD.finditer("\n".join(pieces(response))))
        if not cards:
            raise ShapeError(f"{response.url}: no '2x RTX 3090 ... 250 € / month' is on the page")
        for card in cards:
            count = float(card["count"] or 1)
            yield from self.offer(
                response,
                instance_type=f"{count:g}x {card['gpu']}",
                gpu_name_raw=card["gpu"],
                gpu_count=count,
                price_kind=PriceKind.SUBSCRIPTION,
                term_months=1,
                price_raw=Decimal(card["before"] or card["after"]) or None,
                price_unit="per gpu-month (730 h)",
                currency="EUR",
            )
