"""Nebius: tables in the page's data (JSON in a script, its quotes escaped or not); prices per GPU.

Columns come and go between captures, so each one's header says what it sells and from when.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError, ValueUnreadable, match_number
from crawlers.price_spider import PriceSpider
from crawlers.tables import grid_rows, whole_page
from warehouse.records import PriceKind

BLOCK = '{"type":"highlight-table-block"'
TITLES = {"NVIDIA GPU Instances": PriceKind.ON_DEMAND, "Preemptible NVIDIA GPU Instances": PriceKind.SPOT}
COLUMN = re.compile(
    r"(?:(?P<kind>On-demand|Preemptible|Spot price), )?GPU-hour\*?"
    r"(?: \(Effective (?P<day>\w+ \d{1,2}, \d{4})\))?"
)
KINDS = {"On-demand": PriceKind.ON_DEMAND, "Preemptible": PriceKind.SPOT, "Spot price": PriceKind.SPOT}
PRICE = re.compile(r"(?:from )?\$(\d+(?:\.\d{1,4})?)")
NO_PRICE = re.compile(r"––|—|-|\[[^\]]+\]\([^)]+\)|")


class NebiusSpider(PriceSpider):
    name = "nebius"
    title = "Nebius"
    homepage = "https://nebius.com/prices"
    price_kinds = ("on_demand", "spot")
    refetch = timedelta(hours=12)
    expected_offers = (6, 60)
    proof = "recorded"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://nebius.com/prices", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        found = {block.get("title"): block for block in blocks(whole_page(response))}
        if "NVIDIA GPU Instances" not in found:
            raise ShapeError(
                f"{response.url}: no table 'NVIDIA GPU Instances' is there, only {', '.join(map(str, found))}"
            )
        for title in TITLES.keys() & found.keys():
            headers, *lines = self.row(found[title], title).items("table.content") or [[]]
            rows = grid_rows(headers, lines, needed=("Item", "vCPUs", "RAM, GB"), where=title)
            columns = {header: column for header in headers if (column := COLUMN.fullmatch(header))}
            if not columns:
                raise ShapeError(f"{title}: no column '..., GPU-hour' is there, only {', '.join(headers)}")
            yield from self.each(rows, title, partial(self.parse_row, response, title, columns))

    def parse_row(
        self, response: Response, title: str, columns: dict[str, re.Match[str]], row: Row
    ) -> Iterator[Any]:
        for header, column in columns.items():
            printed, day = str(row.need(header)), column["day"]
            price = match_number(printed, PRICE)
            if price is None and not NO_PRICE.fullmatch(printed):
                raise ValueUnreadable(
                    f"{title}: {header} {printed!r} is not a price as this source writes it"
                )
            yield from self.offer(
                response,
                instance_type=row.text("Item"),
                gpu_name_raw=row.text("Item"),
                gpu_count=1.0,
                vcpus=whole(row.text("vCPUs")),
                memory_gib=whole(row.text("RAM, GB")),
                price_kind=KINDS.get(column["kind"] or "", TITLES[title]),
                price_raw=price,
                price_unit="per gpu-hour",
                currency="USD",
                is_floor=printed.startswith("from "),
                effective_from=datetime.strptime(f"{day} +0000", "%B %d, %Y %z").date() if day else None,
            )


def whole(text: str) -> float | None:
    """A number; None for the range of sizes that a floor price stands for."""
    return float(text) if text.isdigit() else None


def blocks(page: Any) -> Iterator[dict[str, Any]]:
    """The table blocks of the page's data."""
    text = page.text
    if '\\"highlight-table-block\\"' in text:
        text = re.sub(r'\\(["\\/])', r"\1", text)
    for match in re.finditer(re.escape(BLOCK), text):
        try:
            yield json.JSONDecoder().raw_decode(text, match.start())[0]
        except ValueError:
            raise ShapeError(f"{page.url}: a highlight-table-block of the page's data breaks off") from None
