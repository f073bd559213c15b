"""TensorDock: GPUs of many hosts, priced by component; with a key per location, without one the older list.

The price is composed at the reference shape of `crawlers.composed` for one GPU. An account without a deposit
is shown no location at all, so an empty list is a fault and no sell-out.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.composed import DISK_PER_GPU, RAM_PER_GPU, VCPUS_PER_GPU, Shape, clipped, composed
from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import PriceSpider
from warehouse.units import gb_to_gib

LOCATIONS = "https://dashboard.tensordock.com/api/v2/locations"
HOSTS = "https://marketplace.tensordock.com/api/v0/client/deploy/hostnodes"


class TensordockSpider(PriceSpider):
    name = "tensordock"
    title = "TensorDock"
    homepage = "https://www.tensordock.com/cloud-gpus.html"
    kind = "marketplace"
    refetch = timedelta(hours=2)
    credential = ("TENSORDOCK_API_TOKEN",)
    proof = "recorded"
    ignored_fields = "network_features specs.cpu.type tier id"

    def requests(self) -> Iterator[Any]:
        key = self.secret("TENSORDOCK_API_TOKEN")
        if key:
            yield self.get(LOCATIONS, self.parse_locations, headers={"Authorization": f"Bearer {key}"})
        else:
            yield self.get(HOSTS, self.parse_hosts)

    def parse_locations(self, response: Response) -> Iterator[Any]:
        locations = self.row(self.json(response)).items("data.locations")
        if not locations:
            raise ShapeError("data.locations is empty: an account without a deposit is shown none")
        for item in locations:
            place = self.row(item, "locations[]")
            region = ", ".join(filter(None, (place.label("city"), place.label("country")))) or None
            parse = partial(self.parse_gpu, response, region, place.text("id"))
            place.take("stateprovince")
            yield from self.each(place.items("gpus"), "gpus[]", parse)
            self.audit(place)

    def parse_gpu(self, response: Response, region: str | None, location: str, row: Row) -> Iterator[Any]:
        stated = [row.price(f"resources.max_{part}") for part in ("vcpus", "ram_gb", "storage_gb")]
        most = [float(limit) if limit else None for limit in stated]
        prices = {
            "gpu": row.price("price_per_hr"),
            "vcpu": row.price("pricing.per_vcpu_hr"),
            "ram": row.price("pricing.per_gb_ram_hr"),
            "disk": row.price("pricing.per_gb_storage_hr"),
        }
        names = {"instance_type": row.text("v0Name"), "gpu_name_raw": row.text("displayName")}
        free = row.price("max_count")
        sold = {"region": region, "offer_key": location, "available": bool(free), **names}
        yield from self.machine(response, most, prices, sold)

    def parse_hosts(self, response: Response) -> Iterator[Any]:
        hosts = self.row(self.row(self.json(response)).need("hostnodes"), "hostnodes").data
        for key, host in hosts.items():
            yield from self.each([host], "hostnodes.*", partial(self.parse_host, response, key))

    def parse_host(self, response: Response, key: str, row: Row) -> Iterator[Any]:
        parts = {"vcpu": "cpu", "ram": "ram", "disk": "storage"}
        most = [row.number(f"specs.{part}.amount") for part in parts.values()]
        prices = {name: row.price(f"specs.{part}.price") for name, part in parts.items()}
        place = row.need("location")
        for gpu, data in self.row(row.need("specs.gpu"), "specs.gpu").data.items():
            card = self.row(data, "specs.gpu.*")
            free, vram = card.price("amount"), card.number("vram")
            sold = {
                "region": self.where(place),
                "offer_key": key,
                "machine_id": key,
                "available": bool(free),
                "available_count": int(free or 0),
                "instance_type": gpu,
                "gpu_name_raw": gpu,
                "gpu_memory_gb": vram,
            }
            yield from self.machine(response, most, {"gpu": card.price("price"), **prices}, sold)

    def where(self, place: Any) -> str | None:
        """The location of a host, whose form is not documented: city and country, or a text."""
        if not isinstance(place, dict):
            return str(place) if place else None
        row = self.row(place, "location")
        return ", ".join(filter(None, (row.label("city"), row.label("country")))) or None

    def machine(
        self, response: Response, most: list[float | None], prices: dict[str, Any], sold: dict[str, Any]
    ) -> Iterator[Any]:
        wanted = (VCPUS_PER_GPU, RAM_PER_GPU, DISK_PER_GPU)
        sizes = [clipped(size, None, limit) for size, limit in zip(wanted, most, strict=True)]
        price, note = composed(Shape(1, *sizes), prices)
        yield from self.offer(
            response,
            gpu_count=1.0,
            vcpus=sizes[0],
            memory_gib=gb_to_gib(sizes[1]),
            disk_gb=sizes[2],
            price_raw=price,
            price_unit="per instance-hour",
            currency="USD",
            note=note,
            **sold,
        )
