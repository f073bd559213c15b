"""RunPod: GraphQL list of GPU types (no key) and, with a key, the REST catalogue with stock per data centre.

A card is sold from two clouds, secure and community; the tier is the offer key. Prices are per GPU. 0 means
not offered; exactly 0.5 is a placeholder unless the cloud says that it sells the card.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import Gather, PriceSpider
from warehouse.records import PriceKind

GRAPHQL = "https://api.runpod.io/graphql"
QUERY = """query { gpuTypes {
  id displayName manufacturer memoryInGb secureCloud communityCloud
  maxGpuCountSecureCloud maxGpuCountCommunityCloud securePrice communityPrice secureSpotPrice
  communitySpotPrice oneMonthPrice threeMonthPrice sixMonthPrice
  secureNow: lowestPrice(input: {gpuCount: 1, secureCloud: true}) { stockStatus }
  communityNow: lowestPrice(input: {gpuCount: 1, secureCloud: false}) { stockStatus }
} }"""
CATALOGUE = "https://api.runpod.io/v2/catalog/gpus?include=AVAILABILITY&product=POD&cloud={cloud}"
PLACEHOLDER = Decimal("0.5")
COUNTS = (1, 2, 4, 8)
TERMS = {"oneMonthPrice": 1, "threeMonthPrice": 3, "sixMonthPrice": 6}
SLICE = re.compile(r"\bMIG (\d+g\.\d+gb)\b")


class RunpodSpider(PriceSpider):
    name = "runpod"
    title = "RunPod"
    homepage = "https://www.runpod.io/pricing"
    price_kinds = ("on_demand", "spot", "reserved", "serverless")
    refetch = timedelta(hours=1)
    expected_offers = (60, 2_000)
    billing_increment_seconds = 1
    credential = ("RUNPOD_API_KEY",)
    gpu_spellings: ClassVar[dict[str, str]] = {
        "Tesla V100": "v100-pcie-16gb",
        "RTX PRO 6000 WK": "rtx-pro-6000-96gb",
        "RTX PRO 6000 MaxQ": "rtx-pro-6000-max-q-96gb",
        "PRO 6000 MIG 24GB": "rtx-pro-6000-96gb",
        "PRO 6000 MIG 48GB": "rtx-pro-6000-96gb",
        "RTX PRO 4500 SE": "rtx-pro-4500-32gb",
    }
    proof = "recorded"
    default_on = False
    terms_note = "said elsewhere to forbid automated access; off until the operator has read the terms"
    ignored_fields = """
        manufacturer pool communityCloud secureCloud communityPrice securePrice communitySpotPrice
        secureSpotPrice clusterPrice oneWeekPrice oneMonthPrice threeMonthPrice sixMonthPrice lowestPrice
        maxGpuCountCommunityCloud maxGpuCountSecureCloud
        communityNow secureNow community secure price dataCenters availability
    """

    def requests(self) -> Iterator[Any]:
        self.listed: list[tuple[Response, list[Any]]] = []
        self.in_catalogue: set[tuple[str, str]] = set()
        both = Gather(self.list_rest)
        yield self.post(GRAPHQL, {"query": QUERY}, self.keep_types, needs="RUNPOD_API_KEY", gather=both)
        key = self.secret("RUNPOD_API_KEY")
        for cloud in ("secure", "community") if key else ():
            url, headers = CATALOGUE.format(cloud=cloud.upper()), {"Authorization": f"Bearer {key}"}
            parse = partial(self.parse_catalogue, cloud)
            yield self.get(url, parse, source="runpod:v2", headers=headers, gather=both)

    def keep_types(self, response: Response) -> None:
        answer = self.row(self.json(response))
        if answer.take("errors"):
            raise ShapeError(f"the query was refused: {str(answer.take('errors'))[:160]}")
        self.listed.append((response, answer.items("data.gpuTypes")))

    def list_rest(self) -> Iterator[Any]:
        """The GraphQL rows; what the catalogue has priced already is left to it, if it can be trusted."""
        if "runpod:v2" in self.reports and self.reports["runpod:v2"].state == "held":
            self.in_catalogue.clear()
        for response, types in self.listed:
            yield from self.each(types, "gpuTypes[]", partial(self.parse_type, response))

    def parse_type(self, response: Response, row: Row) -> Iterator[Any]:
        row.usual("memoryInGb")
        memory, gpu = row.number("memoryInGb"), row.text("id")
        if memory is None and "memoryInGb" in row.data:  # 0: "unknown", which is not a card
            return
        row.need("securePrice"), row.need("communityPrice")
        for cloud, other in (("secure", "community"), ("community", "secure")):
            price = row.price(f"{cloud}Price")
            if price is None or is_placeholder(row, cloud, price, row.price(f"{other}Price")):
                continue
            sold = partial(
                self.machines,
                response,
                most=row.number(f"maxGpuCount{cloud.title()}Cloud"),
                instance_type=gpu,
                gpu_name_raw=row.label("displayName") or gpu,
                gpu_memory_gb=memory,
                partition=slice_of(gpu),
                available=in_stock(row, cloud),
                offer_key=cloud,
                note=f"{cloud} cloud",
            )
            if (gpu, cloud) not in self.in_catalogue:
                yield from sold(price_raw=price)
            spot = row.price(f"{cloud}SpotPrice") if f"{cloud}SpotPrice" in row.data else None
            if spot and spot < price:  # equal: no discount, so no spot market
                yield from sold(price_raw=spot, price_kind=PriceKind.SPOT)
            for field, months in TERMS.items() if cloud == "secure" else ():
                term_price = row.price(field) if row.take(field) else None
                yield from sold(price_raw=term_price, price_kind=PriceKind.RESERVED, term_months=months)

    def parse_catalogue(self, cloud: str, response: Response) -> Iterator[Any]:
        gpus = self.row(self.json(response)).items("gpus")
        yield from self.each(gpus, "gpus[]", partial(self.parse_card, response, cloud))

    def parse_card(self, response: Response, cloud: str, row: Row) -> Iterator[Any]:
        gpu, price = row.text("id"), row.price(f"price.{cloud}")
        card = partial(
            self.machines,
            response,
            most=row.number("maxCount"),
            instance_type=gpu,
            gpu_name_raw=row.label("name") or gpu,
            gpu_memory_gb=row.number("memory"),
            partition=slice_of(gpu),
        )
        if price is not None:
            self.in_catalogue.add((gpu, cloud))
        places = [self.row(data, "dataCenters[]") for data in row.items("dataCenters") or [{"id": None}]]
        for place in places:
            stock = place.take("availability") or row.take("availability")
            yield from card(
                price_raw=price,
                region=place.need("id"),
                available=None if stock is None else stock != "NONE",
                offer_key=cloud,
                note=f"{cloud} cloud",
            )
        if cloud == "secure" and row.take("price.serverless"):
            sale: dict[str, Any] = {"price_kind": PriceKind.SERVERLESS, "offer_key": "serverless", "most": 1}
            yield from card(price_raw=row.price("price.serverless"), **sale)

    def machines(self, response: Response, *, most: float | None, **values: Any) -> Iterator[Any]:
        """One offer for each usual number of GPUs up to `most`; the price per GPU is the same.

        Stock was asked for one GPU: what is there for one may not be there for more.
        """
        for count in COUNTS:
            if count == 2 and values.get("available"):
                values["available"] = None
            if count == 1 or (most and count <= most):
                yield from self.offer(
                    response, gpu_count=float(count), price_unit="per gpu-hour", currency="USD", **values
                )


def is_placeholder(row: Row, cloud: str, price: Decimal, other: Decimal | None) -> bool:
    """Is a price of exactly 0.5 a stand-in for "not sold here"? The cloud's flag decides; where it is not
    given, the card's other price must lie within a factor of three."""
    flag = row.take(f"{cloud}Cloud")
    if price != PLACEHOLDER or flag is not None:
        return flag is False
    return other is None or not price / 3 <= other <= price * 3


def in_stock(row: Row, cloud: str) -> bool | None:
    """Can one GPU be had now? None where the answer does not say; null there means "none left"."""
    now = row.take(f"{cloud}Now")
    return bool(now and now.get("stockStatus")) if f"{cloud}Now" in row.data else None


def slice_of(gpu: str) -> str | None:
    match = SLICE.search(gpu)
    return match[1] if match else None
