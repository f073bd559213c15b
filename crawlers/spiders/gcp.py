"""Google Cloud: machines composed from the billing catalogue (with a key), and the price page (without).

The catalogue prices parts; see `crawlers.gcp_catalogue` for how they add up. Some machines have prices on
demand and are not sold that way: they are listed as not available.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.gcp_catalogue import (
    MACHINES,
    NOT_ON_DEMAND,
    PARTS,
    Sale,
    compose,
    hourly_price,
    machine_facts,
    part_of,
    sale_of,
)
from crawlers.gcp_page import PRICES, machine_of, price_in, rows_of, tables
from crawlers.parsing import Row
from crawlers.price_spider import Gather, PriceSpider
from warehouse.records import PriceKind

PAGE_SIZE = 5000
SKUS = "https://cloudbilling.googleapis.com/v1/services/6F81-5844-456A/skus?currencyCode=USD&pageSize=5000"
PAGE = "https://cloud.google.com/products/compute/pricing/accelerator-optimized"
PAGE_REGION = "us-central1"  # what the page shows before another region is chosen
KEY = "GCP_BILLING_API_KEY"


class GcpSpider(PriceSpider):
    name = "gcp"
    title = "Google Cloud"
    homepage = "https://cloud.google.com/compute/all-pricing"
    sources = ("gcp", "gcp:pages")
    price_kinds = ("on_demand", "spot", "flex", "reserved", "savings_plan")
    refetch = timedelta(hours=12)
    credential = ("GCP_BILLING_API_KEY",)
    billing_increment_seconds = 1
    minimum_seconds = 60
    proof = "recorded"
    ignored_fields = "name skuId serviceProviderName geoTaxonomy category"

    def requests(self) -> Iterator[Any]:
        self.prices: dict[tuple[str, Sale], dict[str, Decimal]] = {}
        self.gpu_names: dict[str, str] = {}
        self.answers: dict[tuple[str, Sale], Response] = {}
        yield self.get(PAGE, self.parse_page, source="gcp:pages")
        yield self.sku_page(Gather(self.join))

    def sku_page(self, pages: Gather, token: str = "") -> Any:
        key = self.secret(KEY)
        headers = {"X-Goog-Api-Key": key} if key else None
        url = f"{SKUS}&pageToken={token}" if token else SKUS
        return self.get(url, self.parse_skus, headers=headers, needs=KEY, gather=pages, pages=pages)

    def parse_skus(self, response: Response) -> Iterator[Any]:
        answer = self.row(self.json(response))
        for region, sale, part, price in self.each(answer.items("skus"), "skus[]", self.sku):
            known = self.prices.setdefault((region, sale), {})
            if known.setdefault(part, price) != price:
                self.reject(f"{part} has two prices in {region}: {known[part]} and {price}", {"sale": sale})
            self.answers[region, sale] = response
        if token := answer.take("nextPageToken"):
            yield self.sku_page(response.meta["pages"], token)
        elif len(answer.items("skus")) >= PAGE_SIZE and "nextPageToken" not in answer.data:
            self.partial(f"a full page of {PAGE_SIZE:,} SKUs without nextPageToken")

    def sku(self, row: Row) -> Iterator[tuple[str, Sale, str, Decimal]]:
        description = row.text("description")
        sale = sale_of(description, row.text("category.usageType"))
        part, printed = part_of(description)
        if sale and part is None and row.need("category.resourceGroup") == "GPU":
            self.unused[f"description={printed}"] += 1
        price = hourly_price(row) if sale and part in PARTS else None
        if not sale or not part or not price:
            return
        self.gpu_names.setdefault(part, printed)
        for region in row.items("serviceRegions"):
            yield region, sale, part, price

    def join(self) -> Iterator[Any]:
        for (region, sale), prices in self.prices.items():
            kind, term, mode = sale
            for machine in MACHINES:
                found = compose(machine, prices)
                if not found:
                    continue
                facts = machine_facts(machine, self.gpu_names[f"gpu {machine.gpu}"])
                if mode:
                    facts["offer_key"] = mode
                yield from self.offer(
                    self.answers[region, sale],
                    price_kind=kind,
                    term_months=term,
                    price_raw=found[0],
                    price_unit="per instance-hour",
                    currency="USD",
                    region=region,
                    available=self.available(machine.name, kind),
                    note=f"{mode}; {found[1]}" if mode else found[1],
                    **facts,
                )

    def parse_page(self, response: Response) -> Iterator[Any]:
        for table in tables(response):
            region = table[0] or PAGE_REGION
            parse = partial(self.parse_machine, response, region)
            yield from self.each(rows_of(table), "table row", parse)

    def parse_machine(self, response: Response, region: str, row: Row) -> Iterator[Any]:
        machine = machine_of(row)
        for header, sale in PRICES.items():
            cell = str(row.take(header, ""))
            price, readable = price_in(cell)
            if not readable:
                self.unused[f"{header}={cell}"] += 1
            yield from self.offer(
                response,
                price_raw=price,
                price_unit="per instance-hour",
                currency="USD",
                region=region,
                available=self.available(machine["instance_type"], sale["price_kind"]),
                note=sale.get("offer_key") or (header if "term_months" in sale else None),
                **sale,
                **machine,
            )

    def available(self, machine: str, kind: PriceKind) -> bool | None:
        """False where the machine is listed but not sold on demand; else not stated."""
        return False if kind == PriceKind.ON_DEMAND and NOT_ON_DEMAND.fullmatch(machine) else None
