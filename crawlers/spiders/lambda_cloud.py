"""Lambda: the pricing page (tables of a tab per GPU count) and, with a key, the API with its stock.

The page's price is per GPU and differs by size. Its rows repeat in a script: only the tables are read.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError, ValueUnreadable
from crawlers.price_spider import PriceSpider
from crawlers.tables import printed_price, printed_size, table_rows, text_of
from warehouse.records import PriceKind
from warehouse.units import size_to_gb

PAGE = "https://lambda.ai/pricing"
API = "https://cloud.lambda.ai/api/v1/instance-types"
SIZE = re.compile(r"(\d+)x")
HEADERS = ("VRAM/GPU", "vCPUs", "RAM", "STORAGE", "PRICE/GPU/HR*")
CLUSTER_HEADERS = ("DURATION", "GPU COUNT", "PRICE/GPU/HR*")
DURATION = re.compile(
    r"(?P<number>\d+) ?\+?(?: ?[-–] ?\d+)? ?-?(?P<unit>day|week|month|year)s?\b.*", re.IGNORECASE
)
MONTHS = {"month": 1, "year": 12}


class LambdaCloudSpider(PriceSpider):
    name = "lambda_cloud"
    title = "Lambda"
    homepage = "https://lambda.ai/pricing"
    price_kinds = ("on_demand", "reserved")
    refetch = timedelta(hours=6)
    expected_offers = (15, 60)
    credential = ("LAMBDA_API_KEY",)
    proof = "recorded"
    ignored_fields = "class Plan instance_type.description regions_with_capacity_available"

    def requests(self) -> Iterator[Any]:
        yield self.get(PAGE, self.parse_page)
        key = self.secret("LAMBDA_API_KEY")
        if key:
            headers = {"Authorization": f"Bearer {key}"}
            yield self.get(API, self.parse_api, source="lambda_cloud:api", headers=headers)

    def parse_page(self, response: Response) -> Iterator[Any]:
        tabs = {tab.attrib.get("aria-controls"): text_of(tab) for tab in response.css("button[role=tab]")}
        sizes = {panel: tab for panel, tab in tabs.items() if SIZE.fullmatch(tab)}
        panels = [panel for panel in response.css("div[role=tabpanel]") if panel.attrib.get("id") in sizes]
        if not panels:
            raise ShapeError(
                f"{response.url}: no tab panel 'Nx' (button[role=tab] with aria-controls) is there"
            )
        for panel in panels:
            size = sizes[panel.attrib["id"]]
            rows = table_rows(panel, needed=HEADERS, where=f"tab {size}", rows="tr[data-plan]")
            yield from self.each(rows, f"tab {size}", partial(self.parse_row, response, size))
        for table in response.xpath("//table[.//th[normalize-space()='DURATION']]"):
            rows = table_rows(table, needed=CLUSTER_HEADERS, where="clusters", rows="tr[data-plan]")
            yield from self.each(rows, "clusters", partial(self.parse_cluster, response))

    def parse_row(self, response: Response, size: str, row: Row) -> Iterator[Any]:
        plan, vram = row.text("data-plan"), printed_size(row, "VRAM/GPU")
        ram, disk = printed_size(row, "RAM"), printed_size(row, "STORAGE")
        yield from self.offer(
            response,
            instance_type=f"{size} {plan}",
            gpu_name_raw=plan,
            gpu_count=float(size.removesuffix("x")),
            gpu_memory_gb=vram and vram[0],
            vcpus=row.number("vCPUs"),
            memory_gib=ram and ram[0],
            disk_gb=disk and size_to_gb(*disk),
            price_raw=printed_price(row, "PRICE/GPU/HR*"),
            price_unit="per gpu-hour",
            currency="USD",
            offer_key=f"{size} {plan} {row.text('VRAM/GPU')}",  # one plan comes with 80 and with 40 GB
        )

    def parse_cluster(self, response: Response, row: Row) -> Iterator[Any]:
        """1-Click Clusters: a price per GPU for a duration; the count is a range, its lower end is meant."""
        plan, duration, count = row.text("data-plan"), row.text("DURATION"), row.text("GPU COUNT")
        months, fewest = DURATION.fullmatch(duration), re.match(r"\d+", count.replace(",", ""))
        if not months or not fewest:
            raise ValueUnreadable(f"clusters: DURATION {duration!r} or GPU COUNT {count!r} is written anew")
        yield from self.offer(
            response,
            instance_type=f"1-Click Cluster {plan}",
            gpu_name_raw=plan,
            gpu_count=float(fewest[0]),
            price_kind=PriceKind.RESERVED,
            term_months=int(months["number"]) * MONTHS.get(months["unit"].lower(), 0)
            or None,  # weeks: no term
            note=duration,
            price_raw=printed_price(row, "PRICE/GPU/HR*"),
            price_unit="per gpu-hour",
            currency="USD",
            offer_key=f"cluster {duration} {count}",
        )

    def parse_api(self, response: Response) -> Iterator[Any]:
        types = self.row(self.row(self.json(response)).need("data"), "data").data
        yield from self.each(types.values(), "data.*", partial(self.parse_type, response))

    def parse_type(self, response: Response, row: Row) -> Iterator[Any]:
        printed = row.take("instance_type.gpu_description") or row.text("instance_type.description")
        regions = [self.row(data, "regions[]") for data in row.items("regions_with_capacity_available")]
        memory, disk = re.search(r"\((\d+) GB", printed), row.number("instance_type.specs.storage_gib")
        for place in [region.text("name") for region in regions] or [""]:  # none: sold out, the price stands
            yield from self.offer(
                response,
                instance_type=row.text("instance_type.name"),
                gpu_name_raw=printed,
                gpu_count=row.number("instance_type.specs.gpus"),
                gpu_memory_gb=float(memory[1]) if memory else None,
                vcpus=row.number("instance_type.specs.vcpus"),
                memory_gib=row.number("instance_type.specs.memory_gib"),
                disk_gb=disk and size_to_gb(disk, "GiB"),
                region=place or None,
                available=bool(place),
                price_raw=row.price("instance_type.price_cents_per_hour"),
                price_unit="cent per instance-hour",
                currency="USD",
            )
