"""Vultr: cloud GPU plans (mostly slices), whole-GPU VMs, bare metal; stock per region.

Only vcg plans name their GPU; for the others the id does. A plan's VRAM is that of all its GPUs together, so
the count follows from the card's own memory; below one card it is a slice.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from functools import partial
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import Gather, PriceSpider
from warehouse.records import PriceKind
from warehouse.units import MIB_PER_GIB

API = "https://api.vultr.com/v2"
LISTS = {
    "plans": (f"{API}/plans?type=vcg&per_page=500", f"{API}/plans?type=vdm&per_page=500"),
    "plans_metal": (f"{API}/plans-metal?per_page=500",),
}
METAL_ID = re.compile(r".+gb-(?:(?P<count>\d+)-)?(?P<gpu>[a-z0-9]+)-gpu")
VM_ID = re.compile(r"(?:.*-)?(?P<gpu>[a-z]+\d+\w*)-\d+c-\d+g-(?P<vram>\d+)vram")
CARD_GB = {
    "a16": 16,
    "a40": 48,
    "l40s": 48,
    "a100": 80,
    "h100": 80,
    "gh200": 96,
    "b200": 192,
    "mi300x": 192,
    "mi325x": 256,
}


class VultrSpider(PriceSpider):
    name = "vultr"
    title = "Vultr"
    homepage = "https://www.vultr.com/pricing/#cloud-gpu"
    price_kinds = ("on_demand", "spot", "subscription")
    refetch = timedelta(hours=1)
    gpu_spellings: ClassVar[dict[str, str]] = {"l40": "l40s-48gb"}
    proof = "recorded"
    ignored_fields = """
        physical_cpus cpu_count cpu_cores cpu_model cpu_mhz cpu_vendor cpu_manufacturer bandwidth type
        monthly_cost_preemptible storage_type location_cost invoice_type
    """

    def requests(self) -> Iterator[Any]:
        self.plans: list[tuple[Response, dict[str, Any], list[dict[str, Any]]]] = []
        self.stock: dict[str, set[str]] = {}
        lists = Gather(self.ask_stock)
        for field, urls in LISTS.items():
            for url in urls:
                yield self.list_page(url, field, lists)

    def list_page(self, url: str, field: str, lists: Gather, cursor: str = "", read: int = 0) -> Any:
        following = partial(self.list_page, url, field, lists)
        address = f"{url}&cursor={cursor}" if cursor else url
        return self.get(address, self.parse_plans, gather=lists, field=field, read=read, following=following)

    def parse_plans(self, response: Response) -> Iterator[Any]:
        answer, field = self.row(self.json(response)), response.meta["field"]
        rows = answer.items(field)
        for machine, sales in self.each(rows, field + "[]", self.plan):
            self.plans.append((response, machine, sales))
        cursor, read = answer.take("meta.links.next"), response.meta["read"] + len(rows)
        if cursor and rows:
            yield response.meta["following"](cursor=cursor, read=read)
        else:
            self.check_total(read, answer.take("meta.total"), "plans")

    def plan(self, row: Row) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        name, disk = row.text("id"), row.number("disk")
        metal, gpu = METAL_ID.fullmatch(name), self.gpu(name, row)
        if gpu is None:
            return
        machine = {
            "instance_type": name,
            **gpu,
            "vcpus": row.number("vcpu_count") or row.number("cpu_threads"),
            "memory_gib": row.number("ram", per=MIB_PER_GIB),
            "disk_gb": disk * (row.number("disk_count") or 1) if disk else None,
        }
        month = "per instance-month (672 h)" if metal else "per instance-month (730 h)"
        cells = {
            "hourly_cost": (PriceKind.ON_DEMAND, "per instance-hour", row.take("deploy_ondemand")),
            "monthly_cost": (PriceKind.SUBSCRIPTION, month, row.take("deploy_ondemand")),
            "hourly_cost_preemptible": (PriceKind.SPOT, "per instance-hour", row.take("deploy_preemptible")),
        }
        prices = {field: row.price(field) for field in cells if field in row.data or field == "hourly_cost"}
        sales = []
        for region in row.items("locations"):  # none: not sold anywhere
            local = self.row(row.take(f"location_cost.{region}") or {}, f"location_cost.{region}")
            for field in prices:
                kind, unit, sold = cells[field]
                price = local.price(field) if field in local.data else prices[field]
                if sold is not False:
                    sales.append(
                        {"region": region, "price_kind": kind, "price_raw": price, "price_unit": unit}
                    )
        yield machine, sales

    def gpu(self, name: str, row: Row) -> dict[str, Any] | None:
        """The GPUs of a plan; None for plans without any."""
        metal, vm = METAL_ID.fullmatch(name), VM_ID.fullmatch(name)
        model, stated, vram = row.take("gpu_type"), row.take("gpu_count"), row.number("gpu_vram_gb")
        if metal:
            return {"gpu_name_raw": model or metal["gpu"], "gpu_count": float(metal["count"] or 1)}
        model = model or (vm and vm["gpu"])
        if not model:
            return None
        vram = vram or (float(vm["vram"]) if vm else None)
        card = CARD_GB.get(model.lower().removeprefix("nvidia_").removeprefix("amd_"))
        count = float(Fraction(str(stated))) if stated else vram / card if vram and card else None
        each = vram / count if vram and count else None
        is_slice = vram and count and count < 1
        return {
            "gpu_name_raw": model,
            "gpu_count": count,
            "gpu_memory_gb": each,
            "partition": f"{vram:g} GB of {each:g} GB" if is_slice else None,
        }

    def ask_stock(self) -> Iterator[Any]:
        stock = Gather(self.join)
        regions = sorted({sale["region"] for _, _, sales in self.plans for sale in sales})
        yield from [
            self.get(
                f"{API}/regions/{region}/availability",
                self.parse_stock,
                source="vultr:availability",
                gather=stock,
                region=region,
            )
            for region in regions
        ]

    def parse_stock(self, response: Response) -> None:
        plans = self.row(self.json(response)).items("available_plans")
        self.stock[response.meta["region"]] = set(plans)

    def join(self) -> Iterator[Any]:
        for response, machine, sales in self.plans:
            for sale in sales:
                here = self.stock.get(sale["region"])
                available = None if here is None else machine["instance_type"] in here
                yield from self.offer(response, available=available, currency="USD", **sale, **machine)
