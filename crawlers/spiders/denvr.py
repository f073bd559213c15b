"""Denvr: machines in the text of the pricing page: GPU, count, memory, price per GPU-hour on demand."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from scrapy.http import Response

from crawlers.parsing import ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.price_text import pieces

URL = "https://www.denvrdata.com/pricing"
PRICE = r"\$(\d+(?:\.\d+)?) ?/ ?GPU"
VENDOR = r"(?:NVIDIA|AMD|Intel)"
MACHINE = re.compile(
    rf"(?P<gpu>{VENDOR} [A-Z][A-Za-z]*[0-9]+\w*(?: (?:SXM\d?|PCIe|OAM|NVL))?) "
    rf"(?P<count>\d+) (?P<memory>\d+) ?GB(?P<details>(?:(?!{VENDOR})[^$])*?){PRICE}"
)


class DenvrSpider(PriceSpider):
    name = "denvr"
    title = "Denvr"
    homepage = "https://www.denvrdata.com/pricing"
    refetch = timedelta(hours=24)
    proof = "documented"

    def requests(self) -> Iterator[Any]:
        yield self.get(URL, self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        text = " ".join(pieces(response))
        machines = list(MACHINE.finditer(text))
        if not machines:
            raise ShapeError(f"{response.url}: no 'NVIDIA H100 SXM 8 80 GB ... $2.45 / GPU' is on the page")
        if strange := len(re.findall(PRICE, text)) - len(machines):
            self.unused["prices beside no machine"] += strange
        for machine in machines:
            if "reserved" in machine["details"].lower():  # shown apart, its terms are not printed
                self.unused["reserved prices"] += 1
                continue
            yield from self.offer(
                response,
                instance_type=f"{machine['count']}x {machine['gpu']} {machine['memory']} GB",
                gpu_name_raw=machine["gpu"],
                gpu_count=float(machine["count"]),
                gpu_memory_gb=float(machine["memory"]),
                price_raw=Decimal(machine[5]) or None,
                price_unit="per gpu-hour",
                currency="USD",
            )
