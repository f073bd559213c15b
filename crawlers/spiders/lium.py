"""Lium: machines of many hosts, let GPU by GPU: the offer is the whole machine, the note says what is free.

An announced price (`pending_price_per_hour`, of the machine) is an offer of its own, with its day.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.parsing import Row, ValueUnreadable
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind

TIERS = {"secure": PriceKind.ON_DEMAND, "spot": PriceKind.SPOT}


class LiumSpider(PriceSpider):
    name = "lium"
    title = "Lium"
    homepage = "https://lium.io"
    kind = "marketplace"
    price_kinds = ("on_demand", "spot")
    refetch = timedelta(hours=1)
    gpu_spellings: ClassVar[dict[str, str]] = {
        "NVIDIA H200": "h200-sxm-141gb"
    }  # as the driver names the SXM one
    proof = "recorded"
    private_fields = frozenset({"executor_ip_address"})
    ignored_fields = """
        executor_ip_address validator_hotkey miner_hotkey active collateral_deposited is_slow_machine
        is_bookmarked is_whole_host_free has_no_pending_rental infiniband_fabric_rentable
        location.country location.region location.region_name
    """

    def requests(self) -> Iterator[Any]:
        yield self.get("https://lium.io/api/executors", self.parse_machines)

    def parse_machines(self, response: Response) -> Iterator[Any]:
        rows = self.row({"machines": self.json(response)}).items("machines")
        yield from self.each(rows, "machines[]", partial(self.parse_machine, response))

    def parse_machine(self, response: Response, row: Row) -> Iterator[Any]:
        free, whole, tier = row.price("available_gpu_count"), row.number("gpu_count"), row.text("tier")
        least, score = row.number("min_gpu_count_for_rental"), row.take("reliability_score")
        spot, place = (
            row.take("specs.is_spot"),
            (row.label("location.city"), row.label("location.country_code")),
        )
        machine = {
            "instance_type": row.text("id"),
            "machine_id": row.text("id"),
            "gpu_name_raw": row.text("machine_name"),
            "gpu_count": whole,
            "interconnect": "InfiniBand" if row.take("on_infiniband_fabric") is True else None,
            "region": ", ".join(filter(None, place)) or None,
            "price_kind": PriceKind.SPOT if spot else TIERS.get(tier, tier),
            "available": (free or 0) >= (least or 1),
            "currency": "USD",
            "note": f"{free or 0} of {whole or 0:g} GPUs free, reliability {score or 'unknown'}",
        }
        price = row.price("price_per_gpu")
        yield from self.offer(response, price_raw=price, price_unit="per gpu-hour", **machine)
        pending, day = row.price("pending_price_per_hour"), row.take("price_change_effective_date")
        if pending:
            try:
                starts = date.fromisoformat(str(day)[:10])
            except ValueError:
                raise ValueUnreadable(f"machines[]: price_change_effective_date {day!r} is no day") from None
            announced = {**machine, "available": None, "effective_from": starts}
            yield from self.offer(response, price_raw=pending, price_unit="per instance-hour", **announced)
