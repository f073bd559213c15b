"""Voltage Park: bare metal per location, one price with Ethernet and one with InfiniBand between the nodes.

Prices stand while the free count is 0: listed, not available. The answer names a location by its id only.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import PriceSpider
from warehouse.units import gb_to_gib


class VoltageParkSpider(PriceSpider):
    name = "voltage_park"
    title = "Voltage Park"
    homepage = "https://www.voltagepark.com/pricing"
    refetch = timedelta(hours=2)
    expected_offers = (1, 20)
    proof = "recorded"
    ignored_fields = """
        specs_per_node.cpu_model reserved_gpu_count_infiniband_cluster_one
        reserved_gpu_count_infiniband_cluster_two
    """

    def requests(self) -> Iterator[Any]:
        yield self.get("https://cloud-api.voltagepark.com/api/v1/bare-metal/locations", self.parse_locations)

    def parse_locations(self, response: Response) -> Iterator[Any]:
        answer = self.row(self.json(response))
        rows = answer.items("results")
        yield from self.each(rows, "results[]", partial(self.parse_location, response))
        if answer.need("has_next"):  # how the next page is asked for is not documented
            self.partial("there are further pages, which are not read")
        self.check_total(len(rows), answer.take("total_result_count"), "locations")

    def parse_location(self, response: Response, row: Row) -> Iterator[Any]:
        gpu, count = row.text("specs_per_node.gpu_model"), row.price("specs_per_node.gpu_count")
        ram = row.number("specs_per_node.ram_gb")
        for net in ("ethernet", "infiniband"):
            free, field = row.usual(f"gpu_count_{net}"), f"gpu_price_{net}"
            nodes = int(free // count) if isinstance(free, int) and count else None
            yield from self.offer(
                response,
                instance_type=f"{count:g}x {gpu} {net}" if count else f"{gpu} {net}",
                gpu_name_raw=gpu,
                gpu_count=count and float(count),
                interconnect=net,
                vcpus=row.number("specs_per_node.cpu_count"),
                memory_gib=ram and gb_to_gib(ram),
                disk_gb=row.number("specs_per_node.storage_gb"),
                region=row.text("id"),
                available=None if nodes is None else nodes > 0,
                available_count=nodes,
                price_raw=row.usual_price(field) if free is None else row.price(field),
                price_unit="per gpu-hour",
                currency="USD",
            )
