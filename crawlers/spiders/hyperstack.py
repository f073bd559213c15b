"""Hyperstack: the cards of the pricing page, told apart by title; prices per GPU and hour.

The CPU card calls its second column "GPU Cores", so no card is taken for its headers. With a key the API adds
machines with their stock; what its price book says counts only where the page asks the same for a GPU.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import Gather, PriceSpider
from crawlers.tables import grid_rows, printed_price, same_header, text_of, whole_page
from warehouse.records import PriceKind

CARDS = {  # how a title begins: kind, header of the price
    "On-Demand GPU": (PriceKind.ON_DEMAND, "Pricing Per Hour"),
    "Reservation": (PriceKind.RESERVED, "Starting from"),
    "Spot VM": (PriceKind.SPOT, "Spot VM"),
}
API = "https://infrahub-api.nexgencloud.com/v1"
SAME_PRICE = Decimal("0.02")
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
    credential = ("HYPERSTACK_API_KEY",)
    proof = "recorded"
    ignored_fields = "Reserve id region_id region_name features labels"

    def requests(self) -> Iterator[Any]:
        self.asked: set[Decimal] = set()  # on-demand prices of the page, per GPU
        self.book: dict[str, Decimal | None] = {}
        self.flavors: list[tuple[Response, str, list[Any]]] = []
        everything, key = Gather(self.join), self.secret("HYPERSTACK_API_KEY")
        yield self.get("https://www.hyperstack.cloud/gpu-pricing", self.parse_page, gather=everything)
        for path, parse in (
            (("pricebook", self.parse_book), ("core/flavors", self.parse_flavors)) if key else ()
        ):
            options = {"source": "hyperstack:api", "headers": {"api_key": str(key)}, "gather": everything}
            yield self.get(f"{API}/{path}", parse, **options)  # type: ignore[arg-type]

    def parse_book(self, response: Response) -> None:
        for item in self.row({"book": self.json(response)}).items("book"):
            row = self.row(item, "pricebook[]")
            self.book[row.text("name")] = row.price("value")

    def parse_flavors(self, response: Response) -> None:
        for item in self.row(self.json(response)).items("data"):
            group = self.row(item, "data[]")
            self.flavors.append((response, group.text("region_name"), group.items("flavors")))

    def join(self) -> Iterator[Any]:
        self.others = 0
        for response, region, flavors in self.flavors:
            yield from self.each(flavors, "flavors[]", partial(self.parse_flavor, response, region))
        if self.others:
            self.partial(f"the price book and the page differ on {self.others} machines", "hyperstack:api")

    def parse_flavor(self, response: Response, region: str, row: Row) -> Iterator[Any]:
        """The price book holds prices of machines or of GPUs, which of them is not documented."""
        row.need("gpu_count")
        name, count = row.text("name"), row.number("gpu_count")
        if count is None:  # 0: a machine without GPU
            return
        whole, each = self.book.get(name), self.book.get(row.text("gpu"))
        price = whole / Decimal(str(count)) if whole else each
        if price is None or not any(abs(price / asked - 1) <= SAME_PRICE for asked in self.asked):
            self.others += 1
            return
        yield from self.offer(
            response,
            instance_type=name,
            gpu_name_raw=row.text("gpu"),
            gpu_count=count,
            vcpus=row.number("cpu"),
            memory_gib=row.number("ram"),
            disk_gb=(row.number("disk") or 0) + (row.number("ephemeral") or 0) or None,
            region=region,
            available=row.usual("stock_available"),
            price_raw=price,
            price_unit="per gpu-hour",
            currency="USD",
        )

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
        price = printed_price(row, header)
        if price and kind is PriceKind.ON_DEMAND:
            self.asked.add(price)
        yield from self.offer(
            response,
            instance_type=row.text("GPU Model"),
            gpu_name_raw=row.text("GPU Model"),
            gpu_count=1.0,
            gpu_memory_gb=vram,
            vcpus=cpus,
            memory_gib=ram,
            price_kind=kind,
            price_raw=price,
            price_unit="per gpu-hour",
            currency="USD",
            is_floor=header == "Starting from",
        )
