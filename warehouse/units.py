"""Unit conversions: the only module of the project with 1024, 3600 or the hours of a month in it.

A provider states a price in its own unit; we keep that text (`price_raw`, `price_unit`) and derive the
whole instance's price per hour here. A price unit is written::

    [cent |1e-N ]per (instance|gpu)-(second|minute|hour|month|term)[ (H h)]

for example ``per gpu-hour``, ``cent per instance-hour``, ``1e-8 per instance-hour``,
``per instance-month (672 h)`` or ``per instance-term``. ``(H h)`` states how many hours the vendor's month
has; without it a month counts 730 hours (8,760 / 12). A term's hours follow from ``term_months``.

Token prices are written ``USD per token`` or ``USD per 1e6 tokens``. The units of grid carbon are the texts
that sources print.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from warehouse.errors import RecordError

SECONDS_PER_HOUR = 3600
MINUTES_PER_HOUR = 60
HOURS_PER_YEAR = 8760
HOURS_PER_MONTH = Decimal(730)
BYTES_PER_GIB = 1024**3
BYTES_PER_MIB = 1024**2
BYTES_PER_GB = 10**9
MIB_PER_GIB = 1024
BYTES_PER_UNIT = {"GB": 10**9, "TB": 10**12, "GiB": 1024**3, "TiB": 1024**4}

_PRICE_UNIT = re.compile(
    r"(?:(?P<scale>cent|1e-[1-9]\d?) )?per (?P<basis>instance|gpu)-(?P<period>second|minute|hour|month|term)"
    r"(?: \((?P<hours>\d+(?:\.\d+)?) h\))?"
)

TOKENS_PER_UNIT = {
    "USD per token": Decimal(1),
    "USD per 1e3 tokens": Decimal(1000),
    "USD per 1e6 tokens": Decimal(10**6),
}
GRAMS_PER_UNIT = {
    "gCO2eq / kWh": Decimal(1),
    "gCO2eq/kWh": Decimal(1),
    "metric ton/kWh": Decimal(10**6),
}


@dataclass(frozen=True, slots=True)
class PriceUnit:
    """A parsed price unit.

    Attributes:
        scale: factor from the stated number to whole currency units (0.01 for cents).
        basis: ``instance`` (the whole machine) or ``gpu`` (one GPU of it).
        period: ``second``, ``minute``, ``hour``, ``month`` or ``term``.
        hours_per_month: hours in the vendor's month; only of meaning for ``month``.
    """

    scale: Decimal
    basis: str
    period: str
    hours_per_month: Decimal

    def hours(self, term_months: int | None) -> Decimal:
        """Hours that one stated price buys, as a Decimal. A ``term`` needs ``term_months``."""
        if self.period == "hour":
            return Decimal(1)
        if self.period == "minute":
            return Decimal(1) / MINUTES_PER_HOUR
        if self.period == "second":
            return Decimal(1) / SECONDS_PER_HOUR
        if self.period == "month":
            return self.hours_per_month
        if not term_months:
            raise RecordError("price_unit 'term' needs term_months > 0")
        return Decimal(HOURS_PER_YEAR) * term_months / 12


@lru_cache(maxsize=256)
def parse_price_unit(text: str) -> PriceUnit:
    """Parse the text form described in the module docstring. Raises RecordError where it does not fit."""
    match = _PRICE_UNIT.fullmatch(text)
    if match is None:
        raise RecordError(f"price_unit {text!r} is not of the form 'per instance-hour' (see warehouse.units)")
    scale = match["scale"]
    factor = Decimal(1) if scale is None else Decimal("0.01") if scale == "cent" else Decimal(scale)
    hours = Decimal(match["hours"]) if match["hours"] else HOURS_PER_MONTH
    return PriceUnit(factor, match["basis"], match["period"], hours)


def price_per_instance_hour(
    price_raw: Decimal,
    price_unit: str,
    *,
    gpu_count: float | Decimal,
    term_months: int | None = None,
    upfront_raw: Decimal | None = None,
) -> Decimal:
    """Native-currency price of the whole instance for one hour.

    Args:
        price_raw: the number as the provider states it, in ``price_unit``.
        price_unit: text form of the unit.
        gpu_count: GPUs of the instance (a fraction for a slice); multiplies a per-GPU price.
        term_months: the commitment's length; needed for ``term`` units and to spread ``upfront_raw``.
        upfront_raw: a one-off payment at the start of the term, same currency and scale as ``price_raw``.
    """
    unit = parse_price_unit(price_unit)
    hourly = price_raw * unit.scale / unit.hours(term_months)
    if upfront_raw:
        if not term_months:
            raise RecordError("upfront_raw needs term_months > 0")
        hourly += upfront_raw * unit.scale / (Decimal(HOURS_PER_YEAR) * term_months / 12)
    return hourly * Decimal(str(gpu_count)) if unit.basis == "gpu" else hourly


def parse_token_unit(text: str) -> Decimal:
    """Tokens that one stated price buys. Raises RecordError where the unit is not known."""
    if text not in TOKENS_PER_UNIT:
        raise RecordError(f"price_unit {text!r} is not one of: {', '.join(TOKENS_PER_UNIT)}")
    return TOKENS_PER_UNIT[text]


def usd_per_million_tokens(price_raw: Decimal | None, price_unit: str) -> Decimal | None:
    """A token price in US dollars per million tokens; None stays None."""
    return None if price_raw is None else price_raw * 10**6 / parse_token_unit(price_unit)


def grams_co2e_per_kwh(intensity_raw: Decimal, intensity_unit: str) -> Decimal:
    """A printed carbon intensity in grams of CO2 equivalent per kWh. RecordError: a unit not known."""
    if intensity_unit not in GRAMS_PER_UNIT:
        raise RecordError(f"intensity_unit {intensity_unit!r} is not one of: {', '.join(GRAMS_PER_UNIT)}")
    if not isinstance(intensity_raw, Decimal):
        raise RecordError(f"intensity_raw {intensity_raw!r} must be a Decimal")
    return intensity_raw * GRAMS_PER_UNIT[intensity_unit]


def bytes_to_gib(count: float) -> float:
    """Bytes to GiB (2**30)."""
    return count / BYTES_PER_GIB


def mib_to_gib(count: float) -> float:
    """MiB to GiB."""
    return count / MIB_PER_GIB


def gib_to_gb(gib: float) -> float:
    """GiB (2**30 bytes) to GB (10**9 bytes)."""
    return gib * BYTES_PER_GIB / BYTES_PER_GB


def gb_to_gib(gb: float) -> float:
    """GB (10**9 bytes) to GiB (2**30 bytes)."""
    return gb * BYTES_PER_GB / BYTES_PER_GIB


def size_to_gb(number: float, unit: str) -> float:
    """A size in GB, TB, GiB or TiB, as printed, to GB (10**9 bytes). KeyError for another unit."""
    return number * BYTES_PER_UNIT[unit] / BYTES_PER_GB
