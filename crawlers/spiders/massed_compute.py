"""Massed Compute: table rows in the pricing page's flight data; prices of whole machines.

A row's key says GPU, count and option ("H100 (80GB)-x 8-3"): options differ in RAM, disk and price. The rows
for phones, with "-mobile-" in their keys, repeat the others.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.flight import Flight
from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.tables import grid_rows, printed_price, printed_size, whole_page

KEY = re.compile(r"(?P<gpu>.+)-x (?P<count>\d+)-(?P<option>\d+)")
CELLS = ["count", "vCPU", "RAM", "Storage", "price", "button"]
PRICE = re.compile(r"\$(\d+(?:,\d{3})*\.\d\d)/hr")


class MassedComputeSpider(PriceSpider):
    name = "massed_compute"
    title = "Massed Compute"
    homepage = "https://massedcompute.com/pricing"
    refetch = timedelta(hours=12)
    expected_offers = (15, 100)
    gpu_spellings: ClassVar[dict[str, str]] = {"DGX A100 (80GB)": "a100-sxm4-80gb"}  # one GPU of a DGX node
    proof = "recorded"
    ignored_fields = "count button"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://massedcompute.com/pricing", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        flight = Flight(whole_page(response))
        found = [
            (key, line) for key, line in flight.elements("tr") if KEY.fullmatch(key) and "-mobile-" not in key
        ]
        lines = [[flight.words(cell) for cell in line["children"]] for _, line in found]
        rows = grid_rows(CELLS, lines, needed=(), where="tr")
        for row, (key, _) in zip(rows, found, strict=True):
            row["key"] = key
            if row["count"] != "×" + str(row_key(key)["count"]):
                raise ShapeError(
                    f"row {key!r}: its first cell is {row['count']!r}, not the count: cells have moved"
                )
        yield from self.each(rows, "tr", partial(self.parse_row, response))

    def parse_row(self, response: Response, row: Row) -> Iterator[Any]:
        key = row_key(row.text("key"))
        ram = printed_size(row, "RAM")
        yield from self.offer(
            response,
            instance_type=f"{key['count']}x {key['gpu']}",
            gpu_name_raw=key["gpu"],
            gpu_count=float(key["count"]),
            vcpus=row.number("vCPU"),
            memory_gib=ram and ram[0],
            disk_gb=row.number("Storage"),
            price_raw=None if row.text("price") == "Request" else printed_price(row, "price", PRICE),
            price_unit="per instance-hour",
            currency="USD",
            offer_key=row.text("key"),
        )


def row_key(key: str) -> dict[str, str]:
    """GPU, count and option of a row's key."""
    match = KEY.fullmatch(key)
    if not match:
        raise ShapeError(f"row key {key!r} is not '<GPU>-x <count>-<option>'")
    return match.groupdict()
