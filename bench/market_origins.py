"""Reads the collected market tables and turns each licensed row into a candidate offer, or refuses it.

One function per origin, because each origin is odd in its own way. A reader returns a `Candidate`, or the
reason (a sentence) for which the row stays out of the bundle; `bench.compile_market` counts the reasons.
What the columns of the tables mean is said in the collection's own README; what the origins are and under
which licence they come stands in `warehouse/market/origins.csv`.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

Row = dict[str, str]
MARKET = Path(__file__).parent.parent / "warehouse" / "market"


# GPUs of one memory size only, which some lists print with another (or sell in slices without saying so).
MEMORY_GB = {"l40": 48.0, "b300": 288.0, "h100-nvl": 94.0, "rtx-pro-6000": 96.0}
# Seen 2026-09-12 and 2026-10-01; the list of 2026-08-22 and another tracker's of 2026-10-24 say twice that.
TOGETHER_DOUBTED_FROM = date(2026, 8, 22)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One observation of one origin; fields as in `warehouse.records.Offer`, `ref` names its file."""

    origin: str
    ref: str
    observed_at: datetime
    provider: str
    instance_type: str | None
    gpu_name_raw: str | None
    gpu_count: float | None
    gpu_memory_gb: float | None
    interconnect: str | None = None
    vcpus: float | None = None
    memory_gib: float | None = None
    region: str | None = None
    price_kind: str
    term_months: int | None = None
    price_raw: Decimal
    price_unit: str
    currency: str
    is_floor: bool = False
    available: bool | None = None
    offer_key: str | None = None
    note: str | None = None

    def shape(self) -> tuple[object, ...]:
        """What is sold, without how it is sold: the key under which spot and on-demand are compared."""
        name = self.instance_type and re.sub(r"[_-]", "", self.instance_type.lower())
        return (self.provider, name, self.gpu_name_raw, self.gpu_count, self.gpu_memory_gb, self.region)

    def key(self) -> tuple[object, ...]:
        """The natural key of the offer."""
        return (*self.shape(), self.price_kind, self.term_months, self.offer_key)


class Refused(Exception):  # noqa: N818  a verdict, not an error
    """The row stays out; the text is the reason."""


BLANK = dict.fromkeys(("interconnect", "vcpus", "memory_gb", "region", "available", "source_url"), "")


def read_table(path: Path) -> Iterator[Row]:
    """Rows of a (gzipped) CSV; columns that a table leaves out are blank."""
    packed = path.read_bytes()
    text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode("utf-8")
    yield from (BLANK | row for row in csv.DictReader(io.StringIO(text, newline="")))


def candidate(row: Row) -> Candidate:
    """The candidate offer of a row. Raises Refused with the reason for which it stays out."""
    source = row["source_file"]
    for prefix, (origin, reader) in READERS.items():
        if source.startswith(prefix):
            return reader(_common(row, origin), row)
    raise Refused("origin without a licence to ship its data")


def _common(row: Row, origin: str) -> Candidate:
    if origin == "vendor_pages":
        _own_page(row["source_url"])
    if row["provider"] == "packet-ai":
        raise Refused("taken from another tracker, not from the provider")
    kind, term = _kind(row["price_kind"])
    provider = _slugs().get(row["provider"])
    if provider is None:
        raise Refused(f"provider slug {row['provider']!r} is in no table")
    return Candidate(
        origin=origin,
        ref=_ref(row["source_file"]),
        observed_at=_time(row["observed_at"]),
        provider=provider,
        instance_type=row["instance_type"] or None,
        gpu_name_raw=row["gpu_model_raw"] or None,
        gpu_count=_number(row["gpu_count"]),
        gpu_memory_gb=_number(row["gpu_memory_gb"]),
        interconnect=row["interconnect"] or None,
        vcpus=_number(row["vcpus"]),
        region=row["region"] or None,
        price_kind=kind,
        term_months=term,
        price_raw=_price(row["price_per_hour"]),
        price_unit=f"per {row['per']}-hour",
        currency=row["currency"],
    )


def _gpurentalprices(base: Candidate, row: Row) -> Candidate:
    """Per GPU, normalised names; `instance_type` holds the origin's own kind (secure, community ...)."""
    label = base.instance_type
    if base.provider == "gcp":
        raise Refused("the GPU alone, without the machine it needs (Google's GPU price page)")
    if base.provider == "aws":
        raise Refused("taken from a cache that AWS's own list contradicts (H100 12.29 against 6.88)")
    if base.provider == "azure":
        raise Refused(
            "a hyperscaler's price without machine type and region; the lists that name both are used"
        )
    if base.provider == "together" and base.observed_at.date() > TOGETHER_DOUBTED_FROM:
        raise Refused(
            "Together at half its list (H100 1.99), which its own list and others' contradict (3.99)"
        )
    if label == "community" and base.provider == "salad":
        base = replace(base, price_kind="spot", note="interruptible community machine, lowest priority")
    if base.provider == "sf_compute":
        base = replace(base, price_kind="spot", note="average of trades on a market")
    if base.provider in ("modal", "cerebrium", "tensordock"):
        base = replace(base, note="CPU and memory are billed apart")
    key = label if label in ("secure", "community") else None
    floor = base.provider == "gmicloud"
    return _checked(replace(base, instance_type=None, offer_key=key, is_floor=floor))


