"""Hugging Face Inference Endpoints: markdown tables of machines on other clouds, prices of whole instances.

Columns differ between the tables for CPUs, GPUs and accelerators: a table counts as one of accelerators where
a header begins with "GPU" or "Accelerator". The size "x4" is the number of GPUs.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError, ValueUnreadable
from crawlers.price_spider import PriceSpider
from crawlers.tables import grid_rows, printed_price
from warehouse.records import PriceKind

NEEDED = ("Provider", "Instance Type", "Instance Size", "Hourly rate")
RULE = re.compile(r"[\s|:-]+")


class HfEndpointsSpider(PriceSpider):
    name = "hf_endpoints"
    title = "Hugging Face Inference Endpoints"
    homepage = "https://huggingface.co/docs/inference-endpoints/en/support/pricing"
    kind = "serverless"
    first_party = False
    price_kinds = ("serverless",)
    refetch = timedelta(hours=24)
    billing_increment_seconds = 60
    proof = "documented"
    ignored_fields = "Memory Architecture vCPUs"

    def requests(self) -> Iterator[Any]:
        url = "https://huggingface.co/docs/inference-endpoints/en/support/pricing.md"
        yield self.get(url, self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        tables = 0
        for block in re.findall(r"(?:^[ \t]*\|.*\n?)+", response.text, re.MULTILINE):
            head, *lines = [cells(line) for line in block.splitlines() if not RULE.fullmatch(line)]
            if not any(header.startswith(("GPU", "Accelerator")) for header in head):
                continue
            tables += 1
            rows = grid_rows(head, lines, needed=NEEDED, where="table")
            yield from self.each(rows, "table", partial(self.parse_row, response))
        if not tables:
            raise ShapeError(f"{response.url}: no table with a header 'GPU...' or 'Accelerator...' is there")

    def parse_row(self, response: Response, row: Row) -> Iterator[Any]:
        size = re.fullmatch(r"x(\d+)", row.text("Instance Size"))
        if not size:
            raise ValueUnreadable(f"table: Instance Size {row.text('Instance Size')!r} is not 'x4'")
        for header in [header for header in row.data if header.startswith(("GPU", "Accelerator"))]:
            row.take(header)  # of all GPUs or of one: not said
        cloud = row.text("Provider")
        yield from self.offer(
            response,
            instance_type=f"{cloud} {row.text('Instance Type')} x{size[1]}",
            gpu_name_raw=row.text("Instance Type"),
            gpu_count=float(size[1]),
            price_kind=PriceKind.SERVERLESS,
            price_raw=printed_price(row, "Hourly rate"),
            price_unit="per instance-hour",
            currency="USD",
            note=f"on {cloud}",
        )


def cells(line: str) -> list[str]:
    """The cells of a markdown table line, without marks of emphasis and code."""
    return [cell.strip().strip("`*") for cell in line.strip().strip("|").split("|")]
