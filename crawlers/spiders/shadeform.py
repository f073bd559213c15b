"""Shadeform: machines of many clouds, resold. One type is offered in several regions, with stock in each."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row
from crawlers.price_spider import PriceSpider
from warehouse.units import gb_to_gib

FORM_FACTORS = ("pcie", "sxm", "nvl")


class ShadeformSpider(PriceSpider):
    name = "shadeform"
    title = "Shadeform"
    homepage = "https://www.shadeform.ai"
    kind = "marketplace"
    first_party = False
    refetch = timedelta(hours=2)
    credential = ("SHADEFORM_API_KEY",)
    needs_credential = True
    proof = "documented"
    ignored_fields = "configuration.os_options boot_time shade_instance_type"

    def requests(self) -> Iterator[Any]:
        headers = {"X-API-KEY": self.secret("SHADEFORM_API_KEY") or ""}
        yield self.get("https://api.shadeform.ai/v1/instances/types", self.parse_types, headers=headers)

    def parse_types(self, response: Response) -> Iterator[Any]:
        rows = self.row(self.json(response)).items("instance_types")
        yield from self.each(rows, "instance_types[]", partial(self.parse_type, response))

    def parse_type(self, response: Response, row: Row) -> Iterator[Any]:
        count, gpu = row.price("configuration.num_gpus"), row.need("configuration.gpu_type")
        if not count or not gpu:  # a CPU machine
            return
        ram, link = (
            row.number("configuration.memory_in_gb"),
            str(row.need("configuration.interconnect") or ""),
        )
        form = link.lower().startswith(FORM_FACTORS) and link.lower() not in gpu.lower()
        cloud, nvlink = row.text("cloud"), row.take("configuration.nvlink")
        for item in row.items("availability"):
            place = self.row(item, "availability[]")
            place.take("display_name")
            yield from self.offer(
                response,
                instance_type=f"{cloud} {row.text('cloud_instance_type')}",
                gpu_name_raw=f"{gpu} {link}" if form else gpu,  # the form factor is in a field of its own
                gpu_count=float(count),
                gpu_memory_gb=row.number("configuration.vram_per_gpu_in_gb"),
                interconnect="NVLink" if nvlink is True else link or None,
                vcpus=row.number("configuration.vcpus"),
                memory_gib=ram and gb_to_gib(ram),
                disk_gb=row.number("configuration.storage_in_gb"),
                region=place.text("region"),
                available=place.need("available") is True,
                price_raw=row.price("hourly_price"),
                price_unit="cent per instance-hour",
                currency="USD",
                note=f"resold from {cloud}",
            )
