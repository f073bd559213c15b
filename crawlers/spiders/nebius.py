"""Nebius: tables in the page's data (JSON in a script, its quotes escaped or not); prices per GPU.

Columns come and go between captures, so each one's header says what it sells and from when.
"""

import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError, ValueUnreadable, match_number
from crawlers.price_spider import PriceSpider
from crawlers.tables import grid_rows, same_header, text_of, whole_page
from warehouse.records import PriceKind

TABLE_BLOCK = "highlight-table-block"
BLOCK = re.compile(rf'"type"\s*:\s*"{TABLE_BLOCK}"')
MOST_BRACES = 200  # before a block's type: those of its rows and cells
TITLES = {"NVIDIA GPU Instances": PriceKind.ON_DEMAND, "Preemptible NVIDIA GPU Instances": PriceKind.SPOT}
COLUMN = re.compile(
    r"(?:(?P<kind>On-demand|Preemptible|Spot price), )?GPU-hour[*¹²³]*"
    r"(?: \([Ee]ffective (?:from )?(?P<day>\w+ \d{1,2}, \d{4})\))?[*¹²³]*"
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
        tables = {same_header(str(block.get("title"))): block for block in blocks(whole_page(response))}
        found = {title: tables[same_header(title)] for title in TITLES if same_header(title) in tables}
        if "NVIDIA GPU Instances" not in found:
            raise ShapeError(
                f"{response.url}: no table 'NVIDIA GPU Instances' is there, only {', '.join(tables)}"
            )
        for title in found:
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
                effective_from=written_day(day) if day else None,
            )


def written_day(text: str) -> date:
    """``October 1, 2026``, the month in full or in three letters."""
    month, rest = text.split(" ", 1)
    try:
        return datetime.strptime(f"{month[:3]} {rest} +0000", "%b %d, %Y %z").date()
    except ValueError:
        raise ShapeError(f"a column is effective from {text!r}, which is no day") from None


def whole(text: str) -> float | None:
    """A number; None for the range of sizes that a floor price stands for."""
    return float(text) if text.isdigit() else None


def blocks(page: Any) -> Iterator[dict[str, Any]]:
    """The table blocks of the page's data; those that are rendered where the data has none."""
    text = page.text
    if '\\"highlight-table-block\\"' in text:
        text = re.sub(r'\\(["\\/])', r"\1", text)
    found = [_block_around(text, match, page.url) for match in BLOCK.finditer(text)]
    yield from found or rendered(page)


def _block_around(text: str, match: re.Match[str], url: str) -> dict[str, Any]:
    """The object that a type stands in. Its fields come in any order: the nearest brace that fits is it."""
    start, decoder = match.start(), json.JSONDecoder()
    for _ in range(MOST_BRACES):
        start = text.rfind("{", 0, start)
        if start < 0:
            break
        try:
            block, end = decoder.raw_decode(text, start)
        except ValueError:
            continue
        if end > match.end() and block.get("type") == TABLE_BLOCK:
            return dict(block)
    raise ShapeError(f"{url}: a highlight-table-block of the page's data breaks off")


def rendered(page: Any) -> Iterator[dict[str, Any]]:
    """The tables as the page draws them: a title, and rows of cells of which the first is the header."""
    for table in page.css(f"div.pc-{TABLE_BLOCK}"):
        rows = table.css(f".pc-{TABLE_BLOCK}__row")
        lines = [[text_of(cell) for cell in row.css("p")] for row in rows]
        yield {"title": text_of(table.css(".pc-title-item__text")), "table": {"content": lines}}
