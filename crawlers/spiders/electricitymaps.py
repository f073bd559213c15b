"""Electricity Maps: carbon intensity of a grid zone in the hour that runs. Optional: needs a token.

A free token opens one zone; the list of zones, asked with the token, says which. Where a zone is not known
the service answers for the caller's own place instead: an answer for another zone than asked is not used.
Known from its documentation only.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from scrapy.http import Response

from crawlers.parsing import ShapeError, decimal
from crawlers.price_spider import PriceSpider

ZONES = "https://api.electricitymap.org/v3/zones"
LATEST = "https://api.electricitymap.org/v3/carbon-intensity/latest?zone={zone}"
ROUTE = "carbon-intensity/latest"
TOKEN = "ELECTRICITYMAPS_TOKEN"


class ElectricitymapsSpider(PriceSpider):
    name = "electricitymaps"
    title = "Electricity Maps"
    homepage = "https://portal.electricitymaps.com/docs/getting-started"
    kind = "reference"
    price_kinds = ("grid_carbon",)
    refetch = timedelta(hours=6)
    credential = ("ELECTRICITYMAPS_TOKEN",)
    needs_credential = True
    default_on = False
    terms_note = "free tokens are for personal use; off until the operator switches it on"
    ignored_fields = "updatedAt createdAt estimationMethod flowTraced temporalGranularity _disclaimer"

    def requests(self) -> Iterator[Any]:
        yield self.get(ZONES, self.parse_zones, headers=self.token(), needs=TOKEN)

    def token(self) -> dict[str, str]:
        """The header that opens the service."""
        return {"auth-token": self.secret(TOKEN) or ""}

    def parse_zones(self, response: Response) -> Iterator[Any]:
        zones = self.json(response)
        if not isinstance(zones, dict) or not zones:
            raise ShapeError(f"{response.url}: expected an object of zones, found {str(zones)[:60]!r}")
        for zone, facts in zones.items():
            routes = self.row(facts, f"zone {zone!r}").items("access")
            if ROUTE in routes or "*" in routes:
                url = LATEST.format(zone=quote(zone))
                yield self.get(url, self.parse_latest, headers=self.token(), needs=TOKEN, zone=zone)

    def parse_latest(self, response: Response) -> Iterator[Any]:
        row = self.row(self.json(response))
        asked, zone = response.meta["zone"], row.text("zone")
        if zone != asked:
            raise ShapeError(f"{response.url}: asked for zone {asked!r}, answered for {zone!r}")
        intensity, moment = decimal(row.need("carbonIntensity")), row.text("datetime")
        if intensity is None:
            return
        estimated = row.take("isEstimated")
        yield from self.carbon(
            response,
            region=zone,
            intensity_raw=intensity,
            intensity_unit="gCO2eq/kWh",
            basis=row.take("emissionFactorType"),
            period=moment,
            note="estimated by the source" if estimated else None,
        )
        self.audit(row)
