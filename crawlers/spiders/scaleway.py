"""Scaleway: product catalogue (prices), servers list (sizes, a second reading of the price), stock per zone.

GPU products are priced per minute, others per hour: the unit is read, never assumed. The catalogue and the
servers list are checked against one another; where only one of them knows a machine, its price is taken.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.parsing import Row, decimal
from crawlers.price_spider import Gather, PriceSpider
from warehouse.units import BYTES_PER_GB, BYTES_PER_GIB, parse_price_unit

API = "https://api.scaleway.com"
CATALOGUE = (
    API + "/product-catalog/v2alpha1/public-catalog/products?product_types=instance&zone=ZONE"
    "&page={page}&page_size=1000&status=public_beta&status=preview&status=general_availability"
    "&status=end_of_new_features"
)
SERVERS = API + "/instance/v1/zones/ZONE/products/servers?page={page}&per_page=100"
STOCK = API + "/instance/v1/zones/ZONE/products/servers/availability?page={page}&per_page=100"
ZONES = [f"{city}-{number}" for city in ("fr-par", "nl-ams", "pl-waw") for number in (1, 2, 3)] + ["it-mil-1"]
UNITS = {"minute": "per instance-minute", "hour": "per instance-hour"}
AVAILABLE = {"available": True, "scarce": True, "shortage": False}

Place = tuple[str, str]  # zone, instance type


class ScalewaySpider(PriceSpider):
    name = "scaleway"
    title = "Scaleway"
    homepage = "https://www.scaleway.com/en/gpu-instances/"
    refetch = timedelta(hours=1)
    expected_offers = (12, 80)
    gpu_spellings: ClassVar[dict[str, str]] = {"P100": "p100-pcie-16gb", "H100": "h100-pcie-80gb"}
    credential = ("SCW_SECRET_KEY",)
    options: ClassVar[dict[str, str]] = {"regions": "zones that are asked; default: all"}
    proof = "recorded"
    ignored_fields = """
        sku service_category product_category product variant description badges status properties.hardware
        properties.instance alt_names arch volumes_constraint per_volume_constraint capabilities network
        scratch_storage_max_volumes_count block_bandwidth monthly_price gpu_info.gpu_manufacturer"""

    def requests(self) -> Iterator[Any]:
        self.products: dict[Place, tuple[Response, dict[str, Any]]] = {}
        self.servers: dict[Place, tuple[Response, dict[str, Any]]] = {}
        self.stock: dict[Place, bool | None] = {}
        everything, key = Gather(self.join), self.secret("SCW_SECRET_KEY")
        token = {"X-Auth-Token": key} if key else None
        lists: list[tuple[str, Any, dict[str, Any]]] = [
            (CATALOGUE, self.parse_catalogue, {}),
            (SERVERS, self.parse_servers, {"source": "scaleway:servers"}),
            (
                STOCK,
                self.parse_stock,
                {"source": "scaleway:stock", "needs": "SCW_SECRET_KEY", "headers": token},
            ),
        ]
        for zone in self.regions(ZONES):
            for url, parse, options in lists:
                yield self.paged(url.replace("ZONE", zone), parse, gather=everything, zone=zone, **options)

    def parse_catalogue(self, response: Response) -> Iterator[Any]:
        answer = self.row(self.json(response))
        rows, total = answer.items("products"), answer.need("total_count")
        for place, facts in self.each(rows, "products[]", self.product):
            self.products[place] = (response, facts)
        more = response.meta["read"] + len(rows) < total
        yield from self.next_page(response, len(rows), more=more, total=total, what="catalogue products")

    def product(self, row: Row) -> Iterator[tuple[Place, dict[str, Any]]]:
        gpus = row.number("properties.hardware.gpu.count")
        if gpus is None or row.usual("status") == "retired":  # retired ranges stay listed, some at price 0
            return
        units, nanos = (
            decimal(row.need(f"price.retail_price.{part}")) or Decimal(0) for part in ("units", "nanos")
        )
        unit, size = row.text("unit_of_measure.unit"), row.number("unit_of_measure.size") or 1
        yield (
            (row.text("locality.zone"), row.text("properties.instance.offer_id")),
            {
                "gpu_name_raw": row.text("properties.hardware.gpu.type"),
                "gpu_count": gpus,
                "vcpus": row.number("properties.hardware.cpu.virtual.count"),
                "memory_gib": row.number("properties.hardware.ram.size", per=BYTES_PER_GIB),
                "price_raw": (units + nanos.scaleb(-9)) / Decimal(str(size)) or None,
                "price_unit": UNITS.get(unit, unit),
                "currency": row.text("price.retail_price.currency_code"),
            },
        )

    def parse_servers(self, response: Response) -> Iterator[Any]:
        servers = self.servers_of(response)
        for name, server in servers.items():
            for facts in self.each([server], "servers." + name, self.server):
                self.servers[response.meta["zone"], name] = (response, facts)
        yield from self.more(response, len(servers))

    def server(self, row: Row) -> Iterator[dict[str, Any]]:
        if not row.need("gpu"):
            return
        yield {
            "gpu_name_raw": row.text("gpu_info.gpu_name"),
            "gpu_count": row.number("gpu"),
            "gpu_memory_gb": row.number("gpu_info.gpu_memory", per=BYTES_PER_GIB),
            "vcpus": row.number("ncpus"),
            "memory_gib": row.number("ram", per=BYTES_PER_GIB),
            "disk_gb": row.number("scratch_storage_max_size", per=BYTES_PER_GB),
            "partition": row.take("mig_profile"),
            "price_raw": row.price("hourly_price"),
            "price_unit": "per instance-hour",
            "currency": "EUR",  # the servers list names none; the vendor bills in euros
            "note": "end of service announced" if row.take("end_of_service") else None,
        }

    def parse_stock(self, response: Response) -> Iterator[Any]:
        servers = self.servers_of(response)
        for name, server in servers.items():
            stock = self.row(server, "servers." + name).need("availability")
            self.stock[response.meta["zone"], name] = AVAILABLE.get(stock)
            if stock not in AVAILABLE:
                self.unused[f"availability={stock}"] += 1
        yield from self.more(response, len(servers))

    def servers_of(self, response: Response) -> dict[str, Any]:
        servers = self.row(self.json(response)).need("servers")
        return self.row(servers, "servers").data

    def more(self, response: Response, rows: int) -> Iterator[Any]:
        """These two lists say in headers how they go on and how long they are."""
        more = b'rel="next"' in (response.headers.get("Link") or b"")
        total = (response.headers.get("X-Total-Count") or b"").decode()
        stated = int(total) if total.isdigit() else None
        yield from self.next_page(response, rows, more=more, total=stated, what="server types")

    def join(self) -> Iterator[Any]:
        for place, (response, facts) in self.products.items():
            server = self.servers.pop(place)[1] if place in self.servers else {}
            self.compare(place, facts, server)
            yield from self.machine(response, place, {**server, **facts})
        for place, (response, facts) in self.servers.items():  # the servers list alone knows these
            yield from self.machine(response, place, facts)

    def machine(self, response: Response, place: Place, facts: dict[str, Any]) -> Iterator[Any]:
        zone, name = place
        sold = {"instance_type": name, "region": zone, "available": self.stock.get(place), "offer_key": name}
        yield from self.offer(response, **sold, **facts)

    def compare(self, place: Place, product: dict[str, Any], server: dict[str, Any]) -> None:
        """Hold the run where the two lists contradict one another: one of the units was misread."""
        listed, unit = server.get("price_raw"), product["price_unit"]
        if not listed or not product["price_raw"] or unit not in UNITS.values():
            return
        hourly = product["price_raw"] / parse_price_unit(unit).hours(None)
        if abs(hourly / listed - 1) > Decimal("0.01"):
            prices = f"{hourly:.4f} an hour by unit_of_measure in the catalogue, {listed} in the servers list"
            self.held(f"{place[1]} in {place[0]}: {prices}")
