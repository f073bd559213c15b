"""Google's region carbon data: per year a CSV with grid intensity and Google's carbon-free share (CFE).

Before 2021 the intensity is that of the whole life cycle, later that of operation: the header says which.
The grid's intensity holds for every cloud in that place; the carbon-free share is Google's own purchase.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.csv_tables import SURPLUS, csv_rows
from crawlers.parsing import Row, ShapeError, ValueUnreadable, decimal
from crawlers.price_spider import PriceSpider

YEARLY = (
    "https://raw.githubusercontent.com/GoogleCloudPlatform/region-carbon-info/main/data/yearly/{year}.csv"
)
FIRST_YEAR, LAST_KNOWN_YEAR = 2019, 2024
REGION, PLACE, FREE = "Google Cloud Region", "Location", "Google CFE"
INTENSITY = re.compile(r"(?P<lifecycle>Lifecycle )?grid carbon intensity \((?P<unit>.+)\)", re.IGNORECASE)


class GoogleRegionCarbonSpider(PriceSpider):
    name = "google_region_carbon"
    title = "Google region carbon data"
    homepage = "https://github.com/GoogleCloudPlatform/region-carbon-info"
    kind = "reference"
    price_kinds = ("grid_carbon",)
    refetch = timedelta(days=30)
    proof = "recorded"
    terms_note = "Apache-2.0"

    def requests(self) -> Iterator[Any]:
        for year in range(FIRST_YEAR, self.now.year):
            later = year > LAST_KNOWN_YEAR
            yield self.get(YEARLY.format(year=year), self.parse_year, year=year, optional=later)

    def parse_year(self, response: Response) -> Iterator[Any]:
        rows = csv_rows(response, needed=(REGION, PLACE, FREE))
        if not rows:
            raise ShapeError(f"{response.url}: no row below the headers")
        found = [(name, match) for name in rows[0] if (match := INTENSITY.fullmatch(name))]
        if len(found) != 1:
            raise ShapeError(f"{response.url}: column 'Grid carbon intensity (unit)' is missing")
        yield from self.each(rows, REGION, partial(self.parse_region, response, *found[0]))

    def parse_region(self, response: Response, header: str, form: re.Match[str], row: Row) -> Iterator[Any]:
        if row.take(SURPLUS):
            raise ValueUnreadable(f"{row.where}: more cells than headers: {row.data}")
        share, intensity = decimal(row.need(FREE)), decimal(row.need(header))
        if intensity is not None:
            yield from self.carbon(
                response,
                provider="gcp",
                region=row.text(REGION),
                location=row.text(PLACE),
                intensity_raw=intensity,
                intensity_unit=form["unit"],
                basis="lifecycle" if form["lifecycle"] else None,
                carbon_free_share=None if share is None else float(share),
                period=str(response.meta["year"]),
            )
