"""JarvisLabs: cards in the text of the pricing page, USD per GPU-hour; with a key the API and its stock.

Readers disagree whether the API's prices are dollars or rupees, so each is compared with the page's: the API
counts only where every price agrees with that of a card of the same name.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import Gather, PriceSpider
from crawlers.price_text import GPU_NAME, pieces
from warehouse.records import PriceKind

CARD = re.compile(
    rf"(?P<gpu>{GPU_NAME}) (?:Blackwell|Hopper|Ada(?: Lovelace)?|Ampere|Turing|Volta) · (?P<memory>\d+) ?GB "
    r"\$(?P<price>\d+\.\d\d)\b"
)
ANY_CARD = re.compile(r"· \d+ ?GB \$")
API = "https://backendn.jarvislabs.net/misc/server_meta"
AGREES_WITHIN = Decimal("1.5")  # times the page's price or less


class JarvislabsSpider(PriceSpider):
    name = "jarvislabs"
    title = "JarvisLabs"
    homepage = "https://jarvislabs.ai/pricing"
    price_kinds = ("on_demand", "spot")
    refetch = timedelta(hours=12)
    credential = ("JARVISLABS_API_KEY",)
    proof = "documented"
    ignored_fields = "effective_num_free_devices spot_only_server"

    def requests(self) -> Iterator[Any]:
        self.cards: list[tuple[Response, re.Match[str]]] = []
        self.servers: list[tuple[Response, dict[str, Any]]] = []
        both, key = Gather(self.join), self.secret("JARVISLABS_API_KEY")
        yield self.get("https://jarvislabs.ai/pricing", self.parse_page, gather=both)
        if key:
            token = {"Authorization": f"Bearer {key}"}
            yield self.get(API, self.parse_api, source="jarvislabs:api", headers=token, gather=both)

    def parse_page(self, response: Response) -> None:
        text = " ".join(pieces(response))
        self.cards = [(response, card) for card in CARD.finditer(text)]
        if not self.cards:
            raise ShapeError(f"{response.url}: no card 'H100 SXM Hopper · 80 GB $2.69' is on the page")
        self.check_total(len(self.cards), len(ANY_CARD.findall(text)), "cards")

    def parse_api(self, response: Response) -> None:
        rows = self.row(self.json(response)).items("server_meta")
        self.servers += [(response, found) for found in self.each(rows, "server_meta[]", self.server)]

    def server(self, row: Row) -> Iterator[dict[str, Any]]:
        memory, spot = re.search(r"\d+", str(row.take("vram") or "")), row.price("spot_price")
        machine = {
            "instance_type": row.text("gpu_type"),
            "gpu_name_raw": row.text("gpu_type"),
            "gpu_count": 1.0,
            "gpu_memory_gb": float(memory[0]) if memory else None,
            "vcpus": row.number("cpus_per_gpu"),
            "memory_gib": row.number("ram_per_gpu"),
            "region": row.text("region"),
            "note": f"1 to {row.number('num_gpus') or 1:g} GPUs",
        }
        stock = {field: row.take(field) for field in ("num_free_devices", "spot_num_free_devices")}
        free, spot_free = (None if count is None else int(count) > 0 for count in stock.values())
        machine["offer_key"] = row.text("workload_type")
        yield {**machine, "available": free, "price_raw": row.price("price_per_hour")}
        if row.need("workload_type") == "container":  # virtual machines are not sold as spot
            yield {**machine, "available": spot_free, "price_kind": PriceKind.SPOT, "price_raw": spot}

    def join(self) -> Iterator[Any]:
        unclear = [facts for _, facts in self.servers if not self.in_dollars(facts)]
        if unclear and self.cards:
            shown = f"{unclear[0]['gpu_name_raw']} {unclear[0]['price_raw']}"
            self.held(f"{shown}: the page's cards do not show that this is in dollars", "jarvislabs:api")
        elif self.servers and self.cards:
            self.skipped("the API answered instead of the page")
            for response, facts in self.servers:
                yield from self.offer(response, price_unit="per gpu-hour", currency="USD", **facts)
            return
        for response, card in self.cards:
            yield from self.offer(
                response,
                instance_type=card["gpu"],
                gpu_name_raw=card["gpu"],
                gpu_count=1.0,
                gpu_memory_gb=float(card["memory"]),
                price_raw=Decimal(card["price"]) or None,
                price_unit="per gpu-hour",
                currency="USD",
            )

    def in_dollars(self, facts: dict[str, Any]) -> bool:
        """Does a card of that name cost about as much? A spot price may be lower, never far above."""
        words, price = set(re.findall(r"\w+", facts["gpu_name_raw"].lower())), facts["price_raw"]
        near = [card for _, card in self.cards if words <= set(re.findall(r"\w+", card["gpu"].lower()))]
        shown = [Decimal(card["price"]) for card in near]
        if price is None or facts.get("price_kind"):
            return price is None or any(price <= value * AGREES_WITHIN for value in shown)
        return any(value / AGREES_WITHIN <= price <= value * AGREES_WITHIN for value in shown)
