"""Azure retail prices: one walk per region over the N series; Linux only.

Three prices of one machine are told apart: on-demand, spot, and the older low priority. A reservation's price
is the total of its term although its unit reads "1 Hour". The source never names the GPU. The data of the
vendor's price pages is read beside it: what it says of a machine's GPUs goes into the note, and its prices of
two regions are held against the list's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote

from scrapy.http import Response

from crawlers.azure_pages import (
    CHECKED,
    DETAILS,
    PRICES,
    REGIONS,
    contradictions,
    gpu_texts,
    machine_key,
    page_prices,
)
from crawlers.parsing import Row, ShapeError, ValueUnreadable
from crawlers.price_spider import Gather, PriceSpider
from warehouse.records import PriceKind

API = "https://prices.azure.com/api/retail/prices?api-version=2023-01-01-preview&currencyCode='USD'&$filter="
SERIES = " or ".join(f"contains(skuName,'{series}')" for series in ("NC", "ND", "NV", "NG"))
FILTER = f"serviceName eq 'Virtual Machines' and armRegionName eq '{{region}}' and ({SERIES})"
FILTER += " and contains(productName,'Windows') eq false"  # half of the rows, and so of the pages
GPU_SERIES = re.compile(r"(Standard_)?N[CDGV]\d*\w*\d")  # NP is FPGAs, NM is video encoders
NOT_LINUX_VM = re.compile(r"Windows$| Win$|Cloud ?Services|Dedicated Host")
SUFFIX = re.compile(r"( Spot| Low Priority| Promo)+$")
UNITS = {"1 Hour": "per instance-hour"}
NO_DISCOUNT = "no discount: the spot price equals the on-demand price"
TERM_MONTHS = {"1 Year": 12, "3 Years": 36, "5 Years": 60}


@dataclass(slots=True)
class Walk:
    """What one region's pages said: on-demand prices (region, machine, price), and spot rows put aside."""

    region: str
    listed: set[tuple[Any, ...]] = field(default_factory=set)
    spot: list[tuple[Any, ...]] = field(default_factory=list)


