"""SaladCloud: rows of the pricing page, GPU with a default container, at the lowest of its four priorities.

The machines are other people's and can vanish at any time, so the kind is spot. The API's prices leave out
vCPUs and memory, which are billed apart; the page's do not.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from scrapy.http import Response

from crawlers.parsing import ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.price_text import pieces
from warehouse.records import PriceKind

ROW = re.compile(
    r"(?P<gpu>(?:RTX|GTX|[ABHLT]\d)[^$]*?) (?P<vram>\d+) ?GB (?P<ram>\d+) ?GB (?P<cpus>\d+) vCPUs? "
    r"\$(?P<hour>\d+\.\d+) \$(?P<month>[\d,]+\.\d+)"
)
ANY_ROW = re.compile(r"\d+ ?GB \d+ ?GB \d+ vCPUs? \$")


class SaladSpider(PriceSpider):
    name = "salad"
    title = "SaladCloud"
    homepage = "https://salad.com/pricing"
    kind = "marketplace"
    price_kinds = ("spot",)
    refetch = timedelta(hours=12)
    proof = "documented"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://salad.com/pricing", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        text = " ".join(pieces(response))
        rows = list(ROW.finditer(text))
        if not rows:
            raise ShapeError(f"{response.url}: no row 'GPU 32GB 8GB 4 vCPUs $0.250 $182.50' is on the page")
        self.check_total(len(rows), len(ANY_ROW.findall(text)), "rows of the price list")
        for row in rows:
            yield from self.offer(
                response,
                instance_type=f"{row['gpu']} {row['vram']}GB",
                gpu_name_raw=row["gpu"],
                gpu_count=1.0,
                gpu_memory_gb=float(row["vram"]),
                vcpus=float(row["cpus"]),
                memory_gib=float(row["ram"]),
                price_kind=PriceKind.SPOT,
                price_raw=Decimal(row["hour"]) or None,
                price_unit="per instance-hour",
                currency="USD",
                note="lowest priority, with the page's default container",
            )
