"""Thunder Compute: prices by machine type, sizes in a second answer.

A price holds four virtual CPUs; where a machine's smallest size has more of them, the rest is added.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import Gather, PriceSpider

API = "https://api.thundercompute.com:8443/v1"
SKU = re.compile(r"(?P<gpu>[a-z0-9-]+)_x(?P<count>\d+)_(?:production|prototyping)")
EXTRAS = ("disk_gb", "additional_vcpus", "snapshot_gb")
VCPUS_INCLUDED = 4


class ThunderSpider(PriceSpider):
    name = "thunder"
    title = "Thunder Compute"
    homepage = "https://www.thundercompute.com/pricing"
    refetch = timedelta(hours=6)
    billing_increment_seconds = 60
    proof = "documented"
    ignored_fields = "displayName mode ephemeralStorageGB"

    def requests(self) -> Iterator[Any]:
        self.prices: list[tuple[Response, Row]] = []
        self.specs: dict[str, dict[str, Any]] = {}
        answers = Gather(self.join)
        yield self.get(f"{API}/pricing", self.parse_prices, gather=answers)
        yield self.get(f"{API}/specs", self.parse_specs, source="thunder:specs", gather=answers)

    def parse_prices(self, response: Response) -> None:
        prices = self.row(self.json(response)).need("pricing")
        self.prices = [(response, self.row(prices, "pricing"))]

    def parse_specs(self, response: Response) -> Iterator[Any]:
        specs = self.row(self.row(self.json(response)).need("specs"), "specs").data
        for sku, data in specs.items():
            for facts in self.each([data], f"specs.{sku}", self.spec):
                self.specs[sku] = facts
        yield from ()

    def spec(self, row: Row) -> Iterator[dict[str, Any]]:
        vcpus, ram = row.items("vcpuOptions"), row.number("ramPerVCPUGiB")
        least = float(min(vcpus)) if vcpus else None
        yield {
            "gpu_count": row.number("gpuCount"),
            "gpu_memory_gb": row.number("vramGB"),
            "vcpus": least,
            "memory_gib": least and ram and least * ram,
            "disk_gb": row.number("storageGB") or row.number("ephemeralStorageGB"),
        }

    def join(self) -> Iterator[Any]:
        for response, row in self.prices:
            for key in row.data:
                sku = SKU.fullmatch(key)
                if sku:
                    yield from self.machine(response, row, key, sku)
                elif key not in EXTRAS:
                    self.unused[f"pricing.{key}"] += 1

    def machine(self, response: Response, row: Row, key: str, sku: re.Match[str]) -> Iterator[Any]:
        facts, price, each = self.specs.get(key, {}), row.price(key), row.price("additional_vcpus")
        more = int((facts.get("vcpus") or VCPUS_INCLUDED) - VCPUS_INCLUDED)
        if more > 0 and each is None:
            return  # the price of what it needs at least is not stated
        yield from self.offer(
            response,
            **{
                "instance_type": key,
                "gpu_name_raw": sku["gpu"],
                "gpu_count": float(sku["count"]),
                "price_raw": price and price + max(more, 0) * (each or 0),
                "price_unit": "per instance-hour",
                "currency": "USD",
                "note": f"composed: {price} + {more} vCPUs x {each}" if more > 0 else None,
                **{field: value for field, value in facts.items() if value},
            },
        )
