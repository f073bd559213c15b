"""Cloud Carbon Footprint: one yearly grid factor per region of AWS, Azure and Google, compiled by hand.

Azure's regions are display names ("West US 2"). Some rows have lost a digit or slipped by a cell: a factor
that no grid can have, or a row longer than its header, is set aside.
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

FACTORS = (
    "https://raw.githubusercontent.com/cloud-carbon-footprint/ccf-coefficients/main/data/"
    "grid-emissions-factors-{cloud}.csv"
)
CLOUDS = ("aws", "azure", "gcp")
INTENSITY = re.compile(r"CO2e \((?P<unit>.+)\)")


class CcfGridFactorsSpider(PriceSpider):
    name = "ccf_grid_factors"
    title = "Cloud Carbon Footprint grid factors"
    homepage = "https://github.com/cloud-carbon-footprint/ccf-coefficients"
    kind = "reference"
    first_party = False
    sources = ("ccf_grid_factors:aws", "ccf_grid_factors:azure", "ccf_grid_factors:gcp")
    price_kinds = ("grid_carbon",)
    refetch = timedelta(days=30)
    proof = "recorded"
    terms_note = "Apache-2.0"

    def requests(self) -> Iterator[Any]:
        for cloud in CLOUDS:
            url, source = FACTORS.format(cloud=cloud), f"{self.name}:{cloud}"
            yield self.get(url, self.parse_cloud, source=source, cloud=cloud)

    def parse_cloud(self, response: Response) -> Iterator[Any]:
        rows = csv_rows(response, needed=("Region", "Source"))
        if not rows:
            raise ShapeError(f"{response.url}: no row below the headers")
        found = [(name, match["unit"]) for name in rows[0] if (match := INTENSITY.fullmatch(name))]
        if len(found) != 1:
            raise ShapeError(f"{response.url}: column 'CO2e (unit)' is missing")
        yield from self.each(rows, "Region", partial(self.parse_region, response, *found[0]))

    def parse_region(self, response: Response, header: str, unit: str, row: Row) -> Iterator[Any]:
        if row.take(SURPLUS) is not None:
            raise ValueUnreadable(f"{row.where} {row.take('Region')!r}: more cells than headers")
        factor = decimal(row.need(header))
        if factor is not None:
            grid = row.take("NERC Region")
            yield from self.carbon(
                response,
                provider=response.meta["cloud"],
                region=row.text("Region"),
                location=row.take("Location") or row.take("Country"),
                intensity_raw=factor,
                intensity_unit=unit,
                note=f"factor of {row.text('Source')}" + (f", grid {grid}" if grid else ""),
            )
