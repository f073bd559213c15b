"""Lambda: the pricing page (tables of a tab per GPU count) and, with a key, the API with its stock.

The page's price is per GPU and differs by size. Its rows repeat in a script: only the tables are read.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response
from scrapy.selector import Selector

from crawlers.parsing import Row, ShapeError, ValueUnreadable, decimal, match_number
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind
from warehouse.units import size_to_gb

PAGE = "https://lambda.ai/pricing"
API = "https://cloud.lambda.ai/api/v1/instance-types"
HEADERS = ("VRAM/GPU", "vCPUs", "RAM", "STORAGE", "PRICE/GPU/HR*")
SIZE = re.compile(r"(\d+)x")
DOLLARS = re.compile(r"\$(\d+(?:,\d{3})*\.\d{2,4})")
AMOUNT = re.compile(r"(?P<number>\d+(?:\.\d+)?) (?P<unit>[GT]i?B)(?: SSD)?")
DURATION = re.compile(r"(?P<number>\d+)\+? (?P<unit>month|year)s?.*", re.IGNORECASE)
SOLD_BY_SALES = ("—", "–", "-", "")


class LambdaCloudSpider(PriceSpider):
    name = "lambda_cloud"
    title = "Lambda"
    homepage = "https://lambda.ai/pricing"
    price_kinds = ("on_demand", "reserved")
    refetch = timedelta(hours=6)
    expected_offers = (15, 60)
    credential = ("LAMBDA_API_KEY",)
    proof = "recorded"
    ignored_fields = "Plan instance_type.description regions_with_capacity_available"

    def requests(self) -> Iterator[Any]:
        yield self.get(PAGE, self.parse_page)
        key = self.secret("LAMBDA_API_KEY")
        if key:
            headers = {"Authorization": f"Bearer {key}"}
            yield self.get(API, self.parse_api, source="lambda_cloud:api", headers=headers)

    def parse_page(self, response: Response) -> Iterator[Any]:
        sizes = {tab.attrib.get("aria-controls"): text(tab) for tab in response.css("button[role=tab]")}
        panels = [
            panel
            for panel in response.css("div[role=tabpanel]")
            if SIZE.fullmatch(sizes.get(panel.attrib.get("id"), ""))
        ]
        if not panels:
            raise ShapeError(
                f"{response.url}: no tab panel 'Nx' (button[role=tab] with aria-controls) is there"
            )
        for panel in panels:
            size = sizes[panel.attrib["id"]]
            headers = [text(cell) for cell in panel.css("thead th")]
            for lost in [header for header in HEADERS if header not in headers]:
                raise ShapeError(f"{response.url}: table header {lost!r} is missing under {size!r}")
            rows = [cells(row, headers) for row in panel.css("tr[data-plan]")]
            yield from self.each(rows, f"table {size}", partial(self.parse_row, response, size))
        for table in response.css("table"):
            headers = [text(cell).rstrip("*") for cell in table.css("thead th")]
            if "DURATION" in headers:
                rows = [cells(row, headers) for row in table.css("tr[data-plan]")]
                yield from self.each(rows, "clusters", partial(self.parse_cluster, response))

    def parse_row(self, response: Response, size: str, row: Row) -> Iterator[Any]:
        plan, vram = row.text("data-plan"), amount(row, "VRAM/GPU")
        yield from self.offer(
            response,
            instance_type=f"{size} {plan}",
            gpu_name_raw=plan,
            gpu_count=float(size.removesuffix("x")),
            gpu_memory_gb=vram and vram[0],
            vcpus=row.number("vCPUs"),
            memory_gib=(amount(row, "RAM") or (None,))[0],
            disk_gb=size_to_gb(*disk) if (disk := amount(row, "STORAGE")) else None,
            price_raw=dollars(row, "PRICE/GPU/HR*"),
            price_unit="per gpu-hour",
            currency="USD",
            offer_key=f"{size} {plan} {row.text('VRAM/GPU')}",  # one plan comes with 80 and with 40 GB
        )

    def parse_cluster(self, response: Response, row: Row) -> Iterator[Any]:
        """1-Click Clusters: a price per GPU for a duration; the count is a range, its lower end is meant."""
        duration, count = row.text("DURATION"), re.match(r"\d+", row.text("GPU COUNT").replace(",", ""))
        months = DURATION.fullmatch(duration)
        if not months or not count:
            raise ValueUnreadable(
                f"clusters: DURATION {duration!r} or GPU COUNT {row.text('GPU COUNT')!r} is new"
            )
        yield from self.offer(
            response,
            instance_type=f"1-Click Cluster {row.text('data-plan')}",
            gpu_name_raw=row.text("data-plan"),
            gpu_count=float(count[0]),
            price_kind=PriceKind.RESERVED,
            term_months=int(months["number"]) * (12 if months["unit"].lower() == "year" else 1),
            price_raw=dollars(row, "PRICE/GPU/HR"),
            price_unit="per gpu-hour",
            currency="USD",
            offer_key=f"cluster {duration} {row.text('GPU COUNT')}",
        )

    def parse_api(self, response: Response) -> Iterator[Any]:
        types = self.row(self.row(self.json(response)).need("data"), "data").data
        yield from self.each(types.values(), "data.*", partial(self.parse_type, response))

    def parse_type(self, response: Response, row: Row) -> Iterator[Any]:
        description = row.take("instance_type.gpu_description") or row.text("instance_type.description")
        places = [
            self.row(place, "regions[]").text("name")
            for place in row.items("regions_with_capacity_available")
        ]
        memory = re.search(r"\((\d+) GB", description)
        for place in places or [None]:  # none: sold out now, the price still stands
            yield from self.offer(
                response,
                instance_type=row.text("instance_type.name"),
                gpu_name_raw=description,
                gpu_count=row.number("instance_type.specs.gpus"),
                gpu_memory_gb=float(memory[1]) if memory else None,
                vcpus=row.number("instance_type.specs.vcpus"),
                memory_gib=row.number("instance_type.specs.memory_gib"),
                disk_gb=size_to_gb(disk, "GiB")
                if (disk := row.number("instance_type.specs.storage_gib"))
                else None,
                region=place,
                available=place is not None,
                price_raw=row.price("instance_type.price_cents_per_hour"),
                price_unit="cent per instance-hour",
                currency="USD",
            )


def text(selector: Selector) -> str:
    return " ".join(" ".join(selector.css("*::text").getall()).split())


def cells(row: Selector, headers: list[str]) -> dict[str, str]:
    """A table row by header text, and the plan that it names."""
    values = [text(cell) for cell in row.css("th, td")]
    return {"data-plan": row.attrib["data-plan"], **dict(zip(headers, values, strict=True))}


def amount(row: Row, header: str) -> tuple[float, str] | None:
    """'22 TiB SSD' as (22.0, 'TiB'); None for a dash."""
    printed = row.need(header)
    match = AMOUNT.fullmatch(printed)
    if match is None and decimal(printed) is not None:
        raise ValueUnreadable(f"{row.where}: {header} {printed!r} is not a size")
    return (float(match["number"]), match["unit"]) if match else None


def dollars(row: Row, header: str) -> Any:
    """'$6.69' as a number; None for a dash ("talk to sales"); anything else sets the row aside."""
    printed = row.need(header)
    price = match_number(printed, DOLLARS)
    if price is None and printed not in SOLD_BY_SALES:
        raise ValueUnreadable(f"{row.where}: {header} {printed!r} is not a price in dollars")
    return price
