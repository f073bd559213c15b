"""Latitude.sh: bare metal and virtual machines by site, with three ways to pay: by hour, month and year.

USD and BRL are two price lists, not a conversion; the BRL list is for customers in Brazil and is left out.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind
from warehouse.units import gb_to_gib

API = "https://api.latitude.sh"
PRICES: dict[str, dict[str, Any]] = {
    "hour": {"price_unit": "per instance-hour"},
    "month": {
        "price_kind": PriceKind.SUBSCRIPTION,
        "term_months": 1,
        "price_unit": "per instance-month (730 h)",
    },
    "year": {"price_kind": PriceKind.SUBSCRIPTION, "term_months": 12, "price_unit": "per instance-term"},
}


class LatitudeSpider(PriceSpider):
    name = "latitude"
    title = "Latitude.sh"
    homepage = "https://www.latitude.sh/pricing"
    price_kinds = ("on_demand", "subscription")
    refetch = timedelta(hours=6)
    credential = ("LATITUDE_API_KEY",)
    needs_credential = True
    proof = "recorded"
    ignored_fields = """
        id type attributes.name attributes.features attributes.specs.drives attributes.specs.nics
        attributes.specs.cpu.type attributes.specs.cpu.clock attributes.regions
    """

    def requests(self) -> Iterator[Any]:
        key = self.secret("LATITUDE_API_KEY")
        headers = {"Authorization": f"Bearer {key}", "Api-Version": "2023-06-01"}
        for path, source in (("plans", "latitude"), ("plans/virtual_machines", "latitude:vm")):
            url = f"{API}/{path}?filter%5Bgpu%5D=true"
            yield self.get(url, self.parse_plans, source=source, headers=headers)

    def parse_plans(self, response: Response) -> Iterator[Any]:
        rows = self.row(self.json(response)).items("data")
        yield from self.each(rows, "data[]", partial(self.parse_plan, response))

    def parse_plan(self, response: Response, row: Row) -> Iterator[Any]:
        if not row.usual("attributes.specs.gpu"):  # {} on plans without one
            return
        specs = "attributes.specs."
        cores, ram = row.number(specs + "cpu.cores"), row.number(specs + "memory.total")
        count = row.price(specs + "gpu.count")
        machine = {
            "instance_type": row.text("attributes.slug"),
            "gpu_name_raw": row.text(specs + "gpu.type"),
            "gpu_count": count and float(count),
            "gpu_memory_gb": row.number(specs + "gpu.vram_per_gpu"),
            "interconnect": row.take(specs + "gpu.interconnect") or None,
            "vcpus": cores and cores * (row.number(specs + "cpu.count") or 1),
            "memory_gib": ram and gb_to_gib(ram),
        }
        for region in row.items("attributes.regions"):
            yield from self.parse_region(response, machine, self.row(region, "regions[]"))

    def parse_region(self, response: Response, machine: dict[str, Any], row: Row) -> Iterator[Any]:
        sites, stocked = row.items("locations.available"), row.items("locations.in_stock")
        for site in dict.fromkeys([*sites, *stocked]):
            sold = {"region": site, "available": site in stocked, "currency": "USD"}
            for period, terms in PRICES.items():
                field = f"pricing.USD.{period}"
                price = row.price(field) if period == "hour" else row.usual_price(field)
                yield from self.offer(response, price_raw=price, **terms, **sold, **machine)