class AzureSpider(PriceSpider):
    name = "azure"
    title = "Microsoft Azure"
    homepage = "https://azure.microsoft.com/en-us/pricing/details/virtual-machines/linux/"
    price_kinds = ("on_demand", "spot", "low_priority", "reserved", "savings_plan")
    refetch = timedelta(hours=6)
    billing_increment_seconds = 1
    options: ClassVar[dict[str, str]] = {
        "regions": "regions that are asked (armRegionName); default: all public"
    }
    proof = "recorded"
    ignored_fields = """
        unitPrice location effectiveEndDate productId serviceName serviceId serviceFamily savingsPlan
        availabilityId meterName
    """

    def requests(self) -> Iterator[Any]:
        self.gpus: dict[str, str] = {}
        first = Gather(self.ask_regions)
        yield self.get(DETAILS, self.parse_details, source="azure:specs", optional=True, gather=first)

    def parse_details(self, response: Response) -> None:
        self.gpus = gpu_texts(self.row(self.json(response)))

    def ask_regions(self) -> Iterator[Any]:
        for region in self.regions(REGIONS.split()):
            walk = Walk(region)
            last_page = Gather(partial(self.spot_offers, walk))
            url = API + quote(FILTER.format(region=region))
            yield self.get(url, self.parse, walk=walk, gather=last_page)

    def compare(self, walk: Walk, response: Response) -> None:
        """Hold one region's on-demand prices against those of the price page."""
        listed = {machine_key(name): price for _, name, price in walk.listed if price}
        found = contradictions(page_prices(self.row(self.json(response))), listed)
        if found:
            self.partial(f"{walk.region}: {found[0]} ({len(found)} such machines)", "azure:specs")

    def parse(self, response: Response, **kwargs: Any) -> Iterator[Any]:
        answer, walk = self.row(self.json(response)), response.meta["walk"]
        yield from self.each(answer.items("Items"), "Items[]", partial(self.parse_item, response))
        if "NextPageLink" not in answer.data:
            self.partial("field 'NextPageLink' is missing: there may be further pages")
        following = answer.take("NextPageLink")
        if following and not following.startswith("https://prices.azure.com/"):
            raise ShapeError(f"NextPageLink leads away from the source: {following[:80]}")
        if following:
            yield self.get(following, self.parse, walk=walk, gather=response.meta["gather"])

    def spot_offers(self, walk: Walk) -> Iterator[Any]:
        """Spot prices of one region, once its on-demand prices are known; one equal to them says so."""
        for machine, key, spot, unit in walk.spot:
            note = {"note": NO_DISCOUNT} if (*key, spot) in walk.listed else {}
            yield from machine(price_kind=PriceKind.SPOT, price_raw=spot, price_unit=unit, **note)
        if walk.listed and walk.region in CHECKED:
            url, parse = PRICES.format(slug=CHECKED[walk.region]), partial(self.compare, walk)
            yield self.get(url, parse, source="azure:specs", optional=True)

    def parse_item(self, response: Response, row: Row) -> Iterator[Any]:
        arm_name, sku = row.usual("armSkuName"), SUFFIX.sub("", row.text("skuName"))
        sale, product = row.need("type"), row.text("productName")
        if not GPU_SERIES.match(arm_name or sku) or NOT_LINUX_VM.search(product):
            return
        if sale == "DevTestConsumption" or row.take("isPrimaryMeterRegion") is False:
            return
        unit, term = row.text("unitOfMeasure"), row.take("reservationTerm")
        start = row.day("effectiveStartDate")
        tier = row.take("tierMinimumUnits") or 0
        machine = partial(
            self.offer,
            response,
            instance_type=arm_name or sku,
            gpu_name_raw=(arm_name or sku).removeprefix("Standard_").replace(" ", ""),
            region=row.text("armRegionName"),
            currency=row.text("currencyCode"),
            effective_from=start if start and start > self.now.date() else None,
            offer_key="/".join([row.text("meterId"), row.text("skuId"), *([f"{tier}"] if tier else [])]),
            note="; ".join(self.remarks(arm_name or sku, row.need("skuName"))) or None,
        )
        price_unit = UNITS.get(unit, unit)
        if sale == "Reservation":
            price_unit = "per instance-term" if unit in UNITS else unit
            if term not in TERM_MONTHS:
                raise ValueUnreadable(f"Items[]: field 'reservationTerm' is {term!r}, no term that we know")
            yield from machine(
                price_kind=PriceKind.RESERVED,
                term_months=TERM_MONTHS[term],
                price_raw=row.price("retailPrice"),
                price_unit=price_unit,
            )
            return
        kind = price_kind(f"{row.need('skuName')}|{row.text('meterName')}|")
        walk, price = response.meta["walk"], row.price("retailPrice")
        key = (row.text("armRegionName"), arm_name or sku)
        if kind == PriceKind.SPOT:
            walk.spot.append((machine, key, price, price_unit))
            return
        if kind == PriceKind.ON_DEMAND:
            walk.listed.add((*key, price))
        yield from machine(price_kind=kind, price_raw=price, price_unit=price_unit)
        for plan in row.take("savingsPlan") or ():
            plan_row = self.row(plan, "savingsPlan[]")
            yield from machine(
                price_kind=PriceKind.SAVINGS_PLAN,
                term_months=TERM_MONTHS.get(plan_row.need("term"), 0),  # 0: an unknown term, refused
                price_raw=plan_row.price("retailPrice"),
                price_unit=price_unit,
            )

    def remarks(self, name: str, sku: str) -> list[str]:
        gpus = self.gpus.get(machine_key(name))
        return ["promotional price"] * sku.endswith("Promo") + (
            [f"GPU by the price page: {gpus}"] if gpus else []
        )


def price_kind(names: str) -> PriceKind:
    """Kind of a Consumption row, from the ends of its SKU and meter names (each closed by a bar)."""
    if " Spot|" in names:
        return PriceKind.SPOT
    return PriceKind.LOW_PRIORITY if " Low Priority|" in names else PriceKind.ON_DEMAND
