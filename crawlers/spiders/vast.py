"""Vast.ai: a marketplace; every offer is stock of one host.

One walk per GPU name, cheapest first. An answer is cut at 64 rows (128 with a key), so a full answer is
followed by the rows from its last price on. The price is `dph_total`: GPU, host and the smallest disk.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.parsing import Row, ValueUnreadable
from crawlers.price_spider import PriceSpider
from warehouse.records import PriceKind
from warehouse.units import MIB_PER_GIB

API = "https://console.vast.ai/api/v0/bundles/"
CUT_AT = (64, 128)
# The service's own spellings; asking for another one is answered with an empty list. Names that turn up in
# an answer and are not here are walked too.
GPU_NAMES = """
    A10, A100 PCIE, A100 SXM4, A100X, A16, A30, A40, A800 PCIE, B200, B300, GH200 SXM, GTX 1080 Ti, H100
    NVL, H100 PCIE, H100 SXM, H200, H200 NVL, L4, L40, L40S, Q RTX 6000, Q RTX 8000, RTX 2080 Ti, RTX
    3060, RTX 3070, RTX 3080, RTX 3080 Ti, RTX 3090, RTX 3090 Ti, RTX 4000Ada, RTX 4060 Ti, RTX 4070, RTX
    4070 Ti, RTX 4070S, RTX 4070S Ti, RTX 4080, RTX 4080S, RTX 4090, RTX 4090D, RTX 4500Ada, RTX 5000Ada,
    RTX 5060 Ti, RTX 5070, RTX 5070 Ti, RTX 5080, RTX 5090, RTX 5880Ada, RTX 6000Ada, RTX A2000, RTX
    A4000, RTX A4500, RTX A5000, RTX A6000, RTX PRO 4000, RTX PRO 4500, RTX PRO 5000, RTX PRO 6000 S, RTX
    PRO 6000 WS, Tesla P100, Tesla T4, Tesla V100, InstinctMI300X
"""


class VastSpider(PriceSpider):
    name = "vast"
    title = "Vast.ai"
    homepage = "https://vast.ai/pricing"
    kind = "marketplace"
    price_kinds = ("on_demand", "spot")
    refetch = timedelta(minutes=30)
    expected_offers = (200, 6_000)
    requests_per_second = 0.5
    credential = ("VAST_API_KEY",)
    gpu_spellings: ClassVar[dict[str, str]] = {  # beside "H200 NVL", the plain name is the SXM card
        "H200": "h200-sxm-141gb",
        "RTX PRO 6000 S": "rtx-pro-6000-96gb",
        "RTX PRO 6000 WS": "rtx-pro-6000-96gb",
    }
    proof = "recorded"
    ignored_fields = """
        ask_contract_id avail_vol_ask_id avail_vol_dph avail_vol_size bundle_id bundled_results cluster_id
        compute_cap cpu_arch cpu_cores cpu_ghz cpu_name credit_discount_max cuda_max_good direct_port_count
        discount_rate discounted_dph_total discounted_hourly disk_bw disk_name dlperf dlperf_per_dphtotal
        dph_total_adj driver_vers driver_version duration end_date expected_reliability external
        flops_per_dphtotal geolocode gpu_arch gpu_display_active gpu_frac gpu_ids gpu_lanes gpu_max_power
        gpu_max_temp gpu_mem_bw gpu_total_ram has_avx host_id hostname inet_down inet_down_cost inet_up
        inet_up_cost instance internet_down_cost_per_tb internet_up_cost_per_tb is_bid is_vm_deverified logo
        mobo_name nw_disk_avg_bw nw_disk_max_bw nw_disk_min_bw os_version pcie_bw public_ipaddr reliability
        reliability_mult resource_type rn score search sla_broker_rate sla_r_claim sla_sigma_x start_date
        static_ip storage_cost target_reliability time_remaining time_remaining_isbid
        total_flops vericode vms_enabled vram_costperhour webpage
    """

    def requests(self) -> Iterator[Any]:
        self.seen: set[int] = set()
        self.walked: set[str] = set()
        yield self.ask({})  # the cheapest of all cards: shows names that we do not know yet
        for name in GPU_NAMES.split(","):
            yield self.walk(" ".join(name.split()))

    def walk(self, gpu_name: str) -> Any:
        self.walked.add(gpu_name)
        return self.ask({"gpu_name": {"eq": gpu_name}})

    def ask(self, query: dict[str, Any]) -> Any:
        key = self.secret("VAST_API_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else None
        body = {**query, "order": [["dph_total", "asc"]], "type": "on-demand"}
        return self.post(API, body, self.parse_offers, headers=headers, query=query)

    def parse_offers(self, response: Response) -> Iterator[Any]:
        offers = self.row(self.json(response)).items("offers")
        rows = [self.row(data, "offers[]") for data in offers]
        for name in dict.fromkeys(row.text("gpu_name") for row in rows):
            if name not in self.walked:
                yield self.walk(name)
        fresh = [row.data for row in rows if row.need("id") not in self.seen]
        self.seen.update(row.need("id") for row in rows)
        yield from self.each(fresh, "offers[]", partial(self.parse_offer, response))
        query = response.meta["query"]
        if len(rows) not in CUT_AT or "gpu_name" not in query:
            return
        if fresh:
            yield self.ask({**query, "dph_total": {"gte": float(rows[-1].need("dph_total"))}})
        else:
            self.partial(f"{query['gpu_name']['eq']}: cut at {len(rows)} rows, and going on gave no new one")

    def parse_offer(self, response: Response, row: Row) -> Iterator[Any]:
        price, base, bid = row.price("dph_total"), row.price("dph_base"), row.number("min_bid")
        disk = row.number("storage_total_cost")
        if price and base and disk and abs(price / (base + Decimal(str(disk))) - 1) > Decimal("0.02"):
            raise ValueUnreadable(f"offers[]: 'dph_total' {price} is not 'dph_base' {base} and disk {disk}")
        place = "data centre" if row.take("hosting_type") == 1 else "private host"
        reliability = row.number("reliability2")
        remarks = [str(row.take("verification") or "verification not stated"), place]
        remarks += [f"reliability {reliability:.3f}"] if reliability else []
        link = "NVLink" if row.number("bw_nvlink") else None
        pcie = row.number("pci_gen")
        sold = partial(
            self.offer,
            response,
            instance_type=str(row.need("id")),
            gpu_name_raw=row.text("gpu_name"),
            gpu_count=row.number("num_gpus"),
            gpu_memory_gb=row.number("gpu_ram", per=MIB_PER_GIB),
            interconnect=link or (f"PCIe {pcie:g}" if pcie else None),
            vcpus=row.number("cpu_cores_effective"),
            memory_gib=row.number("cpu_ram", per=MIB_PER_GIB),  # already this offer's share of the host
            disk_gb=row.number("disk_space"),
            region=row.label("geolocation"),
            machine_id=row.label("machine_id"),
            available=bool(row.usual("rentable", True)) and not row.usual("rented"),
            currency="USD",
            price_unit="per instance-hour",
        )
        yield from sold(
            price_raw=price,
            note=", ".join([*remarks, f"{base:.4f} without disk" if base else ""]).strip(", "),
        )
        if base and bid and bid < 0.999 * float(base):  # a bid at the full price is no discount
            note = ", ".join([*remarks, "lowest bid"])
            yield from sold(price_raw=row.price("min_bid"), price_kind=PriceKind.SPOT, note=note)
