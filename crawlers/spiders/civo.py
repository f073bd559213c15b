"""Civo: GPU machines in the text of the pricing page: whole machine, on demand first, then by commitment.

Which commitments the further prices are for is not printed beside them; readers say 12, 24 and 36 months.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from scrapy.http import Response

from crawlers.parsing import ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.price_text import pieces
from warehouse.records import PriceKind

URL = "https://www.civo.com/pricing"
MACHINE = re.compile(
    r"(?P<name>(?P<count>\d+) x (?P<gpu>(?:NVIDIA|AMD) [A-Z0-9]+[A-Za-z0-9 ]*) - (?P<memory>\d+) ?GB)"
)
PRICE = re.compile(r"\$(\d+(?:,\d{3})*(?:\.\d+)?) per hour")
TERMS = (None, 12, 24, 36)


class CivoSpider(PriceSpider):
    name = "civo"
    title = "Civo"
    homepage = "https://www.civo.com/pricing"
    price_kinds = ("on_demand", "reserved")
    refetch = timedelta(hours=24)
    proof = "documented"

    def requests(self) -> Iterator[Any]:
        yield self.get(URL, self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        text = " ".join(pieces(response))
        machines = list(MACHINE.finditer(text))
        ends = [machine.start() for machine in machines[1:]] + [len(text)]
        if not any(PRICE.search(text, one.end(), end) for one, end in zip(machines, ends, strict=True)):
            raise ShapeError(f"{response.url}: no '1 x NVIDIA L40S - 48GB ... $1.29 per hour' is on the page")
        for machine, end in zip(machines, ends, strict=True):
            prices = PRICE.findall(text, machine.end(), end)
            if len(prices) > len(TERMS):
                self.reject(f"{machine['name']}: {len(prices)} prices follow it, at most 4 are known", prices)
                continue
            for price, months in zip(prices, TERMS, strict=False):
                yield from self.offer(
                    response,
                    instance_type=machine["name"],
                    gpu_name_raw=machine["gpu"],
                    gpu_count=float(machine["count"]),
                    gpu_memory_gb=float(machine["memory"]),
                    price_kind=PriceKind.RESERVED if months else PriceKind.ON_DEMAND,
                    term_months=months,
                    price_raw=Decimal(price.replace(",", "")) or None,
                    price_unit="per instance-hour",
                    currency="USD",
                    note="the term is taken from the order of the prices" if months else None,
                )
