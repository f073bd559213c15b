"""Yotta Labs: one table of prices per GPU-hour, on demand and spot."""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.tables import printed_price, printed_size, table_rows, text_of, whole_page
from warehouse.records import PriceKind
from warehouse.units import gb_to_gib

URL = "https://www.yottalabs.ai/pricing"
HEADERS = ("GPU", "VRAM", "RAM", "vCPU", "On-demand", "Spot")
KINDS = {"On-demand": PriceKind.ON_DEMAND, "Spot": PriceKind.SPOT}
PRICE = re.compile(r"\$(\d+(?:\.\d+)?)(?: ?/ ?(?:GPU[- ])?(?:hr|hour))?")


class YottaSpider(PriceSpider):
    name = "yotta"
    title = "Yotta Labs"
    homepage = "https://www.yottalabs.ai/pricing"
    price_kinds = ("on_demand", "spot")
    refetch = timedelta(hours=24)
    proof = "documented"

    def requests(self) -> Iterator[Any]:
        yield self.get(URL, self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        tables = whole_page(response).css("table")
        with_prices = [table for table in tables if "VRAM" in map(text_of, table.css("thead th"))]
        if not with_prices:
            raise ShapeError(f"{response.url}: no table with a header 'VRAM' is on the page")
        for table in with_prices:
            rows = table_rows(table, needed=HEADERS, where="table")
            yield from self.each(rows, "table", partial(self.parse_row, response))

    def parse_row(self, response: Response, row: Row) -> Iterator[Any]:
        vram, ram = printed_size(row, "VRAM"), printed_size(row, "RAM")
        for header, kind in KINDS.items():
            yield from self.offer(
                response,
                instance_type=row.text("GPU"),
                gpu_name_raw=row.text("GPU"),
                gpu_count=1.0,
                gpu_memory_gb=vram and vram[0],
                vcpus=row.number("vCPU"),
                memory_gib=ram and (gb_to_gib(ram[0]) if ram[1] == "GB" else ram[0]),
                price_kind=kind,
                price_raw=printed_price(row, header, PRICE),
                price_unit="per gpu-hour",
                currency="USD",
            )
