"""Verda (DataCrunch): list of machine types, stock per location with a key, and the pricing page.

The page alone has clusters and serverless containers; its instances count only where the list is not to be
had. It names some offers twice (two CPU shapes, one price), and its CPU offers have no name.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError, parse_json
from crawlers.price_spider import Gather, PriceSpider
from crawlers.tables import whole_page
from warehouse.records import PriceKind

HOSTS = ("https://api.datacrunch.io/v1", "https://api.verda.com/v1")
PAGE = "https://verda.com/pricing"
NAME = re.compile(r"(?P<count>\d+)x (?P<gpu>.+?(?P<memory>\d+)GB) (?P<tier>.+)")
TIERS = {  # words of the page's description: kind, suffix of the instance type
    "Hourly on-demand instance price": (PriceKind.ON_DEMAND, ""),
    "Hourly spot instance price": (PriceKind.SPOT, ""),
    "Hourly instant cluster price": (PriceKind.ON_DEMAND, ""),
    "Hourly serverless container price": (PriceKind.SERVERLESS, " serverless"),
    "Hourly serverless spot container price": (PriceKind.SERVERLESS, " serverless spot"),
}
KINDS = {"price_per_hour": PriceKind.ON_DEMAND, "spot_price": PriceKind.SPOT}


class VerdaSpider(PriceSpider):
    name = "verda"
    title = "Verda (DataCrunch)"
    homepage = "https://verda.com/pricing"
    price_kinds = ("on_demand", "spot", "serverless")
    sources = ("verda", "verda:page")
    refetch = timedelta(hours=6)
    expected_offers = (60, 600)
    credential = ("VERDA_CLIENT_ID", "VERDA_CLIENT_SECRET")
    proof = "recorded"
    ignored_fields = """
        best_for cpu.description deploy_warning description display_name gpu_memory.description id
        manufacturer memory.description model name storage supported_os dynamic_price serverless_price
        gpu.description @id @type url priceSpecification"""

    def requests(self) -> Iterator[Any]:
        self.types: list[tuple[Response, dict[str, Any]]] = []
        self.listed: list[tuple[Response, dict[str, Any]]] = []
        self.stock: dict[PriceKind, list[tuple[str, set[str]]]] = {}
        self.everything = Gather(self.join)
        types, gather = [f"{host}/instance-types" for host in HOSTS], self.everything
        yield self.get(types[0], self.parse_types, otherwise=types[1:], gather=gather)
        yield self.get(PAGE, self.parse_page, source="verda:page", gather=gather)
        key, secret = map(self.secret, self.credential)
        if not key or not secret:
            self.skipped("set VERDA_CLIENT_ID and VERDA_CLIENT_SECRET to read the stock", "verda:stock")
            return
        login = {"grant_type": "client_credentials", "client_id": key, "client_secret": secret}
        yield self.post(
            f"{HOSTS[0]}/oauth2/token", login, self.parse_token, source="verda:stock", gather=gather
        )

    def parse_types(self, response: Response) -> Iterator[Any]:
        rows = self.json(response)
        if not isinstance(rows, list):
            raise ShapeError(f"{response.url}: expected a list of types, found {type(rows).__name__}")
        for machine in self.each(rows, "types[]", self.machine):
            self.types.append((response, machine))
        yield from ()

    def machine(self, row: Row) -> Iterator[dict[str, Any]]:
        gpus, memory = row.number("gpu.number_of_gpus"), row.number("gpu_memory.size_in_gigabytes")
        row.need("gpu.number_of_gpus")
        if not gpus:
            return
        yield {
            "instance_type": row.text("instance_type"),
            "gpu_name_raw": row.text("name"),
            "gpu_count": gpus,
            "gpu_memory_gb": memory and memory / gpus,
            "vcpus": row.number("cpu.number_of_cores"),
            "memory_gib": row.number("memory.size_in_gigabytes"),
            "interconnect": row.take("p2p") or None,
            "currency": row.text("currency").upper(),
            "prices": {kind: row.price(field) for field, kind in KINDS.items()},
        }

    def parse_page(self, response: Response) -> Iterator[Any]:
        script = whole_page(response).css("script[type='application/ld+json']::text").getall()
        offers = [node for text in script for node in offers_in(parse_json(text, "JSON-LD"))]
        if not offers:
            raise ShapeError(f"{response.url}: no node of @type Offer is in the page's JSON-LD")
        self.listed += [(response, node) for node in offers]
        yield from ()

    def parse_token(self, response: Response) -> Iterator[Any]:
        token = self.row(self.json(response)).text("access_token")
        for kind, query in ((PriceKind.ON_DEMAND, ""), (PriceKind.SPOT, "?is_spot=true")):
            yield self.get(
                f"{HOSTS[0]}/instance-availability{query}",
                self.parse_stock,
                source="verda:stock",
                headers={"Authorization": f"Bearer {token}"},
                gather=self.everything,
                kind=kind,
            )

    def parse_stock(self, response: Response) -> None:
        rows = [self.row(item, "availability[]") for item in self.json(response)]
        places = [(row.text("location_code"), set(row.items("availabilities"))) for row in rows]
        self.stock[response.meta["kind"]] = places

    def join(self) -> Iterator[Any]:
        for response, machine in self.types:
            for kind, price in machine["prices"].items():
                stock = self.stock.get(kind)
                places = [code for code, names in stock or () if machine["instance_type"] in names]
                sold = {field: value for field, value in machine.items() if field != "prices"}
                for place in (*places,) or (None,):  # none: sold out, or the stock was not asked
                    available = None if stock is None else bool(places)
                    yield from self.offer(
                        response,
                        region=place,
                        available=available,
                        price_kind=kind,
                        price_raw=price,
                        price_unit="per instance-hour",
                        **sold,
                    )
        seen: set[tuple[Any, ...]] = set()
        for response, node in self.listed:
            yield from self.each([node], "Offer", partial(self.page_offer, response, seen))

    def page_offer(self, response: Response, seen: set[tuple[Any, ...]], row: Row) -> Iterator[Any]:
        tier, name = TIERS.get(row.text("description")), NAME.fullmatch(row.text("name").strip())
        if tier is None or name is None:  # storage; CPU machines have a tier for a name
            return
        if self.types and "instance price" in row.text("description"):
            return
        once = (row.text("name"), row.price("price"))
        if once in seen:
            return
        seen.add(once)
        unit = row.usual("priceSpecification.unitText", "hour")  # every description says "Hourly" too
        yield from self.offer(
            response,
            instance_type=f"{name['count']}x {name['gpu']}{tier[1]}",
            gpu_name_raw=name["gpu"],
            gpu_count=float(name["count"]),
            gpu_memory_gb=float(name["memory"]),
            price_kind=tier[0],
            price_raw=row.price("price"),
            price_unit={"hour": "per instance-hour"}.get(unit, unit),
            currency=row.text("priceCurrency"),
            note="interruptible" if "spot container" in row.text("description") else None,
        )


def offers_in(node: Any) -> Iterator[dict[str, Any]]:
    """The nodes of ``@type`` Offer with a price, wherever the JSON-LD holds them."""
    if isinstance(node, dict) and node.get("@type") == "Offer" and "price" in node:
        yield node
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from offers_in(value)
