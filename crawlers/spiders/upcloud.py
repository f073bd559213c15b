"""UpCloud: GPU plans. Prices, sizes and stock are three answers; sold-out plans are priced too.

A month is billed up to 672 hours.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import Gather, PriceSpider
from warehouse.records import PriceKind
from warehouse.units import MIB_PER_GIB

API = "https://api.upcloud.com/1.3"
PLAN = re.compile(r"GPU-(?P<spot>SPOT-)?(?P<vcpus>\d+)xCPU-(?P<ram>\d+)GB-(?P<count>\d+)x(?P<gpu>[A-Z0-9]+)")


class UpcloudSpider(PriceSpider):
    name = "upcloud"
    title = "UpCloud"
    homepage = "https://upcloud.com/pricing/#gpu-servers"
    price_kinds = ("on_demand", "spot")
    refetch = timedelta(hours=6)
    credential = ("UPCLOUD_TOKEN",)
    needs_credential = True
    proof = "recorded"
    ignored_fields = "storage_tier public_traffic_out"

    def requests(self) -> Iterator[Any]:
        self.zones: list[tuple[Response, Row]] = []
        self.plans: dict[str, dict[str, Any]] = {}
        self.stock: dict[str, dict[str, Any]] | None = None
        headers, answers = {"Authorization": f"Bearer {self.secret('UPCLOUD_TOKEN')}"}, Gather(self.join)
        for path, parse, source in (
            ("price", self.parse_prices, "upcloud"),
            ("plan", self.parse_plans, "upcloud:plans"),
            ("device/availability", self.parse_stock, "upcloud:stock"),
        ):
            yield self.get(f"{API}/{path}", parse, source=source, headers=headers, gather=answers)

    def parse_prices(self, response: Response) -> None:
        zones = self.row(self.json(response)).items("prices.zone")
        self.zones = [(response, self.row(zone, "prices.zone[]")) for zone in zones]

    def parse_plans(self, response: Response) -> Iterator[Any]:
        rows = self.row(self.json(response)).items("plans.plan")
        for name, facts in self.each(rows, "plans.plan[]", self.plan):
            self.plans[name] = facts
        yield from ()

    def plan(self, row: Row) -> Iterator[tuple[str, dict[str, Any]]]:
        count, disk = row.number("gpu_amount"), row.number("storage_size")
        if count:
            yield (
                row.text("name"),
                {
                    "gpu_name_raw": row.text("gpu_model"),
                    "gpu_count": count,
                    "vcpus": row.number("core_number"),
                    "memory_gib": row.number("memory_amount", per=MIB_PER_GIB),
                    "disk_gb": disk,
                },
            )

    def parse_stock(self, response: Response) -> None:
        zones = self.row(self.json(response)).data
        self.stock = {zone: self.row(data, zone).take("gpu_plans") or {} for zone, data in zones.items()}

    def join(self) -> Iterator[Any]:
        for response, zone in self.zones:
            region = zone.text("name")
            for key in zone.data:
                name = key.removeprefix("server_plan_")
                if name != key and (name in self.plans or PLAN.fullmatch(name)):
                    yield from self.parse_price(response, region, name, self.row(zone.take(key), key))

    def parse_price(self, response: Response, region: str, name: str, row: Row) -> Iterator[Any]:
        here = None if self.stock is None else self.row(self.stock.get(region, {}).get(name) or {}, name)
        free = here and here.take("amount", 0)
        yield from self.offer(
            response,
            instance_type=name,
            region=region,
            price_kind=PriceKind.SPOT if "SPOT" in name else PriceKind.ON_DEMAND,
            available=free > 0 if isinstance(free, int) else None,
            available_count=free if isinstance(free, int) else None,
            price_raw=row.price("price"),
            price_unit="cent per instance-hour",
            currency="EUR",
            **(self.plans.get(name) or named(name)),
        )
        row.take("amount")
        self.audit(row)


def named(plan: str) -> dict[str, Any]:
    """What a plan's name says, for a plan that the list of plans does not hold."""
    found = PLAN.fullmatch(plan)
    sizes = {"gpu_count": "count", "vcpus": "vcpus", "memory_gib": "ram"}
    facts = {field: float(found[group]) for field, group in sizes.items()} if found else {}
    return {"gpu_name_raw": found["gpu"] if found else None, **facts}
