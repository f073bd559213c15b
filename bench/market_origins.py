"""What each origin's rows mean: a row becomes a candidate offer, or is refused with its reason.

One function per origin, because each origin is odd in its own way; `bench.compile_market` counts the reasons.
What the origins are and under which licence they come stands in `warehouse/market/origins.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

from bench.market_rows import Candidate, Refused, Row, base_candidate, number

# GPUs of one memory size only, which some lists print with another (or sell in slices without saying so).
MEMORY_GB = {"l40": 48.0, "b300": 288.0, "h100-nvl": 94.0, "rtx-pro-6000": 96.0}
# Seen 2026-09-12 and 2026-10-01; the list of 2026-08-22 and another tracker's of 2026-10-24 say twice that.
TOGETHER_DOUBTED_FROM = date(2026, 8, 22)


def candidate(row: Row) -> Candidate:
    """The candidate offer of a row. Raises Refused with the reason for which it stays out."""
    source = row["source_file"]
    for prefix, (origin, reader) in READERS.items():
        if source.startswith(prefix):
            return reader(base_candidate(row, origin), row)
    raise Refused("origin without a licence to ship its data")


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
    base = replace(base, instance_type=None, offer_key=tier)
    if base.provider == "akash":  # the network has no interruptible offers
        base = replace(base, price_kind="on_demand")
    if base.provider in ("akash", "spheron", "vast"):
        base = replace(base, is_floor=True, note="cheapest listing of the marketplace on that day")
    if base.provider == "vultr" and base.vcpus is None:
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
    offer = replace(_machine_list(base, row), memory_gib=number(row["memory_gb"]), vcpus=base.vcpus)
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