def _tardellirs(base: Candidate, row: Row) -> Candidate:
    """Per GPU; `instance_type` holds the tier. Its own pricing.md says which prices are estimates."""
    spot = base.price_kind == "spot"
    if base.provider in ("coreweave", "salad"):
        raise Refused("the GPU alone, without CPU and memory (CoreWeave's classic page, Salad's older list)")
    if base.provider == "thunder":
        raise Refused("tiers mislabelled: an H100 at the price of an L40")
    if base.provider == "runpod" and spot:
        raise Refused("RunPod's serverless workers labelled as spot")
    small_a100 = base.provider == "verda" and base.gpu_memory_gb == 40
    if spot and (base.provider in ("jarvislabs", "vast") or small_a100):
        raise Refused("a spot price that the origin estimated from the on-demand price")
    tier = base.instance_type if base.instance_type in ("secure", "community") else None
    host = f"{row['vcpus']} vCPU {row['memory_gb']} GB" if row["vcpus"] else None
    key = " ".join(part for part in (tier, base.interconnect, host) if part) or None
    base = replace(base, instance_type=None, offer_key=key)
    if base.provider == "akash":  # the network has no interruptible offers
        base = replace(base, price_kind="on_demand")
    if base.provider in ("akash", "spheron", "vast"):
        base = replace(base, is_floor=True, note="cheapest listing of the marketplace on that day")
    if base.provider == "vultr" and host is None:
        base = replace(base, is_floor=True, note="bare metal, starting at")
    return _checked(base)


def _machine_list(base: Candidate, row: Row) -> Candidate:
    """Lists that name machine types only: what is inside is answered by our table of machine types."""
    return replace(base, gpu_name_raw=None, gpu_count=None, gpu_memory_gb=None, vcpus=None)


def _karpenter_azure(base: Candidate, row: Row) -> Candidate:
    return _azure(base)


def _azure_radar(base: Candidate, row: Row) -> Candidate:
    if row["available"] == "low-priority":
        base = replace(base, price_kind="low_priority")
    return _azure(base)


def _azure(base: Candidate) -> Candidate:
    name = base.instance_type or ""
    if name.endswith(("_Promo", "_Type1", "_NU")):
        raise Refused("Azure promotional prices and dedicated hosts: not what is on sale to everyone")
    if re.search(r"RTX(PRO)?6", name, re.IGNORECASE):
        raise Refused(
            "Azure RTX PRO 6000 machines: the origin does not say how many GPUs, or which part of one"
        )
    if not re.match(r"Standard_(N[CD]|NV\d+ad\w*_A10)", name) or re.match(r"Standard_NC\d+r?$", name):
        raise Refused("Azure machines for graphics, or of GPUs withdrawn from sale (K80, M60, MI25, V710)")
    return _machine_list(base, {})


def _karpenter_aws(base: Candidate, row: Row) -> Candidate:
    if re.match(r"(g3s?|g4ad|g5g|p2|inf1|dl1)\.", base.instance_type or ""):
        raise Refused(
            "AWS machines of GPUs that no question is about (K80, M60, V520, T4G, Inferentia 1, Gaudi 1)"
        )
    return _machine_list(base, row)


def _gcp(base: Candidate, row: Row) -> Candidate:
    name = base.instance_type or ""
    if name in ("g2-standard-12", "g2-standard-16", "g2-standard-32"):
        raise Refused("Google machines that differ only in host size (g2-standard-12, -16, -32)")
    offer = replace(_machine_list(base, row), memory_gib=_number(row["memory_gb"]), vcpus=base.vcpus)
    if base.price_kind == "on_demand" and re.fullmatch(r"a3-highgpu-[124]g", name):
        return replace(offer, available=False, note="listed; sold only as spot or flex-start")
    return offer


def _koyakimu(base: Candidate, row: Row) -> Candidate:
    if base.region == "unknown":
        raise Refused("Capacity Block without a region")
    if base.price_raw / Decimal(str(base.gpu_count or 1)) < Decimal("0.4"):
        raise Refused("Capacity Block printed with the price of one accelerator for a whole rack")
    return base


