"""SaladCloud: rows of the pricing page, GPU with a default container, at the lowest of its four priorities.

The machines are other people's and can vanish at any time, so the kind is spot. With a key the API adds the
other priorities. Its prices leave out vCPUs and memory, which are billed apart: the page's default container
is added, as what the page asks beyond the API's lowest priority.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import quote

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError, ValueUnreadable
from crawlers.price_spider import Gather, PriceSpider
from crawlers.price_text import pieces
from warehouse.records import PriceKind

ROW = re.compile(
    r"(?P<gpu>(?:RTX|GTX|[ABHLT]\d)[^$]*?) (?P<vram>\d+) ?GB (?P<ram>\d+) ?GB (?P<cpus>\d+) vCPUs? "
    r"\$(?P<hour>\d+\.\d+) \$(?P<month>[\d,]+\.\d+)"
)
API = "https://api.salad.com/api/public/organizations/{organization}/gpu-classes"
PRIORITIES = ("batch", "low", "medium", "high")
CLASS_NAME = re.compile(r"(?P<gpu>.+?) \((?P<vram>\d+) ?GB\)")
ANY_ROW = re.compile(r"\d+ ?GB \d+ ?GB \d+ vCPUs? \$")


class SaladSpider(PriceSpider):
    name = "salad"
    title = "SaladCloud"
    homepage = "https://salad.com/pricing"
    kind = "marketplace"
    price_kinds = ("spot",)
    refetch = timedelta(hours=12)
    credential = ("SALAD_API_KEY", "SALAD_ORGANIZATION")
    ignored_fields = "id gpu_class_type"
    proof = "documented"

    def requests(self) -> Iterator[Any]:
        self.listed: dict[str, dict[str, Any]] = {}  # rows of the page by GPU and memory
        self.classes: tuple[Response, list[Any]] | None = None
        both, (key, organization) = Gather(self.join), map(self.secret, self.credential)
        yield self.get("https://salad.com/pricing", self.parse_page, gather=both)
        if key and organization:
            url, headers = API.format(organization=quote(organization)), {"Salad-Api-Key": key}
            yield self.get(url, self.parse_classes, source="salad:api", headers=headers, gather=both)

    def parse_page(self, response: Response) -> Iterator[Any]:
        text = " ".join(pieces(response))
        rows = list(ROW.finditer(text))
        if not rows:
            raise ShapeError(f"{response.url}: no row 'GPU 32GB 8GB 4 vCPUs $0.250 $182.50' is on the page")
        self.check_total(len(rows), len(ANY_ROW.findall(text)), "rows of the price list")
        for row in rows:
            card, sizes = (
                self.card(row["gpu"], row["vram"]),
                {"vcpus": float(row["cpus"]), "memory_gib": float(row["ram"])},
            )
            offered = {**card, **sizes, "price_raw": Decimal(row["hour"]) or None}
            self.listed[card["instance_type"]] = offered
            note = "lowest priority, with the page's default container"
            yield from self.offer(response, note=note, **offered)

    def card(self, gpu: str, memory: str) -> dict[str, Any]:
        """What page and API say of a card alike."""
        return {
            "instance_type": f"{gpu} {memory}GB",
            "gpu_name_raw": gpu,
            "gpu_count": 1.0,
            "gpu_memory_gb": float(memory),
            "price_kind": PriceKind.SPOT,
            "price_unit": "per instance-hour",
            "currency": "USD",
        }

    def parse_classes(self, response: Response) -> None:
        self.classes = response, self.row(self.json(response)).items("items")

    def join(self) -> Iterator[Any]:
        if self.classes:
            response, rows = self.classes
            yield from self.each(rows, "items[]", partial(self.parse_class, response))

    def parse_class(self, response: Response, row: Row) -> Iterator[Any]:
        name = CLASS_NAME.fullmatch(row.text("name"))
        if name is None:
            raise ValueUnreadable(f"items[]: field 'name' is {row.text('name')!r}, not 'GPU (24 GB)'")
        tiers = [self.row(tier, "prices[]") for tier in row.items("prices")]
        prices = {tier.text("priority"): tier.price("price") for tier in tiers}
        busy, card = row.usual("is_high_demand"), self.card(name["gpu"], name["vram"])
        page = self.listed.get(card["instance_type"], {})
        lowest = next((prices[word] for word in PRIORITIES if prices.get(word)), None)
        container = page["price_raw"] - lowest if page.get("price_raw") and lowest else None
        note = "the GPU alone" if container is None else "with the page's default container"
        for priority, price in prices.items():
            offered = {**page, **card, "offer_key": f"priority {priority}"}
            offered["price_raw"] = price and price + max(container or Decimal(0), Decimal(0))
            told = f"priority {priority}, {note}" + (", in high demand" if busy else "")
            yield from self.offer(response, note=told, **offered)
