"""CUDO Compute: virtual machines priced by component, bare metal by machine and term. Access is by request.

A VM's price is composed at the reference shape of `crawlers.composed`, within the machine type's limits.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.composed import DISK_PER_GPU, RAM_PER_GPU, VCPUS_PER_GPU, Shape, clipped, composed
from crawlers.parsing import Row
from crawlers.price_spider import Gather, PriceSpider
from warehouse.records import PriceKind
from warehouse.units import gib_to_gb

API = "https://rest.compute.cudo.org/v1"
SIZES = (1, 2, 4, 8)
TERM = re.compile(r"(?:COMMITMENT_TERM_)?(?:(?P<none>NONE)|(?P<number>\d+)_(?P<unit>MONTH|YEAR)S?)")
PARTS = {"gpu": "gpu", "vcpu": "vcpu", "ram": "memoryGib", "disk": "minStorageGib", "ipv4": "ipv4"}


class CudoSpider(PriceSpider):
    name = "cudo"
    title = "CUDO Compute"
    homepage = "https://www.cudocompute.com/pricing"
    price_kinds = ("on_demand", "reserved")
    refetch = timedelta(hours=6)
    proof = "recorded"
    terms_note = "terms not read; the provider opens accounts by request only"
    ignored_fields = """
        cpuModel gpuModelId maxVcpuFree totalVcpuFree maxMemoryGibFree totalMemoryGibFree maxStorageGibFree
        totalStorageGibFree renewableEnergy
    """

    def requests(self) -> Iterator[Any]:
        self.memory: dict[str, float | None] = {}
        self.lists: list[tuple[Response, Any, list[Any]]] = []
        answers = Gather(self.join)
        for path, parse, source in (
            ("vms/machine-types", partial(self.keep, self.parse_vm), "cudo"),
            ("machines-types?pageSize=100", partial(self.keep, self.parse_metal), "cudo:bare_metal"),
            ("vms/gpu-models", self.parse_models, "cudo:gpu_models"),
        ):
            yield self.get(f"{API}/{path}", parse, source=source, gather=answers)

    def keep(self, parse: Any, response: Response) -> None:
        self.lists.append((response, parse, self.row(self.json(response)).items("machineTypes")))

    def parse_models(self, response: Response) -> None:
        for item in self.row(self.json(response)).items("gpuModels"):
            row = self.row(item, "gpuModels[]")
            self.memory[row.text("id")] = row.number("memoryGib")

    def join(self) -> Iterator[Any]:
        for response, parse, rows in self.lists:
            yield from self.each(rows, "machineTypes[]", partial(parse, response))

    def parse_vm(self, response: Response, row: Row) -> Iterator[Any]:
        model, most, free = row.usual("gpuModel"), row.usual("maxGpuFree") or 0, row.usual("totalGpuFree")
        prices = {part: row.price(f"{field}PriceHr.value") for part, field in PARTS.items()}
        if not model:  # a CPU machine
            return
        for gpus in [size for size in SIZES if size <= max(most, 1)]:
            vcpus = clipped(gpus * VCPUS_PER_GPU, *self.limits(row, "VcpuPerGpu", gpus))
            low, high = (row.price(f"{end}VcpuPerMemoryGib") for end in ("max", "min"))
            least, most_ram = (vcpus / float(ratio) if ratio else None for ratio in (low, high))
            ram = clipped(gpus * RAM_PER_GPU, least, most_ram)
            shape = Shape(gpus, vcpus, ram, gpus * DISK_PER_GPU)
            price, note = composed(shape, prices)
            yield from self.offer(
                response,
                instance_type=f"{row.text('machineType')} {gpus}x {model}",
                gpu_name_raw=model,
                gpu_count=float(gpus),
                gpu_memory_gb=self.memory.get(row.take("gpuModelId")),
                vcpus=vcpus,
                memory_gib=ram,
                disk_gb=gib_to_gb(shape.disk),
                region=row.label("dataCenterId"),
                available=free > 0 if isinstance(free, int) else None,
                available_count=most // gpus,
                price_raw=price,
                price_unit="per instance-hour",
                currency="USD",
                note=note,
            )

    def limits(self, row: Row, field: str, gpus: int) -> list[float | None]:
        stated = (row.price(end + field) for end in ("min", "max"))
        return [float(limit) * gpus if limit else None for limit in stated]

    def parse_metal(self, response: Response, row: Row) -> Iterator[Any]:
        gpus, model, free = row.price("gpus"), row.need("gpuModelId"), row.take("machinesFree")
        if not gpus or not model:
            return
        for item in row.items("prices"):
            price = self.row(item, "prices[]")
            term = TERM.fullmatch(printed := price.text("commitmentTerm"))
            if term is None:
                self.unused[f"commitmentTerm={printed}"] += 1
                continue
            months = int(term["number"] or 0) * (12 if term["unit"] == "YEAR" else 1)
            yield from self.offer(
                response,
                instance_type=row.text("machineType"),
                gpu_name_raw=model,
                gpu_count=float(gpus),
                gpu_memory_gb=self.memory.get(model),
                region=row.text("dataCenterId"),
                price_kind=PriceKind.RESERVED if months else PriceKind.ON_DEMAND,
                term_months=months or None,
                available=free > 0 if isinstance(free, int) else None,
                available_count=free if isinstance(free, int) else None,
                price_raw=price.price("priceHr.value"),
                price_unit="per instance-hour",
                currency="USD",
            )