def _tugot17(base: Candidate, row: Row) -> Candidate:
    """Prime Intellect resells others' machines: it is the provider, the upstream cloud is the offer's key."""
    found = re.fullmatch(r"via primeintellect: min of (\d+) \(avg ([\d.]+)\)", row["instance_type"])
    if found is None:
        raise Refused("Prime Intellect row of an unknown form")
    if base.price_raw < Decimal(found[2]) * Decimal("0.95"):
        raise Refused("lowest of a mixture that holds spot offers (lowest more than 5 % below the average)")
    return replace(
        base,
        provider="prime_intellect",
        instance_type=None,
        offer_key=row["provider"],
        note=f"upstream {row['provider']}, lowest of {found[1]}",
    )


def _ccir(base: Candidate, row: Row) -> Candidate:
    """One Vast.ai listing; the interconnect column holds the origin's remarks."""
    listing = row["instance_type"].removeprefix("ask ").split(" ")[0]
    return replace(base, instance_type=None, interconnect=None, offer_key=f"ask {listing}")


def _vendor_pages(base: Candidate, row: Row) -> Candidate:
    """Read from the provider's own page: only rows that name such a page as their address."""
    label = base.instance_type
    if label and label.startswith("rate effective"):
        raise Refused("announced price, not yet in force")
    key = label if label in ("secure", "community") else None
    return replace(base, ref=row["source_url"], instance_type=None, offer_key=key)


def _own_page(address: str) -> None:
    if address.split("/")[2] in ("raw.githubusercontent.com", "huggingface.co", "github.com"):
        raise Refused("read from a third party's file that states no licence")


def _checked(base: Candidate) -> Candidate:
    """Oddities of normalised per-GPU lists."""
    name = (base.gpu_name_raw or "").lower()
    stated = re.search(r"[ -](40|80|94|96|141|192|288)(?:\s?gb)?$", name)
    known = float(stated[1]) if stated else MEMORY_GB.get(name.removeprefix("nvidia "))
    if known and base.gpu_memory_gb and abs(base.gpu_memory_gb - known) > 0.12 * known:
        raise Refused("memory contradicts the GPU's name (a100-sxm-80 with 40 GB, a B300 with 180 GB)")
    large = re.search(r"h200|b200|b300|mi300x|rtx-pro-6000", name)
    if base.provider == "runpod" and large and base.price_raw == Decimal("0.5"):
        raise Refused("RunPod's placeholder 0.50 for GPUs it does not offer")
    return base


Reader = Callable[[Candidate, Row], Candidate]
READERS: dict[str, tuple[str, Reader]] = {
    "gpurentalprices/": ("gpurentalprices", _gpurentalprices),
    "tardellirs_offerings": ("tardellirs", _tardellirs),
    "azure-pricing-radar/": ("azure_pricing_radar", _azure_radar),
    "cyclenerd ": ("cyclenerd", _gcp),
    "karpenter-gcp ": ("karpenter_gcp", _gcp),
    "karpenter-aws ": ("karpenter_aws", _karpenter_aws),
    "karpenter-azure ": ("karpenter_azure", _karpenter_azure),
    "koyakimu ": ("koyakimu", _koyakimu),
    "tugot17 ": ("tugot17", _tugot17),
    "ccir ": ("ccir", _ccir),
    "transcribed/docs_excerpts": ("vendor_pages", _vendor_pages),
}


_SLUGS: dict[str, str] = {}


def _slugs() -> dict[str, str]:
    if not _SLUGS:
        _SLUGS.update({row["slug"]: row["provider"] for row in read_table(MARKET / "providers.csv")})
        # Prime Intellect's upstream clouds, and two code names of it: kept only as the key of its offers.
        upstream = ("dc-gnu", "dc-roan", "dc-wildebeest", "oblivus", "primecompute")
        _SLUGS.update(dict.fromkeys(upstream, "prime_intellect"))
    return _SLUGS


def _ref(source: str) -> str:
    """The part of the origin's address that names the file or the revision."""
    if "@" in source:
        return source.rsplit("@", 1)[1]
    name = re.sub(r"^(tugot17|ccir) ", "", source.rsplit("/", 1)[-1])
    return name.removesuffix(".json")


def _kind(text: str) -> tuple[str, int | None]:
    found = re.fullmatch(r"reserved_(\d+)m", text)
    if found:
        return "reserved", int(found[1])
    if text not in ("on_demand", "spot", "serverless", "capacity_block"):
        raise Refused(f"price kind {text!r} has no term that we can state")
    return text, None


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).replace(microsecond=0)


def _number(text: str) -> float | None:
    """A size; empty and 0 both mean not known."""
    return (float(text) if text else 0.0) or None


def _price(text: str) -> Decimal:
    """The price without the noise of binary fractions (1.1016000000000001)."""
    price = Decimal(text)
    if not price.is_finite() or price <= 0:
        raise Refused("price of 0, which means not offered")
    return round(price, 8).normalize()
