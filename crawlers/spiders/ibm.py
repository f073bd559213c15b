"""IBM Cloud: virtual servers by the global catalogue, worker nodes of clusters by their price list.

Both say what is in a machine by its name only: gx3-24x120x1l40s and gx3.24x120.l40s are 24 vCPU, 120 GiB and
one L40S. Profiles that the catalogue bills by vCPU and memory, not as a whole, are counted and left out.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import quote

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError, ValueUnreadable
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind

CATALOG = "https://globalcatalog.cloud.ibm.com/api/v1"
PROFILES = CATALOG + "?q=kind:vpc-instance-profile%20active:true&include=*&complete=true&_limit=100&_offset="
WORKERS = (
    "https://cloud.ibm.com/containers/cluster-management/api/prices/"
    "?platform=kube&country=USA&provider=vpc-gen2&region="
)
REGIONS = "us-south us-east ca-tor br-sao eu-de eu-es eu-gb jp-tok jp-osa au-syd"
PAGE = 100
NAME = re.compile(r"gx\w*[-.](?P<vcpus>\d+)x(?P<memory>\d+)[x.]\d*(?P<gpu>[a-z]\w*)", re.IGNORECASE)
UNITS = dict.fromkeys(("hour", "hours", "instance-hour", "instance-hours"), "per instance-hour")
MONTHS = {"": None, "none": None, "1 year": 12, "3 years": 36}


class IbmSpider(PriceSpider):
    name = "ibm"
    title = "IBM Cloud"
    homepage = "https://www.ibm.com/cloud/gpu"
    sources = ("ibm", "ibm:workers")
    price_kinds = ("on_demand", "reserved")
    refetch = timedelta(hours=24)
    proof = "documented"
    ignored_fields = "country metric_id tier_model server_type"

    def requests(self) -> Iterator[Any]:
        yield self.profiles(0)
        for region in REGIONS.split():
            yield self.get(WORKERS + region, self.parse_workers, source="ibm:workers", region=region)

    def profiles(self, offset: int) -> Any:
        return self.get(f"{PROFILES}{offset}", self.parse_profiles, offset=offset)

    def parse_profiles(self, response: Response) -> Iterator[Any]:
        answer, offset = self.row(self.json(response)), response.meta["offset"]
        found, total = answer.items("resources"), answer.need("count")
        for row in (self.row(data, "resources[]") for data in found):
            if NAME.fullmatch(name := row.text("name")):
                url = f"{CATALOG}/{quote(row.text('id'), safe='')}/pricing"
                yield self.get(url, self.parse_pricing, profile=name)
        if len(found) == PAGE and offset + PAGE < total:
            yield self.profiles(offset + PAGE)
        else:
            self.check_total(offset + len(found), total, "profiles")

    def parse_pricing(self, response: Response) -> Iterator[Any]:
        answer = self.row(self.json(response))
        metrics = [self.row(data, "metrics[]") for data in answer.items("metrics")]
        hourly = [row.data for row in metrics if row.text("charge_unit_name").startswith("INSTANCE_HOURS")]
        if not hourly:
            self.unused["profiles without a price of the whole instance"] += 1
        region = answer.take("deployment_region")  # absent: the price holds everywhere
        yield from self.each(hourly, "metrics[]", partial(self.parse_metric, response, region))

    def parse_metric(self, response: Response, region: str | None, row: Row) -> Iterator[Any]:
        row.need("effective_from")
        begins, ends = row.day("effective_from"), row.day("effective_until")
        if ends is not None and ends < self.now.date():
            return
        unit = row.price("charge_unit_quantity") or Decimal(1)
        for amount in (self.row(data, "amounts[]") for data in row.items("amounts")):
            if (
                amount.need("country") == "USA"
                and amount.need("currency") == "USD"
                and amount.items("prices")
            ):
                price = self.row(amount.items("prices")[0], "prices[]").price("price")
                yield from self.offer(
                    response,
                    region=region,
                    offer_key=row.text("charge_unit_name"),
                    effective_from=begins if begins and begins > self.now.date() else None,
                    price_raw=price and price / unit,
                    price_unit="per instance-hour",
                    currency="USD",
                    **machine(response.meta["profile"]),
                )

    def parse_workers(self, response: Response) -> Iterator[Any]:
        rows = self.json(response)
        if not isinstance(rows, list):
            raise ShapeError(f"{response.url}: expected a list of flavors, found {type(rows).__name__}")
        yield from self.each(rows, "flavors[]", partial(self.parse_flavor, response))

    def parse_flavor(self, response: Response, row: Row) -> Iterator[Any]:
        flavor, unit = row.text("flavor"), row.text("unit").lower()
        if not NAME.fullmatch(flavor) or row.need("ocp_included"):
            return
        contract = str(row.need("contract_duration") or "").lower()
        if contract not in MONTHS:
            self.unused[f"flavors with contract_duration {contract!r}"] += 1
            return
        price, tiers = row.price("price"), [self.row(tier, "tiers[]") for tier in row.items("tiers")]
        if len({tier.price("price") for tier in tiers if tier.need("instance_hours")} | {price}) > 1:
            raise ValueUnreadable(f"{row.where}: {flavor} costs {price}, and other prices by tier")
        yield from self.offer(
            response,
            region=response.meta["region"],
            price_kind=PriceKind.RESERVED if MONTHS[contract] else PriceKind.ON_DEMAND,
            term_months=MONTHS[contract],
            offer_key=row.text("isolation"),
            note="worker node of a Kubernetes cluster",
            price_raw=price,
            price_unit=UNITS.get(unit, unit),
            currency=row.text("currency"),
            **machine(flavor),
        )


def machine(name: str) -> dict[str, Any]:
    """What a name such as gx3-24x120x1l40s says; its count is read with the tables of machine types."""
    said = NAME.fullmatch(name)
    if said is None:
        raise ValueUnreadable(f"{name!r} does not name a machine with GPUs")
    return {
        "instance_type": name,
        "gpu_name_raw": said["gpu"],
        "vcpus": float(said["vcpus"]),
        "memory_gib": float(said["memory"]),
    }
