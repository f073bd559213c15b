"""Prime Intellect: machines of many clouds, resold. The price is that of the whole order.

Whether `gpuMemory` is one GPU's or all GPUs' is disputed: the size in the GPU type's own name decides.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind
from warehouse.units import gb_to_gib

API = "https://api.primeintellect.ai/api/v1/availability"
IN_NAME = re.compile(r"_(\d+)GB")
STOCK = {"Low": True, "Medium": True, "High": True, "Available": True, "Unavailable": False}


class PrimeIntellectSpider(PriceSpider):
    name = "prime_intellect"
    title = "Prime Intellect"
    homepage = "https://www.primeintellect.ai"
    kind = "marketplace"
    first_party = False
    price_kinds = ("on_demand", "spot")
    refetch = timedelta(hours=2)
    expected_offers = (200, 2000)
    credential = ("PRIMEINTELLECT_API_KEY",)
    needs_credential = True
    proof = "recorded"
    ignored_fields = """
        region provisioningTime internetSpeed sharedDisk images interconnect disk vcpu.minCount vcpu.maxCount
        vcpu.step vcpu.additionalInfo vcpu.pricePerUnit vcpu.defaultIncludedInPrice memory.minCount
        memory.maxCount memory.step memory.additionalInfo memory.pricePerUnit memory.defaultIncludedInPrice
        prices.isVariable
    """

    def requests(self) -> Iterator[Any]:
        headers = {"Authorization": f"Bearer {self.secret('PRIMEINTELLECT_API_KEY')}"}
        for path, source in (("gpus", "prime_intellect"), ("multi-node", "prime_intellect:multi_node")):
            url = f"{API}/{path}?page={{page}}&page_size=100"
            yield self.paged(url, self.parse_page, source=source, headers=headers)

    def parse_page(self, response: Response) -> Iterator[Any]:
        answer = self.row(self.json(response))
        rows, total = answer.items("items"), answer.need("totalCount")
        yield from self.each(rows, "items[]", partial(self.parse_item, response))
        more = response.meta["read"] + len(rows) < total
        yield from self.next_page(response, len(rows), more=more, total=total, what="machines")

    def parse_item(self, response: Response, row: Row) -> Iterator[Any]:
        machine, gpu, socket = row.text("cloudId"), row.text("gpuType"), row.label("socket")
        count, ram, stock = row.price("gpuCount"), row.number("memory.defaultCount"), row.take("stockStatus")
        site, country = row.label("dataCenter"), row.label("country")
        if site and country and not site.startswith(f"{country}-"):
            site = f"{site}, {country}"  # the upstream's own name, which means nothing without it
        upstream, security, prepaid = row.take("provider"), row.take("security"), row.take("prepaidTime")
        if stock is not None and stock not in STOCK:
            self.unused[f"stockStatus={stock}"] += 1
        settled = machine.startswith("NVIDIA ") or not socket  # NVIDIA's own full name says the form factor
        price, community = row.price("prices.onDemand"), row.take("prices.communityPrice")
        yield from self.offer(
            response,
            instance_type=machine,
            gpu_name_raw=gpu if settled else f"{gpu} {socket}",
            gpu_count=count and float(count),
            gpu_memory_gb=memory_of_one(gpu, row.number("gpuMemory"), float(count or 1)),
            interconnect=row.take("interconnectType") or None,
            vcpus=row.number("vcpu.defaultCount"),
            memory_gib=ram and gb_to_gib(ram),
            region=site or country,
            price_kind=PriceKind.SPOT if row.usual("isSpot") else PriceKind.ON_DEMAND,
            available=STOCK.get(str(stock)),
            price_raw=price if price is not None else row.price("prices.communityPrice") and community,
            price_unit="per instance-hour",
            currency=row.text("prices.currency"),
            offer_key=f"{upstream} {security or ''} {country or ''}".strip(),
            note=f"resold from {upstream}" + (f", prepaid time {prepaid}" if prepaid else ""),
        )


def memory_of_one(gpu: str, stated: float | None, count: float) -> float | None:
    """Memory of one GPU; None where the statement fits neither one GPU nor all of them."""
    named = IN_NAME.search(gpu)
    if stated is None or count == 1 or named is None:
        return stated if count == 1 else None
    size = float(named[1])
    return size if round(stated / size) in (1, count) else None
