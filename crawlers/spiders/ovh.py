"""OVHcloud Public Cloud: the order catalogue, one body of several MB.

Prices are whole numbers of 1e-8 of the currency, without tax. The catalogue holds for all its regions; a plan
code's suffix tells the price class (3AZ, local zones). Listed as "coming_soon" means not sellable yet.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError, ValueUnreadable
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind

CATALOGUE = "https://{host}/v1/order/catalog/public/cloud?ovhSubsidiary=FR"
CURRENCY = {"FR": "EUR", "US": "USD"}
INSTANCE = re.compile(r"(?P<name>.+?)\.(?P<sale>consumption|monthly\.postpaid)(?:\.(?P<place>3AZ|LZ\.\w+))?")
AI_JOB = re.compile(
    r"(?P<name>ai-(?:training|notebook)\.(?P<gpu>.+)-(?P<count>\d+)-gpu)\.minute\.consumption"
)
# Where technical.gpu is empty: card by flavor prefix, and how much of the number in the name is one GPU.
FLAVORS = {
    "h100": ("H100", 380),
    "a100": ("A100", 180),
    "l40s": ("L40S", 90),
    "l4": ("L4", 90),
    "a10": ("A10", 45),
    "t1": ("V100", 45),
    "t2": ("V100S", 45),
    "rtx5000": ("RTX 5000", 28),
}
GPU_LIKE = re.compile(r"(?:gh|gb|rtx|mi|[hablv])\d{2,4}[a-z]*")  # names of cards, not of the c3 or b3 series
UNITS = {"hour": "1e-8 per instance-hour", "month": "1e-8 per instance-month"}


class OvhSpider(PriceSpider):
    name = "ovh"
    title = "OVHcloud"
    homepage = "https://www.ovhcloud.com/en/public-cloud/prices/"
    price_kinds = ("on_demand", "subscription", "serverless")
    proof = "recorded"
    ignored_fields = """
        invoiceName addonFamilies product pricingType consumptionConfiguration pricings configurations family
        blobs.commercial blobs.tags blobs.technical.os blobs.technical.vrack blobs.technical.bandwidth
        blobs.technical.name blobs.technical.cpu blobs.technical.gpu.memory.interface
        blobs.technical.storage blobs.technical.memory
    """

    def requests(self) -> Iterator[Any]:
        hosts = ("eu.api.ovh.com", "api.ovh.com", "ca.api.ovh.com")
        first, *others = (CATALOGUE.format(host=host) for host in hosts)
        yield self.get(first, self.parse_catalogue, otherwise=others)

    def parse_catalogue(self, response: Response) -> Iterator[Any]:
        answer = self.row(self.json(response))
        asked = parse_qs(urlsplit(response.url).query).get("ovhSubsidiary", [""])[0]
        subsidiary = answer.take("locale.subsidiary", asked)  # the answer may be that of another subsidiary
        currency = answer.take("locale.currencyCode") or CURRENCY.get(subsidiary)
        if currency is None:
            raise ShapeError(f"locale.currencyCode is missing and subsidiary {subsidiary!r} is not known")
        yield from self.each(
            answer.items("addons"), "addons[]", partial(self.parse_plan, response, currency, subsidiary)
        )

    def parse_plan(self, response: Response, currency: str, subsidiary: str, row: Row) -> Iterator[Any]:
        code = row.text("planCode")
        job, plan = AI_JOB.fullmatch(code), INSTANCE.fullmatch(code)
        if job:
            machine: dict[str, Any] = {"gpu_name_raw": job["gpu"], "gpu_count": float(job["count"])}
            found = job
        elif plan and row.need("product") == "publiccloud-instance":
            family = row.take("blobs.technical.os.family")
            if family is None:
                raise ValueUnreadable(f"{code}: field 'blobs.technical.os.family' is missing")
            if family != "linux" or "active" not in row.items("blobs.tags"):
                return
            machine, found = self.gpus(plan["name"], row), plan
        else:
            return
        if not machine:
            return
        available = False if "coming_soon" in (row.take("blobs.tags") or ()) else None
        place = plan["place"] if plan and not job else None
        for data in row.items("pricings"):
            pricing = self.row(data, f"{code} pricings[]")
            if "consumption" not in pricing.items("capacities") or pricing.take("commitment"):
                continue
            interval = pricing.text("intervalUnit")
            unit = "1e-8 per instance-minute" if job else UNITS.get(interval, interval)
            yield from self.offer(
                response,
                instance_type=found["name"],
                available=available,
                price_raw=pricing.price("price"),
                price_unit=unit,
                currency=currency,
                offer_key=code,
                note=f"subsidiary {subsidiary}" + (f", price class {place}" if place else ""),
                **self.sale(job is not None, interval),
                **machine,
            )

    def gpus(self, name: str, row: Row) -> dict[str, Any]:
        """The machine of a GPU plan; empty for plans without a GPU."""
        prefix, _, size = name.partition("-")
        card, host_memory = FLAVORS.get(prefix, (None, 0))
        model = row.take("blobs.technical.gpu.model") or card
        count = row.number("blobs.technical.gpu.number")
        if model is None and GPU_LIKE.fullmatch(prefix):
            raise ValueUnreadable(f"{name}: technical.gpu.model is missing and its card is not in our table")
        if model is None:
            return {}
        if count is None:
            if not size.isdigit() or not host_memory or int(size) % host_memory:
                raise ValueUnreadable(
                    f"{name}: technical.gpu.number is missing and its name is not in our table"
                )
            count = int(size) / host_memory
        disks = [
            self.row(disk, f"{name} disks[]") for disk in row.take("blobs.technical.storage.disks") or ()
        ]
        return {
            "gpu_name_raw": model,
            "gpu_count": count,
            "gpu_memory_gb": row.number("blobs.technical.gpu.memory.size"),
            "vcpus": row.number("blobs.technical.cpu.cores"),
            "memory_gib": row.number("blobs.technical.memory.size"),
            "disk_gb": sum((d.number("capacity") or 0) * (d.number("number") or 1) for d in disks) or None,
        }

    def sale(self, job: bool, interval: str) -> dict[str, Any]:
        if job:
            return {"price_kind": PriceKind.SERVERLESS}
        if interval == "month":  # a price of its own, far below 730 hours
            return {"price_kind": PriceKind.SUBSCRIPTION, "term_months": 1}
        return {}
