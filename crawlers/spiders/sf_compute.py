"""SF Compute: the traded average of each day per GPU, in the home page's flight data; the newest day counts.

A day without trades reads 0; the lowest trade ("bottom") may be a cent and says nothing.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.flight import Flight
from crawlers.parsing import Row, ValueUnreadable
from crawlers.price_spider import PriceSpider
from crawlers.tables import whole_page


class SfComputeSpider(PriceSpider):
    name = "sf_compute"
    title = "SF Compute"
    homepage = "https://sfcompute.com/"
    kind = "marketplace"
    refetch = timedelta(hours=12)
    expected_offers = (1, 6)
    proof = "recorded"
    ignored_fields = "top bottom"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://sfcompute.com/", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        prices = self.row(Flight(whole_page(response)).value("pricesByHardwareType"), "pricesByHardwareType")
        for model in prices.data:
            days = [self.row(day, model) for day in prices.items(model)]
            newest = max(days, key=lambda day: day.text("date"), default=None)
            if newest is not None:
                yield from self.each([newest.data], model, partial(self.parse_day, response, model))

    def parse_day(self, response: Response, model: str, row: Row) -> Iterator[Any]:
        date = row.text("date").removeprefix("$D")
        try:
            day = datetime.fromisoformat(date)
        except ValueError:
            raise ValueUnreadable(f"{model}: date {date!r} is not a time") from None
        yield from self.offer(
            response,
            instance_type=model,
            gpu_name_raw=model,
            gpu_count=1.0,
            price_raw=row.price("avg"),
            price_unit="per gpu-hour",
            currency="USD",
            observed_at=min(day, self.now),
            note=f"market average of {date[:10]}",
        )
