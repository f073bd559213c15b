"""Together AI: GPU clusters (on demand and for ranges of days) and dedicated inference; prices per GPU.

The visible cluster table stands after an old hidden one, and its header has two lines.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.tables import grid_rows, printed_price, spread, text_of, whole_page
from warehouse.records import PriceKind

TABLES = (  # anchor, a header that only the table meant has, what its price is
    ("gpu-clusters", "Pay as you go", PriceKind.ON_DEMAND),
    ("dedicated-inference", "On-demand", PriceKind.SERVERLESS),
)
DAYS = re.compile(r"(?P<least>\d+)(?: ?[-–] ?\d+| ?\+) days")
DAYS_PER_MONTH = 30


class TogetherSpider(PriceSpider):
    name = "together"
    title = "Together AI"
    homepage = "https://www.together.ai/pricing"
    price_kinds = ("on_demand", "reserved", "serverless")
    refetch = timedelta(hours=12)
    expected_offers = (3, 60)
    proof = "recorded"
    ignored_fields = "Reserved"  # of dedicated inference: only after talks

    def requests(self) -> Iterator[Any]:
        yield self.get("https://www.together.ai/pricing", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        for anchor, header, kind in TABLES:
            tables = whole_page(response).xpath(
                f"//div[@id='{anchor}']/following::table[not(ancestor::*[contains(@class, 'hide')])]"
                f"[.//th[normalize-space()='{header}']][1]"
            )
            if not tables:
                raise ShapeError(f"{response.url}: no table with header {header!r} follows #{anchor}")
            stated = text_of(tables.xpath("preceding::p[1]")) + text_of(tables.css("thead"))
            if "per gpu per hour" not in stated.lower():
                raise ShapeError(
                    f"{response.url}: #{anchor} no longer says 'per GPU per hour' ({stated[:80]!r})"
                )
            below = tables.css("thead tr + tr th")
            top = tables.xpath(".//th[not(../preceding-sibling::tr[th])]")
            headers = [text_of(cell.css("p")[:1] or cell) for cell in (top[:1] + below if below else top)]
            lines = [spread(line.css("td")) for line in tables.css("tr") if len(line.css("td")) > 1]
            rows = grid_rows(headers, lines, needed=("Hardware", header), where=anchor)
            yield from self.each(rows, anchor, partial(self.parse_row, response, header, kind))

    def parse_row(self, response: Response, header: str, kind: PriceKind, row: Row) -> Iterator[Any]:
        name = row.text("Hardware")
        sold = {"gpu_name_raw": name, "gpu_count": 1.0, "price_unit": "per gpu-hour", "currency": "USD"}
        price = printed_price(row, header)
        yield from self.offer(response, instance_type=name, price_kind=kind, price_raw=price, **sold)
        for column in filter(DAYS.fullmatch, row.data):
            least = int(DAYS.fullmatch(column)["least"])  # type: ignore[index]
            yield from self.offer(
                response,
                instance_type=f"{name} ({column})",
                price_kind=PriceKind.RESERVED,
                term_months=least // DAYS_PER_MONTH
                or None,  # the least time; under a month: none of our terms
                price_raw=printed_price(row, column),
                **sold,
            )
