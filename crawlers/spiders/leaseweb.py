"""Leaseweb public cloud: instance types with hourly and monthly prices as text, EUR.

Known by its description only, which shows no GPU field and no GPU plan: off by default. A type counts as a
GPU machine where its name says so, and then waits for somebody to say which GPU that is.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind

REGION, PAGE = "eu-west-3", 50
URL = f"https://api.leaseweb.com/publicCloud/v1/instanceTypes?region={REGION}&limit={PAGE}&offset="


class LeasewebSpider(PriceSpider):
    name = "leaseweb"
    title = "Leaseweb"
    homepage = "https://www.leaseweb.com/en/products-services/cloud/public-cloud"
    price_kinds = ("on_demand", "subscription")
    refetch = timedelta(hours=24)
    credential = ("LEASEWEB_API_KEY",)
    needs_credential = True
    default_on = False
    proof = "documented"
    terms_note = "terms not read; off until an answer with a GPU has been seen"
    ignored_fields = "resources"

    def requests(self) -> Iterator[Any]:
        yield self.page(0)

    def page(self, offset: int) -> Any:
        headers = {"X-LSW-Auth": self.secret("LEASEWEB_API_KEY") or ""}
        return self.get(f"{URL}{offset}", self.parse_types, headers=headers, offset=offset)

    def parse_types(self, response: Response) -> Iterator[Any]:
        rows = self.row(self.json(response)).items("instanceTypes")
        yield from self.each(rows, "instanceTypes[]", partial(self.parse_type, response))
        if len(rows) == PAGE:
            yield self.page(response.meta["offset"] + PAGE)

    def parse_type(self, response: Response, row: Row) -> Iterator[Any]:
        name = row.text("name")
        if "gpu" not in name.lower():
            return
        machine = {"instance_type": name, "region": REGION, "currency": "EUR"}
        hour, month = row.price("prices.hourly"), row.price("prices.monthly")
        yield from self.offer(response, price_raw=hour, price_unit="per instance-hour", **machine)
        yield from self.offer(
            response,
            price_kind=PriceKind.SUBSCRIPTION,
            term_months=1,
            price_raw=month,
            price_unit="per instance-month (730 h)",
            **machine,
        )
