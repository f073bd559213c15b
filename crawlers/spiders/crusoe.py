"""Crusoe: the cards of the pricing page's section "GPU instances pricing"; prices per GPU.

Other sections (CPU, tokens) use the same card classes, so everything is read inside that section.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.tables import grid_rows, printed_price, printed_size, text_of, whole_page
from warehouse.records import PriceKind

SECTION = "GPU instances pricing"
PRICE = re.compile(r"\$ ?(\d+(?:,\d{3})*(?:\.\d{1,4})?) ?/ ?GPU-(?:hr|hour)")
MEMORY = re.compile(r"\d+ ?[GT]i?B")
KINDS = {"On-demand": PriceKind.ON_DEMAND, "Current spot": PriceKind.SPOT}


class CrusoeSpider(PriceSpider):
    name = "crusoe"
    title = "Crusoe"
    homepage = "https://www.crusoe.ai/cloud/pricing"
    price_kinds = ("on_demand", "spot")
    refetch = timedelta(hours=12)
    expected_offers = (5, 30)
    proof = "recorded"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://www.crusoe.ai/cloud/pricing", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        section = whole_page(response).xpath(
            f"//h3[normalize-space()='{SECTION}']"
            "/ancestor::div[.//*[contains(@class, 'pricing-table-heading')]][1]"
        )
        if not section:
            raise ShapeError(f"{response.url}: the section {SECTION!r} is not there")
        headers = [text_of(cell) for cell in section.css(".pricing-table-heading .pricing-heading")]
        lines = [
            [text_of(card.css("h4.pricing-item-heading")), *map(text_of, card.css("div.pricing-rich"))]
            for card in section.css("div.pricing_gpu-item")
        ]
        rows = grid_rows(headers, lines, needed=("GPU model", *KINDS), where=SECTION)
        for row, card in zip(rows, section.css("div.pricing_gpu-item"), strict=True):
            tags = [text_of(tag) for tag in card.css("div.pricing-tag")]
            sizes = [tag for tag in tags if MEMORY.fullmatch(tag)]
            row |= {"memory": " ".join(sizes), "form": " ".join(tag for tag in tags if tag not in sizes)}
        yield from self.each(rows, SECTION, partial(self.parse_card, response))

    def parse_card(self, response: Response, row: Row) -> Iterator[Any]:
        model, memory = row.text("GPU model"), printed_size(row, "memory")
        for header, kind in KINDS.items():
            yield from self.offer(
                response,
                instance_type=" ".join(f"{model} {row.need('memory')} {row.need('form')}".split()),
                gpu_name_raw=model,
                gpu_count=1.0,
                gpu_memory_gb=memory and memory[0],
                interconnect=row.need("form") or None,
                price_kind=kind,
                price_raw=printed_price(row, header, PRICE),
                price_unit="per gpu-hour",
                currency="USD",
            )
