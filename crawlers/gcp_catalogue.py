"""Google's billing catalogue: SKUs of parts, and the machines that they add up to.

The catalogue prices cores, RAM, GPUs and local disks per region and never says which machine has what. The
machines below are those of Google's documentation (a test compares them with the reference table); a
machine has a price where each of its parts has one, else none: a part of the sum is no price.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from crawlers.parsing import Row, ValueUnreadable, decimal
from warehouse.records import PriceKind
from warehouse.units import HOURS_PER_MONTH

UNIT_HOURS = {"h": Decimal(1), "GiBy.h": Decimal(1), "GiBy.mo": HOURS_PER_MONTH}
NANO = -9
# name, family of cores and RAM, GPU as in descriptions, GPUs, vCPUs, RAM GiB, bundled local SSD GiB
# Source: Google Cloud documentation of these machines, recalled on 2026-11-21, not re-read;
_MACHINES = """
a2-highgpu-1g   A2      A100      1   12   85     0
a2-highgpu-2g   A2      A100      2   24   170    0
a2-highgpu-4g   A2      A100      4   48   340    0
a2-highgpu-8g   A2      A100      8   96   680    0
a2-megagpu-16g  A2      A100      16  96   1360   0
a2-ultragpu-1g  A2      A100-80   1   12   170    375
a2-ultragpu-2g  A2      A100-80   2   24   340    750
a2-ultragpu-4g  A2      A100-80   4   48   680    1500
a2-ultragpu-8g  A2      A100-80   8   96   1360   3000
a3-highgpu-1g   A3      H100      1   26   234    750
a3-highgpu-2g   A3      H100      2   52   468    1500
a3-highgpu-4g   A3      H100      4   104  936    3000
a3-highgpu-8g   A3      H100      8   208  1872   6000
a3-megagpu-8g   A3Plus  H100-Plus 8   208  1872   6000
a3-ultragpu-8g  A3Ultra H200      8   224  2952   12000
a4-highgpu-8g   -       B200      8   224  3968   12000
g2-standard-4   G2      L4        1   4    16     0
g2-standard-8   G2      L4        1   8    32     0
g2-standard-12  G2      L4        1   12   48     0
g2-standard-16  G2      L4        1   16   64     0
g2-standard-24  G2      L4        2   24   96     0
g2-standard-32  G2      L4        1   32   128    0
g2-standard-48  G2      L4        4   48   192    0
g2-standard-96  G2      L4        8   96   384    0
g4-standard-48  G4      RTX6000   1   48   180    0
g4-standard-96  G4      RTX6000   2   96   360    0
g4-standard-192 G4      RTX6000   4   192  720    0
g4-standard-384 G4      RTX6000   8   384  1440   0
n1-standard-1   N1      T4        1   1    3.75   0
n1-standard-1   N1      T4        2   1    3.75   0
n1-standard-1   N1      T4        4   1    3.75   0
n1-standard-1   N1      P4        1   1    3.75   0
n1-standard-1   N1      P4        2   1    3.75   0
n1-standard-1   N1      P4        4   1    3.75   0
n1-standard-1   N1      V100      1   1    3.75   0
n1-standard-1   N1      V100      2   1    3.75   0
n1-standard-1   N1      V100      4   1    3.75   0
n1-standard-1   N1      V100      8   1    3.75   0
n1-standard-1   N1      P100      1   1    3.75   0
n1-standard-1   N1      P100      2   1    3.75   0
n1-standard-1   N1      P100      4   1    3.75   0
"""
# Not sold on demand although prices are listed (consumption options as collected on 2026-11-21, not re-read).
NOT_ON_DEMAND = re.compile(r"a4x?-.*|a3-ultragpu-.*|a3-highgpu-[124]g")
# GPU names in descriptions, most telling first; the bundled "(1 gpu slice)" of A4 covers cores and RAM too.
_GPUS = {
    "H100-Plus": re.compile(r"H100 80GB (?:Plus|Mega)"),
    "H100": re.compile(r"H100 80GB"),
    "H200": re.compile(r"H200"),
    "B200": re.compile(r"\bB200 \(1 gpu slice\)"),
    "A100-80": re.compile(r"A100 80GB"),
    "A100": re.compile(r"A100(?: 40GB)? GPU"),
    "L4": re.compile(r"\bL4\b"),
    "RTX6000": re.compile(r"RTX (?:PRO )?6000 96GB"),
    "T4": re.compile(r"\bT4\b"),
    "P4": re.compile(r"\bP4\b"),
    "V100": re.compile(r"\bV100\b"),
    "P100": re.compile(r"\bP100\b"),
}
_DROPPED = re.compile(r"Sole Tenancy|^Reserved|Premium|Custom|[Ss]uspended|Virtual Workstation")
_COMMITMENT = re.compile(r"Commitment v1: (?P<part>.+?) (?:running )?in .+ for (?P<years>[13]) Years?")
_SPOT = re.compile(r"^Spot Preemptible | attached to (?:Spot )?Preemptible VMs")
_DWS = re.compile(r"^(?P<mode>DWS (?:Calendar Mode|Flex[- ]?[Ss]tart|Defined Duration)) ")
_HOST = re.compile(r"(?P<family>[A-Z]\w*) (?:Predefined )?(?:Instance )?(?P<what>Core|Cpu|Ram)\b")
_SSD = re.compile(r"SSD backed Local Storage|Local SSD")
_PLACE = re.compile(r" (?:running )?in [^,]+$")

Sale = tuple[PriceKind, int | None, str | None]  # kind, term in months, mode as named
Part = str  # "A2 core", "A2 ram", "ssd", "gpu A100"


def _exact(number: float) -> Decimal:
    return Decimal(str(number)).normalize()


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine type and its parts. `ssd_gib` comes with it; `host` is None where the GPU's SKU covers it."""

    name: str
    host: str | None
    gpu: str
    gpus: int
    vcpus: float
    memory_gib: float
    ssd_gib: float

    def parts(self) -> dict[Part, Decimal]:
        """How much of each part it has."""
        found = {f"gpu {self.gpu}": Decimal(self.gpus)}
        if self.host:
            found[f"{self.host} core"] = _exact(self.vcpus)
            found[f"{self.host} ram"] = _exact(self.memory_gib)
            if self.ssd_gib:
                found["ssd"] = _exact(self.ssd_gib)
        return found


