"""Hetzner: dedicated servers with a GPU (the GEX series) and GPU machines of the server auction.

No answer names the GPU as a part: a GEX server's name tells it, an auction machine's texts do. The prices are
taken as net; a VAT inside them is what rule R4 looks for. An IPv4 address is billed apart.
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

SERVERS = "https://robot-ws.your-server.de/order/server/available_configurations?currency=EUR"
AUCTION = "https://www.hetzner.com/_resources/app/data/app/live_data_sb_EUR.json"
GPU = re.compile(r"(?:GeForce |Quadro )?(?:GTX|RTX)\s?(?:PRO |A)?\d{4}(?: (?:Ada|SFF|Ti|Super|Max-Q))*", re.I)
MONTHLY = {
    "price_kind": PriceKind.SUBSCRIPTION,
    "term_months": 1,
    "price_unit": "per instance-month (730 h)",
}


class HetznerSpider(PriceSpider):
    name = "hetzner"
    title = "Hetzner"
    homepage = "https://www.hetzner.com/dedicated-rootserver/matrix-gpu/"
    price_kinds = ("on_demand", "subscription")
    refetch = timedelta(hours=1)
    proof = "documented"
    ignored_fields = """
        configuration_id configuration cpu ram ram_size hdd_arr hdd_size hdd_hr hdd_count serverDiskData
        fixed_price next_reduce next_reduce_hr next_reduce_timestamp datacenter_hr ip_price specials
        cpu_count is_highio is_ecc traffic bandwidth key name description category cat_id setup_price
    """

    def requests(self) -> Iterator[Any]:
        yield self.get(SERVERS, self.parse_servers)
        yield self.get(AUCTION, self.parse_auction, source="hetzner:auction")

    def parse_servers(self, response: Response) -> Iterator[Any]:
        rows = self.row({"servers": self.json(response)}).items("servers")
        yield from self.each(rows, "servers[]", partial(self.parse_server, response))

    def parse_server(self, response: Response, row: Row) -> Iterator[Any]:
        name = row.text("product_name")
        if not name.startswith("GEX"):
            return
        parts = [self.row(part, "configuration[]") for part in row.items("configuration")]
        sizes = {part.text("type"): part for part in parts}
        ram = sizes["ram"].number("size") if "ram" in sizes else None
        places = self.row(row.need("availabilities"), "availabilities").data
        for place, data in places.items():
            stock = self.row(data, "availabilities.*")
            free, setup = stock.need("quantity"), stock.number("price.setup")
            machine = {
                "instance_type": name,
                "gpu_count": 1.0,
                "vcpus": sizes["cpu"].number("threads") if "cpu" in sizes else None,
                "memory_gib": ram and gb_to_gib(ram),
                "region": place,
                "available": free > 0 if isinstance(free, int) else None,
                "available_count": free if isinstance(free, int) else None,
                "currency": "EUR",
                "offer_key": str(row.need("configuration_id")),
                "note": f"setup fee {setup:g} EUR" if setup else None,
            }
            hour, month = stock.price("price.hourly"), stock.price("price.monthly")
            yield from self.offer(response, price_raw=hour, price_unit="per instance-hour", **machine)
            yield from self.offer(response, price_raw=month, **MONTHLY, **machine)

    def parse_auction(self, response: Response) -> Iterator[Any]:
        rows = self.row(self.json(response)).items("server")
        yield from self.each(rows, "server[]", partial(self.parse_used, response))

    def parse_used(self, response: Response, row: Row) -> Iterator[Any]:
        named = next((found[0] for text in texts(row.data) if (found := GPU.search(text))), None)
        if named is None and "GPU" not in row.items("specials"):
            return
        site, ram = row.text("datacenter"), row.number("ram_size")
        machine = {
            "instance_type": f"auction {row.need('cpu')}",
            "gpu_name_raw": named,
            "gpu_count": 1.0,
            "memory_gib": ram and gb_to_gib(ram),
            "region": site.partition("-DC")[0],
            "available": True,
            "currency": "EUR",
            "offer_key": str(row.need("id")),
            "machine_id": str(row.need("id")),
            "note": f"auction, {site}" + ("" if row.take("fixed_price") else ", the price falls in steps"),
        }
        hour, month = row.price("hourly_price"), row.price("price")
        yield from self.offer(response, price_raw=hour, price_unit="per instance-hour", **machine)
        yield from self.offer(response, price_raw=month, **MONTHLY, **machine)


def texts(data: Any) -> Iterator[str]:
    """All texts in an answer's row, at any depth."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict | list):
        for value in data.values() if isinstance(data, dict) else data:
            yield from texts(value)
