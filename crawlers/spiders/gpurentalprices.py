"""gpurentalprices: a data set of per-GPU prices of many clouds, CC BY 4.0 (gpurentalprices.com).

Compiled by others: a row is as old as its provider's last verification, and never stands for the provider's
own answer. RunPod's "community" and "secure" are clouds, both on demand.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.compiled import cloud_id, moment
from crawlers.parsing import Row
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind

URL = "https://raw.githubusercontent.com/adriannutiu/gpu-rental-prices/main/data/latest.json"
KINDS = {
    **dict.fromkeys(("on-demand", "community", "secure"), PriceKind.ON_DEMAND),
    "spot": PriceKind.SPOT,
    "serverless": PriceKind.SERVERLESS,
}


class GpurentalpricesSpider(PriceSpider):
    name = "gpurentalprices"
    title = "gpurentalprices data set"
    homepage = "https://gpurentalprices.com"
    kind = "reference"
    first_party = False
    price_kinds = ("on_demand", "spot", "serverless")
    refetch = timedelta(hours=24)
    default_on = False
    proof = "documented"
    terms_note = (
        "CC BY 4.0: credit gpurentalprices.com with a link. Compiled list: off by default, "
        "for it only fills gaps; switch it on where a cloud cannot be crawled"
    )

    def requests(self) -> Iterator[Any]:
        yield self.get(URL, self.parse_list)

    def parse_list(self, response: Response) -> Iterator[Any]:
        answer = self.row(self.json(response))
        checked = self.row(answer.need("providers"), "providers").data
        yield from self.each(answer.items("offers"), "offers[]", partial(self.parse_offer, response, checked))

    def parse_offer(self, response: Response, checked: dict[str, Any], row: Row) -> Iterator[Any]:
        seller, kind, gpus = row.text("provider"), row.text("kind"), row.number("min_gpus")
        state = self.row(checked.get(seller) or {}, f"providers.{seller}")
        fetched = row.text("fetched_at")
        verified = state.need("last_verified") if state.data.get("stale") else fetched
        yield from self.offer(
            response,
            provider=cloud_id(seller),
            gpu_name_raw=row.text("gpu"),
            gpu_count=gpus or 1.0,
            gpu_memory_gb=row.number("vram_gb"),
            price_kind=KINDS.get(kind, kind),
            observed_at=moment(verified),
            price_raw=row.price("usd_hr"),
            price_unit="per gpu-hour",
            currency="USD",
            offer_key=kind,
            note=f"compiled by gpurentalprices.com (CC BY 4.0) from {row.take('source_url')}",
        )
