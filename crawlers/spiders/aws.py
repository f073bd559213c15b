"""AWS: one price file per region (hundreds of MB, read on disk), savings plans, spot, Capacity Blocks.

A machine type has dozens of rows (tenancies, licences, Capacity Blocks that look like on-demand): only
plain shared Linux is taken. The files never name the GPU: the type does. Spot: `crawlers.aws_spot`.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urljoin

from scrapy.http import Response

from crawlers import aws_regions
from crawlers.aws_answers import block, block_rows
from crawlers.aws_files import machine_of, plan_rates, read_price_list
from crawlers.aws_spot import AwsSpot
from crawlers.parsing import Row, ValueUnreadable, price
from crawlers.price_spider import Gather
from warehouse.records import PriceKind

HOST = "https://pricing.us-east-1.amazonaws.com"
INDEX = f"{HOST}/offers/v1.0/aws/index.json"
PLANS = f"{HOST}/savingsPlan/v1.0/aws/AWSComputeSavingsPlan/current/region_index.json"
BLOCKS = "https://aws.amazon.com/ec2/capacityblocks/pricing/"
CURRENT = f"{HOST}/offers/v1.0/aws/AmazonEC2/current/{{region}}/index.csv"
UNITS = {"Hrs": "per instance-hour"}
YEARS = {"1yr": 12, "3yr": 36}
PLAN_TERMS = {"1 year": 12, "3 year": 36}


class AwsSpider(AwsSpot):
    name = "aws"
    title = "Amazon Web Services"
    homepage = "https://aws.amazon.com/ec2/pricing/on-demand/"
    sources = ("aws", "aws:savings_plans", "aws:spot", "aws:spot_live", "aws:capacity_blocks")
    price_kinds = ("on_demand", "spot", "reserved", "savings_plan", "capacity_block")
    refetch = timedelta(hours=1)
    billing_increment_seconds = 1
    minimum_seconds = 60
    credential = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    options: ClassVar[dict[str, str]] = {
        "regions": 'regions whose price files (300 MB each) and live spot prices are read, or ["all"]'
    }
    proof = "recorded"
    ignored_fields = "sku length"

    def requests(self) -> Iterator[Any]:
        self.price_files: dict[str, list[str]] = {}
        self.plan_files: dict[str, str] = {}
        self.machines: dict[str, dict[str, Any]] = {}  # by SKU
        indexes = Gather(self.ask_regions)
        yield self.get(INDEX, self.parse_index, gather=indexes, indexes=indexes)
        yield self.get(PLANS, self.parse_plan_index, source="aws:savings_plans", gather=indexes)
        yield self.get(BLOCKS, self.parse_blocks, source="aws:capacity_blocks")

    def parse_index(self, response: Response) -> Iterator[Any]:
        path = self.row(self.json(response)).need("offers.AmazonEC2.currentRegionIndexUrl")
        yield self.get(urljoin(HOST, path), self.parse_regions, gather=response.meta["indexes"])

    def parse_regions(self, response: Response) -> None:
        versions = {}
        for region in self.row(self.json(response)).need("regions").values():
            row = self.row(region, "regions.<code>")
            versions[row.text("regionCode")] = row.text("currentVersionUrl")
        for code in self.regions(versions, aws_regions.DEFAULT):
            if code in versions:
                file = versions[code].removesuffix("index.json") + "index.csv"
                self.price_files[code] = [urljoin(HOST, file), CURRENT.format(region=code)]
            elif "regions" in self.chosen:
                self.partial(f"there is no price file of the region {code!r}")

    def parse_plan_index(self, response: Response) -> None:
        for region in self.row(self.json(response)).items("regions"):
            row = self.row(region, "regions[]")
            self.plan_files[row.text("regionCode")] = urljoin(HOST, row.text("versionUrl"))

    def ask_regions(self) -> Iterator[Any]:
        known = self.regions(aws_regions.KNOWN, aws_regions.DEFAULT)
        files = self.price_files or {
            code: [CURRENT.format(region=code)] for code in known
        }  # no index: as it is
        everything = Gather(self.join_spot)
        yield from [  # a list: counted before one is sent
            *self.ask_spot(files, everything),
            *(
                self.large(url, self.parse_prices, otherwise=others, region=code, gather=everything)
                for code, (url, *others) in files.items()
            ),
        ]

    def large(self, url: str, parse: Any, **options: Any) -> Any:
        """A large file; addresses with a version in them are read from the archive where it has them."""
        return self.get(url, parse, to_file=True, immutable="/current/" not in url, **options)

    def parse_prices(self, response: Response) -> Iterator[Any]:
        columns, sales = read_price_list(self.file(response))
        self.unused.update(columns)
        yield from self.each(sales, "price file", partial(self.parse_sale, response))
        plans = self.plan_files.get(region := response.meta["region"])
        if plans and sales:
            yield self.large(plans, self.parse_plans, source="aws:savings_plans", region=region)

    def parse_sale(self, response: Response, row: Row) -> Iterator[Any]:
        hourly, upfront = price(row.need("hourly")), price(row.need("upfront"))
        option, unit, sale = row.need("option"), row.need("unit"), row.need("term")
        machine = machine_of(row)
        if sale == "OnDemand":
            term: dict[str, Any] = {}
            self.machines[row.text("sku")] = machine
            if hourly:
                self.listed[machine["region"], machine["instance_type"]] = hourly
        elif sale == "Reserved":
            months = one_of(YEARS, row.need("length"), "LeaseContractLength")
            term = {"price_kind": PriceKind.RESERVED, "term_months": months, "note": option}
        else:
            raise ValueUnreadable(f"price file: TermType {sale!r} is not known")
        paid = {"price_raw": hourly, "price_unit": UNITS.get(unit, unit), "upfront_raw": upfront}
        if upfront and not hourly:
            paid = {"price_raw": upfront, "price_unit": "per instance-term"}
        sold = {"currency": row.text("currency"), "offer_key": option}
        yield from self.offer(response, **sold, **paid, **term, **machine)

    def parse_plans(self, response: Response) -> Iterator[Any]:
        region = response.meta["region"]
        skus = [sku for sku, machine in self.machines.items() if machine["region"] == region]
        for rate in plan_rates(self.file(response), skus):
            length = f"{rate['duration']} {rate['length']}"
            unit = rate["unit"] or "Hrs"
            yield from self.offer(
                response,
                price_kind=PriceKind.SAVINGS_PLAN,
                term_months=one_of(PLAN_TERMS, length, "leaseContractLength"),
                price_raw=price(rate["price"]),
                price_unit=UNITS.get(unit, unit),
                currency=rate["currency"],
                offer_key=rate["purchaseOption"],
                note=rate["purchaseOption"],
                **self.machines[rate["sku"]],
            )

    def parse_blocks(self, response: Response) -> Iterator[Any]:
        scripts = response.css('script[type="application/json"]::text').getall()
        yield from self.each(block_rows(scripts), "Data[]", partial(self.parse_block, response))

    def parse_block(self, response: Response, row: Row) -> Iterator[Any]:
        kind, note = PriceKind.CAPACITY_BLOCK, "paid up front for the whole block"
        yield from self.offer(response, price_kind=kind, note=note, **block(row))


def one_of(table: dict[str, int], word: Any, field: str) -> int:
    """A term in months; a word that we do not know sets the row aside."""
    if word not in table:
        raise ValueUnreadable(f"field {field!r} is {word!r}, no term that we know")
    return table[word]
