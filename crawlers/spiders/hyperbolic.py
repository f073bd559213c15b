"""Hyperbolic: rental options of its suppliers. A price is the whole option's, which may be several nodes.

`providerCostPerHourCents` is what the supplier gets: it is taken out before anything is kept.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ValueUnreadable
from crawlers.price_spider import PriceSpider
from warehouse.units import gb_to_gib


class HyperbolicSpider(PriceSpider):
    name = "hyperbolic"
    title = "Hyperbolic"
    homepage = "https://www.hyperbolic.ai/marketplace"
    kind = "marketplace"
    first_party = False
    refetch = timedelta(hours=2)
    expected_offers = (6, 60)
    proof = "recorded"
    ignored_fields = "providerCostPerHourCents"
    private_fields = frozenset({"providerCostPerHourCents"})

    def requests(self) -> Iterator[Any]:
        url = "https://api.hyperbolic.xyz/v2/alpha/on-demand/rental-options"
        yield self.get(url, self.parse_options)

    def parse_options(self, response: Response) -> Iterator[Any]:
        options = self.row({"options": self.json(response)}).items("options")
        found = Counter[tuple[tuple[str, Any], ...]]()
        for facts in self.each(options, "options[]", self.option):
            found[tuple(facts.items())] += 1
        for facts, times in found.items():  # equal options repeat: one offer, with their number
            note = f"{times} equal options are listed" if times > 1 else None
            yield from self.offer(response, note=note, **dict(facts))

    def option(self, row: Row) -> Iterator[dict[str, Any]]:
        nodes = [self.row(node, "nodes[]") for node in row.items("nodes")]
        if not nodes:
            raise ValueUnreadable("options[]: field 'nodes' is empty")
        node, price = nodes[0], row.price("costPerHourCents")
        count, total = node.number("gpuCount"), row.number("gpuCount")
        if not count or not total or total % count:
            raise ValueUnreadable(f"options[]: gpuCount {total} is not a multiple of its nodes' {count}")
        gpu, form, net = row.text("gpuType"), row.label("gpuFormFactor"), row.label("connectionType")
        words = [f"{count:g}x", gpu, form, net, row.label("machineType")]
        variant, ram, listed = row.take("ethernetVariant"), node.number("ramGb"), row.take("totalAvailable")
        yield {
            "instance_type": " ".join(word for word in words if word),
            "gpu_name_raw": gpu,
            "gpu_count": count,
            "interconnect": f"{net} {variant}" if net and variant else net,
            "vcpus": node.number("vcpuCount") or node.number("cpuCount"),
            "memory_gib": ram and gb_to_gib(ram),
            "disk_gb": node.number("storageGb"),
            "region": row.label("region"),
            "available": row.usual("enabled"),
            "available_count": listed if isinstance(listed, int) else None,
            "price_raw": price and price / int(total / count),
            "price_unit": "cent per instance-hour",
            "currency": "USD",
            # machines of one name and place may still differ in size
            "offer_key": f"{node.take('cpuModel')}, {node.take('ramGb')} GB, {node.take('storageGb')} GB",
        }
        self.audit(node)
