"""Hyperstack: the cards of the pricing page, told apart by title; prices per GPU and hour.

The CPU card calls its second column "GPU Cores", so no card is taken for its headers.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.tables import grid_rows, printed_price, same_header, text_of, whole_page
from warehouse.records import PriceKind

CARDS = {  # how a title begins: kind, header of the price
    "On-Demand GPU": (PriceKind.ON_DEMAND, "Pricing Per Hour"),
    "Reservation": (PriceKind.RESERVED, "Starting from"),
    "Spot VM": (PriceKind.SPOT, "Spot VM"),
}
SIZES = ("VRAM (GB)", "Max pCPUs per GPU", "Max RAM (GB) per GPU")


class HyperstackSpider(PriceSpider):
    name = "hyperstack"
    title = "Hyperstack"
    homepage = "https://www.hyperstack.cloud/gpu-pricing"
    price_kinds = ("on_demand", "reserved", "spot")
    refetch = timedelta(hours=12)
    expected_offers = (15, 80)
    billing_increment_seconds = 60
    # beside "... SXM" the NVLink rows are the bridged PCIe cards; A-numbers are RTX cards here
    gpu_spellings: ClassVar[dict[str, str]] = {
        "NVIDIA H100 NVLink": "h100-pcie-80gb",
        "NVIDIA A100 NVLink": "a100-pcie-80gb",
        "NVIDIA A6000": "rtx-a6000-48gb",
        "NVIDIA A4000": "rtx-a4000-16gb",
    }
    proof = "recorded"
    ignored_fields = "Reserve"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://www.hyperstack.cloud/gpu-pricing", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        found = whole_page(response).css("div.page-price_card")
        cards = {text_of(card.css("h2, h3, h4")): card for card in found}
        for begin, (kind, header) in CARDS.items():
            title = next((name for name in cards if same_header(name).startswith(same_header(begin))), begin)
            if title not in cards:
                raise ShapeError(
                    f"{response.url}: the card {title!r} is missing (there are {', '.join(cards)})"
                )
            headers = [text_of(cell) for cell in cards[title].css(".page-price_card_head_item")]
            lines = [
                [text_of(cell) for cell in line.css(".page-price_card_row_item_col")]
                for line in cards[title].css("div.page-price_card_row_item")
            ]
            sizes = SIZES if kind is PriceKind.ON_DEMAND else ()
            rows = grid_rows(headers, lines, needed=("GPU Model", header, *sizes), where=title)
            yield from self.each(rows, title, partial(self.parse_row, response, kind, header))

    def parse_row(self, response: Response, kind: PriceKind, header: str, row: Row) -> Iterator[Any]:
        vram, cpus, ram = (row.number(size) for size in SIZES)
        yield from self.offer(
            response,
            instance_type=row.text("GPU Model"),
            gpu_name_raw=row.text("GPU Model"),
            gpu_count=1.0,
            gpu_memory_gb=vram,
            vcpus=cpus,
            memory_gib=ram,
            price_kind=kind,
            price_raw=printed_price(row, header),
            price_unit="per gpu-hour",
            currency="USD",
            is_floor=header == "Starting from",
        )
