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
from warehouse.units import mib_to_gib

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
        monthly_cost_preemptible storage_type vcpu_count locations location_cost invoice_type
    """

    def requests(self) -> Iterator[Any]:
        self.plans: list[tuple[Response, Row, dict[str, Any]]] = []
        self.stock: dict[str, set[str]] = {}
        lists = Gather(self.ask_stock)
        for field, urls in LISTS.items():
            for url in urls:
                yield self.get(url, self.parse_plans, gather=lists, field=field, start=url, read=0)

    def parse_plans(self, response: Response) -> Iterator[Any]:
        answer, meta = self.row(self.json(response)), response.meta
        rows = answer.items(meta["field"])
        for data in rows:
            row = self.row(data, meta["field"] + "[]")
            machine = self.machine(row)
            if machine:
                self.plans.append((response, row, machine))
        cursor, read = answer.take("meta.links.next"), meta["read"] + len(rows)
        if cursor and rows:
            url = f"{meta['start']}&cursor={cursor}"
            yield self.get(
                url,
                self.parse_plans,
                gather=meta["gather"],
                field=meta["field"],
                start=meta["start"],
                read=read,
            )
        else:
            self.check_total(read, answer.take("meta.total"), "plans")

    def machine(self, row: Row) -> dict[str, Any]:
        """The machine of a GPU plan; empty for plans without a GPU."""
        name, vram = row.text("id"), row.number("gpu_vram_gb")
        metal, vm = METAL_ID.fullmatch(name), VM_ID.fullmatch(name)
        gpu, stated = row.take("gpu_type"), row.take("gpu_count")
        if metal:
            gpu, count, vram = gpu or metal["gpu"], float(metal["count"] or 1), None
        elif gpu or vm:
            gpu, vram = gpu or vm["gpu"], vram or float(vm["vram"])
            card = CARD_GB.get(gpu.lower().removeprefix("nvidia_").removeprefix("amd_"))
            count = float(Fraction(str(stated))) if stated else vram / card if card else None
        else:
            return {}
        ram, disk = row.number("ram"), row.number("disk")
        slice_of = f"{vram:g} GB of {vram / count:g} GB" if vram and count and count < 1 else None
        return {
            "instance_type": name,
            "gpu_name_raw": gpu,
            "gpu_count": count,
            "gpu_memory_gb": vram / count if vram and count else None,
            "partition": slice_of,
            "vcpus": row.number("vcpu_count") or row.number("cpu_threads"),
            "memory_gib": mib_to_gib(ram) if ram else None,
            "disk_gb": disk * (row.number("disk_count") or 1) if disk else None,
        }

    def ask_stock(self) -> Iterator[Any]:
        regions = sorted({region for _, row, _ in self.plans for region in row.items("locations")})
        if not regions:
            return
        stock = Gather(self.join)
        requests = [
            self.get(
                f"{API}/regions/{region}/availability",
                self.parse_stock,
                source="vultr:availability",
                gather=stock,
                region=region,
            )
            for region in regions
        ]
        yield from requests

    def parse_stock(self, response: Response) -> None:
        plans = self.row(self.json(response)).items("available_plans")
        self.stock[response.meta["region"]] = set(plans)

    def join(self) -> Iterator[Any]:
        for response, row, machine in self.plans:
            yield from self.each([row.data], row.where, partial(self.sell, response, machine))

    def sell(self, response: Response, machine: dict[str, Any], row: Row) -> Iterator[Any]:
        metal = METAL_ID.fullmatch(machine["instance_type"])
        month = "per instance-month (672 h)" if metal else "per instance-month (730 h)"
        for region in row.items("locations"):  # none: not sold anywhere
            available = machine["instance_type"] in self.stock[region] if region in self.stock else None
            here = self.row(
                {**row.data, **(row.take(f"location_cost.{region}") or {})}, f"{row.where} {region}"
            )
            sold = partial(
                self.offer, response, region=region, available=available, currency="USD", **machine
            )
            if row.take("deploy_ondemand") is not False:
                yield from sold(price_raw=here.price("hourly_cost"), price_unit="per instance-hour")
                yield from sold(
                    price_raw=here.price("monthly_cost"),
                    price_unit=month,
                    price_kind=PriceKind.SUBSCRIPTION,
                    term_months=1,
                )
            if (
                row.take("deploy_preemptible") is not False
                and row.take("hourly_cost_preemptible") is not None
            ):
                yield from sold(
                    price_raw=here.price("hourly_cost_preemptible"),
                    price_unit="per instance-hour",
                    price_kind=PriceKind.SPOT,
                )
