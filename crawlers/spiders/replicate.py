"""Replicate: hardware rows of the pricing page, prices per second of a whole instance.

Only single GPUs are open to all: the multi-GPU A100 and H100 need committed spend. GPU RAM is that of all
GPUs of the row together.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError, ValueUnreadable
from crawlers.price_spider import PriceSpider
from crawlers.tables import table_rows, text_of, whole_page
from warehouse.records import PriceKind
from warehouse.units import SECONDS_PER_HOUR

HEADERS = ("GPU", "CPU", "GPU RAM", "RAM")
CARD = re.compile(
    r"(?P<gpu>(?:\d+x )?(?:Nvidia|NVIDIA|AMD) .+? GPU)\b.*? (?P<sku>gpu-[a-z0-9-]+)"
    r" .*?\$(?P<second>\d+\.\d+) ?/ ?sec"
    r".*?\$(?P<hour>\d+\.\d+) ?/ ?hr.*"
)
COMMITTED = re.compile(r".*(?:a100|h100).*-[248]x|gpu-[248]x-(?:a100|h100).*")
ROUNDING = Decimal("0.02")


class ReplicateSpider(PriceSpider):
    name = "replicate"
    title = "Replicate"
    homepage = "https://replicate.com/pricing"
    kind = "serverless"
    price_kinds = ("serverless", "reserved")
    refetch = timedelta(hours=24)
    billing_increment_seconds = 1
    proof = "documented"

    def requests(self) -> Iterator[Any]:
        yield self.get("https://replicate.com/pricing", self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        tables = whole_page(response).css("table")
        found = [table for table in tables if {*HEADERS} <= {text_of(cell) for cell in table.css("thead th")}]
        if not found:
            raise ShapeError(f"{response.url}: no table with GPU | CPU | GPU RAM | RAM is there")
        for table in found:
            rows = table_rows(table, needed=HEADERS, where="hardware")
            yield from self.each(rows, "hardware", partial(self.parse_row, response))

    def parse_row(self, response: Response, row: Row) -> Iterator[Any]:
        count, cpus, memory, ram = (quantity(row.text(header)) for header in HEADERS)
        names = [header for header, text in row.data.items() if "gpu-" in text or "$" in text]
        words = " ".join(row.take(header) for header in names)
        card = CARD.fullmatch(words)
        if card is None:
            if "gpu-" in words or count:
                raise ValueUnreadable(f"hardware: {words!r} has no GPU, sku, $/sec and $/hr")
            return  # a CPU
        hourly = Decimal(card["second"]) * SECONDS_PER_HOUR
        if abs(hourly / Decimal(card["hour"]) - 1) > ROUNDING:
            raise ValueUnreadable(
                f"hardware: {card['sku']} costs {hourly:.2f} an hour by the second, {card['hour']} else"
            )
        yield from self.offer(
            response,
            instance_type=card["sku"],
            gpu_name_raw=re.sub(r"^\d+x ", "", card["gpu"]),
            gpu_count=count,
            gpu_memory_gb=memory and count and memory / count,
            vcpus=cpus,
            memory_gib=ram,
            price_kind=PriceKind.RESERVED if COMMITTED.fullmatch(card["sku"]) else PriceKind.SERVERLESS,
            price_raw=Decimal(card["second"]),
            price_unit="per instance-second",
            currency="USD",
        )


def quantity(text: str) -> float | None:
    """The number of "8x", "80GB" or "144 GB"; None for "-"."""
    match = re.fullmatch(r"(\d+)(?:x| ?GB)", text)
    if match is None and text not in ("-", "–", "—"):
        raise ValueUnreadable(f"hardware: {text!r} is neither '8x' nor '80GB'")
    return float(match[1]) if match else None
