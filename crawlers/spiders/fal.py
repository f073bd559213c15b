"""fal: one table of GPU prices for "Serverless & Compute": both products at the list price, per GPU.

"As low as" is what a negotiation may reach: kept as a floor, never as the price.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.tables import printed_price, printed_size, table_rows, whole_page
from warehouse.records import PriceKind

HEADING = "Serverless & Compute Pricing"
PRICE = re.compile(r"\$ ?(\d+(?:\.\d{1,4})?) ?/ ?(?:h|hr|hour)")
SALES = (  # kind, header of the price
    (PriceKind.SERVERLESS, "List Price"),
    (PriceKind.ON_DEMAND, "List Price"),
    (PriceKind.SERVERLESS, "As low as"),
)


class FalSpider(PriceSpider):
    name = "fal"
    title = "fal"
    homepage = "https://fal.ai/pricing"
    kind = "serverless"
    price_kinds = ("serverless", "on_demand")
    refetch = timedelta(hours=24)
    expected_offers = (9, 60)
    gpu_spellings: ClassVar[dict[str, str]] = {"H200": "h200-sxm-141gb"}
    proof = "recorded"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://fal.ai/pricing", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        table = whole_page(response).xpath(
            f"//*[self::h2 or self::h3 or self::h4][normalize-space()='{HEADING}']/following::table[1]"
        )
        if not table:
            raise ShapeError(f"{response.url}: no table follows the heading {HEADING!r}")
        rows = table_rows(table[0], needed=("GPU", "VRAM", "List Price", "As low as"), where=HEADING)
        yield from self.each(rows, HEADING, partial(self.parse_row, response))

    def parse_row(self, response: Response, row: Row) -> Iterator[Any]:
        gpu, memory = row.text("GPU"), printed_size(row, "VRAM")
        row.take("class")
        for kind, header in SALES:
            yield from self.offer(
                response,
                instance_type=gpu,
                gpu_name_raw=gpu,
                gpu_count=1.0,
                gpu_memory_gb=memory and memory[0],
                price_kind=kind,
                price_raw=printed_price(row, header, PRICE),
                price_unit="per gpu-hour",
                currency="USD",
                is_floor=header == "As low as",
                offer_key=None if header == "List Price" else header,
            )
