"""Cyclenerd's price file of Google Cloud: machine types by region, composed from Google's SKUs.

Compiled by another party and licensed Apache-2.0; a row is as old as the file says it is. Here it serves as
the check of the prices that the spider of Google Cloud composes itself.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from scrapy.http import Response

from crawlers.outline import read_outline
from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind

URL = "https://raw.githubusercontent.com/Cyclenerd/google-cloud-pricing-cost-calculator/master/pricing.yml"
MONTH = "per instance-month (730 h)"
GPU = re.compile(r"[a-z]+\d+[a-z]*(?:-[a-z0-9]+)*")  # a100, a100-80gb, l4; beside them stand cpu, ram, cost
LAST_PART = "storage"  # the parts of the file are in alphabetical order: without it the end is missing


class GcostsCatalogSpider(PriceSpider):
    name = "gcosts_catalog"
    title = "Cyclenerd GCP price file"
    homepage = "https://github.com/Cyclenerd/google-cloud-pricing-cost-calculator"
    kind = "reference"
    first_party = False
    price_kinds = ("on_demand", "spot", "reserved")
    refetch = timedelta(hours=24)
    default_on = False
    proof = "documented"
    terms_note = (
        "Apache-2.0. Compiled list: off by default, for it only fills gaps and checks composed prices; "
        "switch it on where Google Cloud cannot be crawled"
    )
    ignored_fields = "month month_spot type"

    def requests(self) -> Iterator[Any]:
        yield self.get(URL, self.parse_file)

    def parse_file(self, response: Response) -> Iterator[Any]:
        answer = self.row(read_outline(response.body.decode("utf-8"), response.url), "pricing.yml")
        answer.need(LAST_PART)
        made = answer.number("about.timestamp")
        if made is None:
            raise ShapeError(f"{response.url}: field 'about.timestamp' is missing: when was the file made?")
        types = self.row(answer.need("compute.instance"), "compute.instance").data
        for name, facts in types.items():
            row = self.row(facts, f"compute.instance.{name}")
            gpu = next(filter(GPU.fullmatch, row.data), None)
            if gpu is not None:
                yield from self.machine(response, row, name, gpu, datetime.fromtimestamp(made, UTC))

    def machine(self, response: Response, row: Row, name: str, gpu: str, made: datetime) -> Iterator[Any]:
        values = {
            "provider": "gcp",
            "observed_at": made,
            "instance_type": name,
            "gpu_name_raw": gpu,
            "gpu_count": row.number(gpu),
            "vcpus": row.number("cpu"),
            "memory_gib": row.number("ram"),
            "currency": "USD",
            "note": "compiled by gcosts (Cyclenerd) from Google's SKUs",
        }
        regions = self.row(row.need("cost"), f"{name} cost").data
        self.audit(row)
        places = ({"region": region, **self.row(cost, region).data} for region, cost in regions.items())
        yield from self.each(places, "cost", lambda cost: self.prices(response, cost, values))

    def prices(self, response: Response, cost: Row, values: dict[str, Any]) -> Iterator[Any]:
        values = {**values, "region": cost.text("region")}
        hour = "per instance-hour"
        yield from self.offer(response, price_raw=cost.price("hour"), price_unit=hour, **values)
        spot = cost.price("hour_spot") if "hour_spot" in cost.data else None
        yield from self.offer(response, price_raw=spot, price_unit=hour, price_kind=PriceKind.SPOT, **values)
        for field, months in (("month_1y", 12), ("month_3y", 36)):
            yield from self.offer(
                response,
                price_kind=PriceKind.RESERVED,
                term_months=months,
                price_raw=cost.price(field) if field in cost.data else None,
                price_unit=MONTH,
                **values,
            )