def _machine(line: str) -> Machine:
    name, host, gpu, gpus, *sizes = line.split()
    vcpus, memory, ssd = map(float, sizes)
    return Machine(name, None if host == "-" else host, gpu, int(gpus), vcpus, memory, ssd)


MACHINES = tuple(_machine(line) for line in _MACHINES.strip().splitlines())
PARTS = {part for machine in MACHINES for part in machine.parts()}


def sale_of(description: str, usage_type: str) -> Sale | None:
    """How a SKU is sold, by its text first (spot SKUs may say "OnDemand" in the type); None: dropped."""
    if _DROPPED.search(description):
        return None
    if commitment := _COMMITMENT.fullmatch(description):
        return PriceKind.RESERVED, 12 * int(commitment["years"]), None
    if dws := _DWS.match(description):
        return PriceKind.FLEX, None, dws["mode"]
    if description.startswith(("DWS", "Commitment")):
        return None
    if _SPOT.search(description) or usage_type == "Preemptible":
        return PriceKind.SPOT, None, None
    return (PriceKind.ON_DEMAND, None, None) if usage_type == "OnDemand" else None


def part_of(description: str) -> tuple[Part | None, str]:
    """The part that a SKU prices (None: of no machine here) and its name as printed."""
    commitment = _COMMITMENT.fullmatch(description)
    text = commitment["part"] if commitment else _PLACE.sub("", description)
    text = _DWS.sub("", _SPOT.sub("", text))
    if "vidia" in text or "VIDIA" in text:
        return next((f"gpu {gpu}" for gpu, name in _GPUS.items() if name.search(text)), None), text
    if _SSD.search(text):
        return "ssd", text
    host = _HOST.fullmatch(text)
    return (f"{host['family']} {'ram' if host['what'] == 'Ram' else 'core'}" if host else None), text


def hourly_price(row: Row) -> Decimal | None:
    """USD per hour of one core, GiB or GPU; None where it is 0. Raises ValueUnreadable on anything else."""
    pricing = row.items("pricingInfo")
    if not pricing:
        return None
    expression = Row(Row(pricing[0], "pricingInfo[]").need("pricingExpression"), "pricingExpression")
    unit, rates = expression.text("usageUnit"), expression.items("tieredRates")
    if unit not in UNIT_HOURS or len(rates) != 1:
        raise ValueUnreadable(f"skus[]: usageUnit {unit!r} with {len(rates)} rates is not a price of a part")
    price = Row(Row(rates[0], "tieredRates[]").need("unitPrice"), "unitPrice")
    if price.text("currencyCode") != "USD":
        raise ValueUnreadable(
            f"skus[]: currencyCode is {price.need('currencyCode')!r}, dollars were asked for"
        )
    units, nanos = (decimal(price.need(field)) or Decimal(0) for field in ("units", "nanos"))
    return (units + nanos.scaleb(NANO)) / UNIT_HOURS[unit] or None


def compose(machine: Machine, prices: dict[Part, Decimal]) -> tuple[Decimal, str] | None:
    """A machine's price per hour and how it came about; None where a part has no price."""
    parts = machine.parts()
    if not all(part in prices for part in parts):
        return None
    total = sum((count * prices[part] for part, count in parts.items()), Decimal(0))
    said = " + ".join(
        f"{count:f} {part} x {prices[part]:.9f}".rstrip("0").rstrip(".") for part, count in parts.items()
    )
    return total, f"composed: {said}"


def machine_facts(machine: Machine, gpu_name: str) -> dict[str, Any]:
    """The machine as fields of an offer."""
    several = machine.name.startswith("n1-")
    return {
        "instance_type": machine.name,
        "gpu_name_raw": gpu_name,
        "gpu_count": machine.gpus,
        "vcpus": machine.vcpus,
        "memory_gib": machine.memory_gib,
        "offer_key": f"{machine.gpu} x {machine.gpus}" if several else None,
    }
