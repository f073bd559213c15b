"""Prices that a source states by component: their sum at one reference shape, the same for every source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

VCPUS_PER_GPU, RAM_PER_GPU, DISK_PER_GPU = 8, 32, 100
"""RAM and disk in the source's own unit (GB or GiB)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What goes with the GPUs of a machine: virtual CPUs, memory and disk in the source's unit."""

    gpus: int
    vcpus: float
    ram: float
    disk: float


def clipped(value: float, low: float | None, high: float | None) -> float:
    """The value, not below `low` and not above `high` where these are stated."""
    value = min(value, high) if high else value
    return max(value, low) if low else value


def composed(shape: Shape, prices: Mapping[str, Decimal | None]) -> tuple[Decimal | None, str]:
    """The price of a machine of that shape, and a note that names the components.

    Args:
        prices: per unit and hour, of ``gpu``, ``vcpu``, ``ram``, ``disk`` and further parts, which count
            once. None means not stated: without a GPU's price there is no price, another part is left out.
    """
    amounts = {"gpu": shape.gpus, "vcpu": shape.vcpus, "ram": shape.ram, "disk": shape.disk}
    parts = {part: (Decimal(str(amounts.get(part, 1))), price) for part, price in prices.items()}
    note = " + ".join(
        f"{float(amount):g} {part} x {price}" for part, (amount, price) in parts.items() if price
    )
    if prices["gpu"] is None:
        return None, note
    return sum((amount * price for amount, price in parts.values() if price), Decimal(0)), "composed: " + note
