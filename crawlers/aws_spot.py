"""AWS's spot prices: the public list with the advisor's bands, and with a key the prices of each zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.aws_answers import NO_BAND, Band, Place, spot_advice, spot_prices
from crawlers.aws_live import (
    KEY,
    SPOT_PAGE,
    TYPES_PAGE,
    accelerators,
    ec2_address,
    ec2_answer,
    ec2_signature,
    is_accelerated,
    rows_under,
    zone_region,
)
from crawlers.parsing import Row, price
from crawlers.price_spider import Gather, PriceSpider
from warehouse.records import PriceKind

SPOT = "https://website.spot.ec2.aws.a2z.com/spot.json"
ADVISOR = "https://spot-bid-advisor.s3.amazonaws.com/spot-advisor-data.json"
SPOT_UNITS = {"perhr": "per instance-hour"}
LINUX = ("Linux/UNIX", "Linux/UNIX (Amazon VPC)")
SPECS_REGION = "us-east-1"  # has every machine type
FARTHEST_FROM_ADVISOR = Decimal("0.25")


class AwsSpot(PriceSpider):
    """The spot half of the AWS spider; `listed` is filled by the other half."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.listed: dict[Place, Decimal] = {}  # on-demand price by region and machine type
        self.spot: list[dict[str, Any]] = []
        self.live: list[tuple[Response, str, Row]] = []  # answer, zone, row
        self.advice: dict[Place, tuple[Decimal, Band]] = {}
        self.specs: dict[str, dict[str, Any]] = {}

    def ask_spot(self, regions: Iterable[str], gather: Gather) -> Iterator[Any]:
        """All spot requests; those that are signed only where there is a key."""
        yield self.get(SPOT, self.parse_spot, source="aws:spot", gather=gather)
        yield self.get(ADVISOR, self.parse_advisor, source="aws:spot_advisor", gather=gather)
        if not self.secret(KEY):
            self.skipped(f"set {KEY} and its secret to read it", "aws:spot_live")
            return
        yield self.ask_ec2(SPECS_REGION, "DescribeInstanceTypes", self.parse_specs, "aws:specs", gather)
        for region in regions:
            parse = self.parse_history
            yield self.ask_ec2(region, "DescribeSpotPriceHistory", parse, "aws:spot_live", gather)

    def ask_ec2(
        self, region: str, action: str, parse: Any, source: str, gather: Gather, token: str = ""
    ) -> Any:
        """A signed request for one page of an EC2 list."""
        parameters = {"MaxResults": str(TYPES_PAGE)}
        if action == "DescribeSpotPriceHistory":  # from now on: the price that each zone has
            now = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
            parameters = {"MaxResults": str(SPOT_PAGE), "ProductDescription.1": LINUX[0], "StartTime": now}
        following = partial(self.ask_ec2, region, action, parse, source, gather)
        url = ec2_address(region, action, parameters, token)
        sign = ec2_signature(region)
        return self.get(url, parse, source=source, gather=gather, needs=KEY, sign=sign, following=following)

    def parse_spot(self, response: Response) -> None:
        for unit, place, machine in spot_prices(self.row(self.json(response))):
            paid = price(str(machine["price"]).replace("N/A*", "N/A"))
            sale = {"price_raw": paid, "price_unit": SPOT_UNITS.get(unit, unit)}
            self.spot.append(
                {"response": response, "instance_type": machine["name"], "region": place, **sale}
            )

    def parse_advisor(self, response: Response) -> None:
        self.advice = spot_advice(self.row(self.json(response)))

    def parse_specs(self, response: Response) -> Iterator[Any]:
        answer = ec2_answer(response)
        for item in rows_under(answer, "InstanceTypes", "InstanceTypeSet"):
            row = self.row(item, "InstanceTypes[]")
            found = accelerators(row)
            if found:
                self.specs[row.text("InstanceType")] = found
        yield from self.next_ec2_page(response, answer)

    def parse_history(self, response: Response) -> Iterator[Any]:
        answer = ec2_answer(response)
        for item in rows_under(answer, "SpotPriceHistory", "SpotPriceHistorySet"):
            row = self.row(item, "SpotPriceHistory[]")
            if row.need("ProductDescription") in LINUX and is_accelerated(row.text("InstanceType")):
                self.live.append((response, row.text("AvailabilityZone"), row))
        yield from self.next_ec2_page(response, answer)

    def next_ec2_page(self, response: Response, answer: Row) -> Iterator[Any]:
        token = answer.take("NextToken")
        if token:
            yield response.meta["following"](token)

    def join_spot(self) -> Iterator[Any]:
        """Prices of zones; then those of the list, where no zone of that region speaks for itself."""
        self.check_specs()
        spoken = {(zone_region(zone), row.text("InstanceType")) for _, zone, row in self.live}
        for response, zone, row in self.live:
            yield from self.each([row.data], "SpotPriceHistory[]", partial(self.zone_price, response, zone))
        far = 0
        for sale in self.spot:
            place = (sale["region"], sale["instance_type"])
            share, band = self.advice.get(place, (None, NO_BAND))
            listed, paid = self.listed.get(place), sale["price_raw"]
            if place in spoken:
                continue
            if paid and share and listed and abs(paid / (listed * share) - 1) > FARTHEST_FROM_ADVISOR:
                far += 1
                continue
            sold = {"price_kind": PriceKind.SPOT, "currency": "USD", **self.band(band)}
            yield from self.offer(**sold, **sale)
        if far:
            told = f"{far:,} of {len(self.spot):,} prices are over 25 % off what the advisor says: left out"
            self.partial(told, "aws:spot")

    def zone_price(self, response: Response, zone: str, row: Row) -> Iterator[Any]:
        name, region = row.text("InstanceType"), zone_region(zone)
        _, band = self.advice.get((region, name), (None, NO_BAND))
        row.take("ProductDescription"), row.take("AvailabilityZone")
        yield from self.offer(
            response,
            instance_type=name,
            region=region,
            offer_key=zone,
            price_kind=PriceKind.SPOT,
            price_raw=row.price("SpotPrice"),
            price_unit="per instance-hour",
            currency="USD",
            note=f"zone {zone}, at this price since {row.text('Timestamp')[:16]}",
            **self.band(band),
            **self.specs.get(name, {}),
        )

    def band(self, band: Band) -> dict[str, Any]:
        """The advisor's band as fields of an offer."""
        return dict(zip(("interruption_rate_low", "interruption_rate_high"), band, strict=True))

    def check_specs(self) -> None:
        """Hold the counts of the price files against those of the machine types, where both were read."""
        machines = {
            machine["instance_type"]: machine["gpu_count"]
            for machine in getattr(self, "machines", {}).values()
        }
        contradicted = [
            f"{name}: {count:g} GPUs in the price file, {self.specs[name]['gpu_count']:g} here"
            for name, count in sorted(machines.items())
            if count and name in self.specs and self.specs[name]["gpu_count"] not in (None, count)
        ]
        if contradicted:
            more = f" (and {len(contradicted) - 1} more)" if len(contradicted) > 1 else ""
            self.partial(contradicted[0] + more, "aws:specs")
