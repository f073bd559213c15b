"""CoreWeave: one table per region on the pricing page, prices of whole instances.

Every row holds its cells a second time for phones; footnote marks stick to numbers and headers.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError, ValueUnreadable
from crawlers.price_spider import PriceSpider
from crawlers.tables import grid_rows, not_stated, printed_price, text_of, whole_page
from warehouse.records import PriceKind
from warehouse.units import size_to_gb

NUMBER = re.compile(r"(\d+(?:,\d{3})*(?:\.\d+)?)(?:\^\d+| ?[¹²³⁴*†]+| \d)?")  # "4^1": footnote 1
PRICE = re.compile(r"\$ ?(\d+(?:,\d{3})*(?:\.\d{1,4})?)(?:\^\d+| ?[¹²³⁴*†]+)?")
SIZES = ("GPU Count", "VRAM (GB)", "vCPUs", "System RAM (GB)", "Local Storage (TB)")
PRICES = {
    "On-Demand Price (Per Hour)": PriceKind.ON_DEMAND,
    "Spot Price (Per Hour)": PriceKind.SPOT,
    "Inference Single GPU Price(Per Hour)": PriceKind.SERVERLESS,
}


class CoreweaveSpider(PriceSpider):
    name = "coreweave"
    title = "CoreWeave"
    homepage = "https://www.coreweave.com/pricing"
    price_kinds = ("on_demand", "spot", "serverless")
    expected_offers = (8, 80)
    refetch = timedelta(hours=12)
    default_on = False
    proof = "recorded"
    terms_note = "said elsewhere to forbid automated access; off until the operator has read the terms"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://www.coreweave.com/pricing", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        tables = whole_page(response).css("div.table-v2.gpu-pricing")
        if not tables:
            raise ShapeError(f"{response.url}: no table div.table-v2.gpu-pricing is there")
        for table in tables:
            eyebrow = table.xpath("preceding::*[contains(@class, 'eyebrow')][1]")
            region = re.fullmatch(r"(?i:region): ?(.+)", text_of(eyebrow))
            if not region:
                raise ShapeError(
                    f"{response.url}: a table stands under {text_of(eyebrow)!r}, not under 'REGION: ...'"
                )
            headers = [text_of(cell) for cell in table.css(".table-v2-header .table-header-text")]
            lines = [
                [text_of(cell) for cell in line.css(".table-grid > .table-v2-cell")]
                for line in table.css("div.table-row-v2[class*='gpu-pricing']")
            ]
            rows = grid_rows(headers, lines, needed=("GPU Model", *SIZES, *PRICES), where=region[1])
            yield from self.each(rows, region[1], partial(self.parse_row, response, region[1]))

    def parse_row(self, response: Response, region: str, row: Row) -> Iterator[Any]:
        model, (count, vram, vcpus, ram, disk) = (
            row.text("GPU Model"),
            [size(row, header) for header in SIZES],
        )
        for header, kind in PRICES.items():
            machine: dict[str, Any] = {"gpu_count": count, "vcpus": vcpus, "memory_gib": ram}
            machine["disk_gb"] = disk and size_to_gb(disk, "TB")
            yield from self.offer(
                response,
                instance_type=model,
                gpu_name_raw=model,
                gpu_memory_gb=vram,
                region=region,
                price_kind=kind,
                price_raw=printed_price(row, header, PRICE),
                price_unit="per instance-hour",
                currency="USD",
                **({"gpu_count": 1.0} if kind is PriceKind.SERVERLESS else machine),
            )


def size(row: Row, header: str) -> float | None:
    """A number without its footnote mark and thousands separators; None where none is stated."""
    printed = str(row.need(header))
    number = NUMBER.fullmatch(printed)
    if not number and not_stated(printed):
        return None
    if not number:
        raise ValueUnreadable(f"{row.where}: {header} {printed!r} is not a number")
    return float(number[1].replace(",", ""))
