"""Hot Aisle: three cards of MI300X machines; prices per GPU. Bare metal is let by the month. With a key the
API says what is free now, with the price of the whole machine in cents.

The rate of existing customers stands in a sentence outside the cards and is nobody else's price.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError, ValueUnreadable
from crawlers.price_spider import PriceSpider
from crawlers.tables import printed_price, text_of, whole_page
from warehouse.records import PriceKind

API = "https://admin.hotaisle.app/api/teams/{team}/{kind}/available/"
SOLD = {
    "virtual_machines": ("VM", {}),
    "bare_metal": ("bare metal", {"price_kind": PriceKind.RESERVED, "term_months": 1}),
}
PRICE = re.compile(r"\$ ?(\d+(?:\.\d{1,4})?) ?/ ?GPU ?/ ?(?:hr|hour)(?:[ ,;(].*)?")
SIZES = {
    "vcpus": re.compile(r"([\d or]+) CPU Cores"),
    "memory_gib": re.compile(r"([\dGB or]+)GB (?:System )?RAM"),
    "gpu_memory_gb": re.compile(r"([\dGB or]+)GB HBM3(?: Memory)?"),
}


class HotAisleSpider(PriceSpider):
    name = "hot_aisle"
    title = "Hot Aisle"
    homepage = "https://hotaisle.xyz/pricing"
    price_kinds = ("on_demand", "reserved")
    refetch = timedelta(hours=12)
    expected_offers = (3, 20)
    billing_increment_seconds = 60
    credential = ("HOTAISLE_API_KEY", "HOTAISLE_TEAM")
    ignored_fields = "MinimumReservationMinutes Specs.ram_capacity Specs.disk_capacity"
    proof = "recorded"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://hotaisle.xyz/pricing", self.parse_page)
        key, team = map(self.secret, self.credential)
        for kind in SOLD if key and team else ():
            url, headers = API.format(team=quote(team or ""), kind=kind), {"Authorization": f"Token {key}"}
            yield self.get(url, self.parse_stock, source="hot_aisle:api", headers=headers, kind=kind)

    def parse_stock(self, response: Response) -> Iterator[Any]:
        rows = self.row({"machines": self.json(response)}).items("machines")
        yield from self.each(rows, "machines[]", partial(self.parse_machine, response))

    def parse_machine(self, response: Response, row: Row) -> Iterator[Any]:
        """One GPU model per machine; its memory is not stated."""
        gpus = [self.row(gpu, "Specs.gpus[]") for gpu in row.items("Specs.gpus")]
        if len(gpus) != 1:
            raise ValueUnreadable(f"machines[]: field 'Specs.gpus' has {len(gpus)} entries, not one")
        gpus[0].need("count")
        count, gpu, free = gpus[0].number("count"), gpus[0].text("model"), row.count("Quantity") or 0
        tag, sale = SOLD[response.meta["kind"]]
        yield from self.offer(
            response,
            instance_type=f"{count:g}x {gpu} {tag}" if count else f"{gpu} {tag}",
            gpu_name_raw=gpu,
            gpu_count=count,
            vcpus=row.number("Specs.cpu_cores"),
            available=free > 0,
            available_count=free,
            price_raw=row.price("OnDemandPrice"),
            price_unit="cent per instance-hour",
            currency="USD",
            **sale,
        )

    def parse_page(self, response: Response) -> Iterator[Any]:
        cards = whole_page(response).xpath("//h2[following-sibling::div/span]/ancestor::div[.//ul][1]")
        rows = []
        for card in cards:
            texts = [text_of(span) for span in card.xpath(".//h2/following-sibling::div[1]/span")]
            prices = [text for p in card.css("p") if (text := text_of(p)).startswith("$")]
            if len(texts) != 2 or len(prices) != 1:
                raise ShapeError(
                    f"{response.url}: card {text_of(card.css('h2'))!r} has no count, GPU and '$.../GPU/hr'"
                )
            tag = text_of(card.xpath(".//h2/preceding-sibling::p[1]"))
            row = {"counts": texts[0], "gpu": texts[1], "tag": tag, "price": prices[0]}
            rows.append(row | {"items": [text_of(item) for item in card.css("ul li")]})
        yield from self.each(rows, "card", partial(self.parse_card, response))

    def parse_card(self, response: Response, row: Row) -> Iterator[Any]:
        counts = re.findall(r"(\d+)x", row.text("counts"))
        words = row.text("tag").lower()
        tag = (
            "bare metal" if "bare metal" in words else "VM" if re.search(r"\bvms?\b|virtual", words) else None
        )
        if not counts or tag is None:
            raise ValueUnreadable(
                f"card: count {row.text('counts')!r} or tag {row.text('tag')!r} is written anew"
            )
        monthly = re.search(r"(?:one|1)[- ]month minimum", row.text("price").lower()) is not None
        for place, count in enumerate(counts):
            sizes = {
                field: size(row.items("items"), form, place, len(counts)) for field, form in SIZES.items()
            }
            memory = sizes.pop("gpu_memory_gb")
            gpu = row.text("gpu").upper()  # the page writes MI300x here and MI300X elsewhere
            yield from self.offer(
                response,
                instance_type=f"{count}x {gpu} {tag}",
                gpu_name_raw=gpu,
                gpu_count=float(count),
                gpu_memory_gb=memory and memory / int(count),
                price_kind=PriceKind.RESERVED if monthly else PriceKind.ON_DEMAND,
                term_months=1 if monthly else None,
                price_raw=printed_price(row, "price", PRICE),
                price_unit="per gpu-hour",
                currency="USD",
                **sizes,
            )


def size(items: list[str], form: re.Pattern[str], place: int, counts: int) -> float | None:
    """A size of the card; "448GB or 896GB" are those of its two counts, other alternatives leave it open."""
    match = next((match for item in items if (match := form.fullmatch(item))), None)
    choices = re.findall(r"\d+", match[1]) if match else []
    return float(choices[place]) if len(choices) == counts else None
