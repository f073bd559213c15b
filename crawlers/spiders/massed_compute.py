"""Massed Compute: table rows in the pricing page's flight data; prices of whole machines.

A row's key says GPU, count and option ("H100 (80GB)-x 8-3"): options differ in RAM, disk and price. The rows
for phones, with "-mobile-" in their keys, repeat the others. With a key the API answers instead, with
stock per region and spot prices; the page stays for the case that it does not.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.flight import Flight
from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import Gather, PriceSpider
from crawlers.tables import grid_rows, printed_price, printed_size, whole_page
from warehouse.records import PriceKind

KEY = re.compile(r"(?P<gpu>.+)-x (?P<count>\d+)(?:-(?P<option>\d+))?")
API = "https://vm.massedcompute.com/api/v1/gpu-inventory"
CELLS = ["count", "vCPU", "RAM", "Storage", "price", "button"]
COUNT = re.compile(r"(?:^|[_ ])(\d+) ?x(?:[_ ]|$)")
PLACES = "regions_with_capacity_available"
PRICE = re.compile(r"\$ ?(\d+(?:,\d{3})*(?:\.\d{1,4})?) ?/ ?(?:hr|hour)")


class MassedComputeSpider(PriceSpider):
    name = "massed_compute"
    title = "Massed Compute"
    homepage = "https://massedcompute.com/pricing"
    price_kinds = ("on_demand", "spot")
    refetch = timedelta(hours=12)
    expected_offers = (15, 100)
    gpu_spellings: ClassVar[dict[str, str]] = {"DGX A100 (80GB)": "a100-sxm4-80gb"}  # one GPU of a DGX node
    credential = ("MASSEDCOMPUTE_API_KEY",)
    proof = "recorded"
    ignored_fields = "count button"

    def requests(self) -> Iterator[Any]:
        self.rows: list[tuple[Response, dict[str, str]]] = []
        self.inventory = 0
        both, key = Gather(self.join), self.secret("MASSEDCOMPUTE_API_KEY")
        yield self.get("https://massedcompute.com/pricing", self.parse_page, gather=both)
        if key:
            token = {"Authorization": f"Bearer {key}"}
            yield self.get(API, self.parse_api, source="massed_compute:api", headers=token, gather=both)

    def parse_page(self, response: Response) -> Iterator[Any]:
        flight = Flight(whole_page(response))
        all_rows = [(key, line) for key, line in flight.elements("tr") if "-mobile-" not in key]
        found = [(key, line) for key, line in all_rows if KEY.fullmatch(key)]
        strange = [key for key, line in all_rows if not KEY.fullmatch(key) and "$" in flight.words(line)]
        if strange:
            self.partial(f"{len(strange)} rows have a price and another key, the first: {strange[0]!r}")
        lines = [[flight.words(cell) for cell in line["children"]] for _, line in found]
        rows = grid_rows(CELLS, lines, needed=(), where="tr")
        for row, (key, _) in zip(rows, found, strict=True):
            row["key"] = key
            if row["count"] != "×" + str(row_key(key)["count"]):
                raise ShapeError(
                    f"row {key!r}: its first cell is {row['count']!r}, not the count: cells have moved"
                )
        self.rows = [(response, row) for row in rows]
        yield from ()

    def join(self) -> Iterator[Any]:
        if self.inventory:
            self.skipped("the API answered instead of the page")
            return
        for response, row in self.rows:
            yield from self.each([row], "tr", partial(self.parse_row, response))

    def parse_row(self, response: Response, row: Row) -> Iterator[Any]:
        key = row_key(row.text("key"))
        ram = printed_size(row, "RAM")
        yield from self.offer(
            response,
            instance_type=f"{key['count']}x {key['gpu']}",
            gpu_name_raw=key["gpu"],
            gpu_count=float(key["count"]),
            vcpus=row.number("vCPU"),
            memory_gib=ram and ram[0],
            disk_gb=row.number("Storage"),
            price_raw=printed_price(row, "price", PRICE),
            price_unit="per instance-hour",
            currency="USD",
            offer_key=row.text("key"),
        )

    def parse_api(self, response: Response) -> Iterator[Any]:
        inventory = self.row(self.row(self.json(response)).need("gpu_inventory"), "gpu_inventory").data
        for name, machine in inventory.items():
            where = f"gpu_inventory.{name}"
            for offer in self.each([machine], where, partial(self.parse_machine, response, name)):
                self.inventory += 1
                yield offer

    def parse_machine(self, response: Response, name: str, row: Row) -> Iterator[Any]:
        printed, capacity = row.text("instance_type.description"), row.take("capacity_available", True)
        count = COUNT.search(name) or COUNT.search(printed)
        places = [place if isinstance(place, str) else place.get("name") for place in row.items(PLACES)]
        for place in (*places,) or ("",):  # none: sold out
            yield from self.offer(
                response,
                instance_type=name,
                gpu_name_raw=printed,
                gpu_count=float(count[1]) if count else None,
                vcpus=row.number("instance_type.specs.vcpu_count"),
                memory_gib=row.number("instance_type.specs.memory_gib"),
                disk_gb=row.number("instance_type.specs.storage_gb"),
                region=place or None,
                available=bool(place and capacity),
                price_kind=PriceKind.SPOT if "spot" in f"{name} {printed}".lower() else PriceKind.ON_DEMAND,
                price_raw=row.price("instance_type.price_cents_per_hour"),
                price_unit="cent per instance-hour",
                currency="USD",
            )


def row_key(key: str) -> dict[str, str]:
    """GPU, count and option of a row's key."""
    match = KEY.fullmatch(key)
    if not match:
        raise ShapeError(f"row key {key!r} is not '<GPU>-x <count>-<option>'")
    return match.groupdict()
