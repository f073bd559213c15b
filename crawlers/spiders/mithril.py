"""Mithril: an auction: what machines went for last, by region.

The host is not confirmed and no answer was seen: off by default. The machine types are not described either,
so a row names its type only.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ValueUnreadable, match_number
from crawlers.price_spider import PriceSpider
from crawlers.tables import DOLLARS
from warehouse.records import PriceKind


class MithrilSpider(PriceSpider):
    name = "mithril"
    title = "Mithril"
    homepage = "https://mithril.ai"
    kind = "marketplace"
    price_kinds = ("spot",)
    refetch = timedelta(hours=1)
    credential = ("MITHRIL_API_KEY",)
    needs_credential = True
    default_on = False
    proof = "documented"
    terms_note = "terms not read; off until the host is confirmed"

    def requests(self) -> Iterator[Any]:
        headers = {"Authorization": f"Bearer {self.secret('MITHRIL_API_KEY')}"}
        url = "https://api.mithril.ai/v2/spot/availability"
        yield self.get(url, self.parse_auctions, headers=headers)

    def parse_auctions(self, response: Response) -> Iterator[Any]:
        rows = self.row({"auctions": self.json(response)}).items("auctions")
        yield from self.each(rows, "auctions[]", partial(self.parse_auction, response))

    def parse_auction(self, response: Response, row: Row) -> Iterator[Any]:
        printed = row.need("last_instance_price")
        price = match_number(printed, DOLLARS) if printed else None
        if printed and price is None:
            raise ValueUnreadable(f"auctions[]: last_instance_price {printed!r} is not a price")
        yield from self.offer(
            response,
            instance_type=row.text("instance_type"),
            region=row.text("region"),
            price_kind=PriceKind.SPOT,
            price_raw=price or None,
            price_unit="per instance-hour",
            currency="USD",
        )
