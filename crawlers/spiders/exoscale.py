"""Exoscale: a price list without a key: machine sizes by family, no zone and no GPU count.

How many GPUs a size has is told only by a signed call that is not built here, so these rows wait for a table
of sizes. USD, EUR and CHF are three price lists, not conversions: the USD list is read.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from scrapy.http import Response

from crawlers.price_spider import PriceSpider

FAMILY = re.compile(r"running_(?P<family>gpu[a-z0-9]*)_(?P<size>[a-z0-9-]+)")


class ExoscaleSpider(PriceSpider):
    name = "exoscale"
    title = "Exoscale"
    homepage = "https://www.exoscale.com/pricing/#compute"
    refetch = timedelta(hours=24)
    proof = "documented"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://portal.exoscale.com/api/pricing/opencompute", self.parse_list)

    def parse_list(self, response: Response) -> Iterator[Any]:
        prices = self.row(self.row(self.json(response)).need("usd"), "usd")
        for key in prices.data:
            found = FAMILY.fullmatch(key)
            if found is not None:
                yield from self.offer(
                    response,
                    instance_type=f"{found['family']}.{found['size']}",
                    price_raw=prices.price(key),
                    price_unit="per instance-hour",
                    currency="USD",
                )
