"""European Central Bank: euro reference rates of the day. Base EUR: units of a currency per one euro."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from typing import Any
from xml.etree import ElementTree

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError
from crawlers.price_spider import PriceSpider

DAILY = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml"
CUBE = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}Cube"


class EcbFxSpider(PriceSpider):
    name = "ecb_fx"
    title = "European Central Bank reference rates"
    homepage = "https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates/"
    kind = "reference"
    price_kinds = ("exchange_rate",)
    refetch = timedelta(hours=24)
    expected_offers = (25, 45)
    proof = "recorded"
    terms_note = "free reuse with the source named"

    def requests(self) -> Iterator[Any]:
        yield self.get(DAILY, self.parse_daily)

    def parse_daily(self, response: Response) -> Iterator[Any]:
        try:
            root = ElementTree.fromstring(response.body)
        except ElementTree.ParseError as error:
            raise ShapeError(f"{response.url}: the answer is not whole XML ({error})") from None
        days = [cube for cube in root.iter(CUBE) if "time" in cube.attrib]
        if not days:
            raise ShapeError(f"{response.url}: no Cube with attribute 'time'")
        for day in days:
            rate_date = date.fromisoformat(day.attrib["time"])
            rates = [dict(cube.attrib) for cube in day]
            dollar = False
            for rate in self.each(rates, "Cube", partial(self.parse_rate, response, rate_date)):
                dollar |= rate.currency == "USD"
                yield rate
            if not dollar:
                raise ShapeError(
                    f"{response.url}: {rate_date} has no rate of currency 'USD'; nothing converts without it"
                )

    def parse_rate(self, response: Response, rate_date: date, row: Row) -> Iterator[Any]:
        currency, rate = row.text("currency"), row.price("rate")
        if rate is not None:
            yield from self.rate(response, rate_date=rate_date, currency=currency, units_per_eur=rate)
