"""Koyeb: prices of instances per hour in the text of the pricing page, GPU instances by their GPU's name.

Of instances with several GPUs it is not known how the page writes the count: they are not read.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from scrapy.http import Response

from crawlers.price_spider import PriceSpider
from crawlers.price_text import GPU_NAME, priced_names, tell_strange
from warehouse.records import PriceKind

PRICE = r"\$(\d+\.\d+) ?/ ?hour\b"


class KoyebSpider(PriceSpider):
    name = "koyeb"
    title = "Koyeb"
    homepage = "https://www.koyeb.com/pricing"
    kind = "serverless"
    price_kinds = ("serverless",)
    refetch = timedelta(hours=24)
    proof = "documented"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://www.koyeb.com/pricing", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        found, strange = priced_names(response, GPU_NAME, PRICE, example="$0.75 /hour")
        for card in found:
            yield from self.offer(
                response,
                instance_type=card.name,
                gpu_name_raw=card.name,
                gpu_count=1.0,
                gpu_memory_gb=card.number(r"vRAM (\d+) ?GB"),
                price_kind=PriceKind.SERVERLESS,
                price_raw=card.price or None,
                price_unit="per instance-hour",
                currency="USD",
            )
        tell_strange(self, strange)
