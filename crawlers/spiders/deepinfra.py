"""DeepInfra: dedicated GPUs for one's own models, paid for uptime (so on demand, not per call); per GPU.

Only the table GPU | Memory | Price is in money per hour; the others hold tiers and token prices.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.tables import headers_of, printed_price, printed_size, same_header, table_rows, whole_page

HEADERS = ("GPU", "Memory", "Price")
PRICE = re.compile(r"\$ ?(\d+(?:\.\d{1,4})?) ?/ ?GPU-(?:hour|hr)")


class DeepinfraSpider(PriceSpider):
    name = "deepinfra"
    title = "DeepInfra"
    homepage = "https://deepinfra.com/pricing"
    kind = "serverless"
    refetch = timedelta(hours=24)
    expected_offers = (3, 20)
    gpu_spellings: ClassVar[dict[str, str]] = {"H200": "h200-sxm-141gb"}
    proof = "recorded"
    ignored_fields = "class"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://deepinfra.com/pricing", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        tables = whole_page(response).css("table")
        headers = [headers_of(table) for table in tables]
        wanted = {same_header(header) for header in HEADERS}
        found = [
            table
            for table, names in zip(tables, headers, strict=True)
            if {same_header(name) for name in names} >= wanted
        ]
        if not found:
            raise ShapeError(f"{response.url}: no table GPU | Memory | Price is there, only {headers}")
        for table in found:
            rows = table_rows(table, needed=HEADERS, where="GPU table")
            yield from self.each(rows, "GPU table", partial(self.parse_row, response))

    def parse_row(self, response: Response, row: Row) -> Iterator[Any]:
        memory = printed_size(row, "Memory")
        yield from self.offer(
            response,
            instance_type=row.text("GPU"),
            gpu_name_raw=row.text("GPU"),
            gpu_count=1.0,
            gpu_memory_gb=memory and memory[0],
            price_raw=printed_price(row, "Price", PRICE),
            price_unit="per gpu-hour",
            currency="USD",
        )
