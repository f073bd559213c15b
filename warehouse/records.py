"""The records that crawlers hand to the warehouse: the contract between the two.

A record is verbatim: the provider's own GPU name, region, price, unit and currency. Meaning (which
accelerator, which country, how many dollars an hour) is added later, in `warehouse.clean`. A record that
cannot be true cannot be built: construction raises `RecordError`, whose text repeats the offending value.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from warehouse.errors import RecordError
from warehouse.units import parse_price_unit

TEXT_LIMIT = 500
_CURRENCY = re.compile(r"[A-Z]{3}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class PriceKind(StrEnum):
    """How the machine is sold. Values are those of the contract."""

    ON_DEMAND = "on_demand"
    SPOT = "spot"
    RESERVED = "reserved"
    SAVINGS_PLAN = "savings_plan"
    CAPACITY_BLOCK = "capacity_block"
    LOW_PRIORITY = "low_priority"
    FLEX = "flex"
    SERVERLESS = "serverless"
    SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One way to rent one machine shape at one price, as the provider says it.

    Attributes:
        provider: id of the cloud that is described (lower snake case).
        source: id of the source within the spider, ``azure`` or ``aws:spot``.
        source_url: the address that a person can check; never holds a credential.
        observed_at: when the price was true at the provider (UTC, timezone-aware).
        instance_type: the provider's name of the machine, None where it has none.
        gpu_name_raw: GPU name as printed, None where the source names only the instance type.
        gpu_count: GPUs in the machine, a fraction for a slice of one, None where the source does not say
            (the instance table answers then).
        gpu_memory_gb: memory of one GPU as stated, in the source's GB, None where not stated.
        partition: the slice as printed ("1g.24gb", "1/6"), None for whole GPUs or where the name says it.
        interconnect: GPU interconnect as printed ("NVLink", "PCIe"), None where not stated.
        vcpus: virtual CPUs of the machine.
        memory_gib: host memory of the machine, GiB.
        disk_gb: local disk that comes with the machine, GB.
        region: region or zone as printed, None where the price holds everywhere or is not stated.
        price_kind: see `PriceKind`.
        term_months: length of the commitment in months, None for none.
        price_raw: the number as printed, > 0, in ``price_unit``.
        price_unit: see `warehouse.units`.
        currency: ISO 4217 code.
        upfront_raw: one-off payment at the start of the term, same currency and scale, None for none.
        tax_rate: share of tax that is *inside* price_raw (0.2 = 20 % VAT), None or 0 for net prices.
        is_floor: True where the source says "from" or "starting at": shown, never ranked or indexed.
        effective_from: day from which an announced price holds, None for a price that holds now.
        available: can it be had now? True, False, or None where the source does not say.
        available_count: machines that can be had now, None where not stated.
        offer_key: the source's own key where the other fields do not tell two offers apart.
        machine_id: physical machine behind a marketplace offer (two offers may share one).
        note: a short remark for people; holds nothing that code depends on.
        body_sha256: SHA-256 of the response body that the price was read from.
    """

    provider: str
    source: str
    source_url: str
    observed_at: datetime
    price_kind: PriceKind
    price_raw: Decimal
    price_unit: str
    currency: str
    instance_type: str | None = None
    gpu_name_raw: str | None = None
    gpu_count: float | None = None
    gpu_memory_gb: float | None = None
    partition: str | None = None
    interconnect: str | None = None
    vcpus: float | None = None
    memory_gib: float | None = None
    disk_gb: float | None = None
    region: str | None = None
    term_months: int | None = None
    upfront_raw: Decimal | None = None
    tax_rate: float | None = None
    is_floor: bool = False
    effective_from: date | None = None
    available: bool | None = None
    available_count: int | None = None
    offer_key: str | None = None
    machine_id: str | None = None
    note: str | None = None
    body_sha256: str | None = None

    def __post_init__(self) -> None:
        _require_id("provider", self.provider)
        if not (self.instance_type or self.gpu_name_raw):
            raise RecordError("an offer needs an instance_type or a gpu_name_raw; both are empty")
        for field in (
            "instance_type",
            "gpu_name_raw",
            "partition",
            "interconnect",
            "region",
            "offer_key",
            "note",
        ):
            _require_text(field, getattr(self, field))
        if not self.source_url.startswith(("https://", "http://")):
            raise RecordError(f"source_url {self.source_url!r} is not an http(s) address")
        _require_utc("observed_at", self.observed_at)
        _require_price("price_raw", self.price_raw)
        if self.upfront_raw is not None:
            _require_price("upfront_raw", self.upfront_raw)
        object.__setattr__(self, "price_kind", _price_kind(self.price_kind))
        parse_price_unit(self.price_unit)
        if not _CURRENCY.fullmatch(self.currency):
            raise RecordError(f"currency {self.currency!r} is not an ISO 4217 code")
        for field in ("gpu_count", "gpu_memory_gb", "vcpus", "memory_gib"):
            _require_positive(field, getattr(self, field))
        if self.disk_gb is not None and not (math.isfinite(self.disk_gb) and self.disk_gb >= 0):
            raise RecordError(f"disk_gb {self.disk_gb!r} is not a size")
        if self.term_months is not None and not 1 <= self.term_months <= 120:
            raise RecordError(f"term_months {self.term_months!r} is not between 1 and 120")
        if self.tax_rate is not None and not 0 <= self.tax_rate < 1:
            raise RecordError(f"tax_rate {self.tax_rate!r} is not a share between 0 and 1")
        if self.available_count is not None and self.available_count < 0:
            raise RecordError(f"available_count {self.available_count!r} is negative")
        if self.body_sha256 is not None and not _SHA256.fullmatch(self.body_sha256):
            raise RecordError(f"body_sha256 {self.body_sha256!r} is not a SHA-256")


@dataclass(frozen=True, slots=True, kw_only=True)
class FxRate:
    """One exchange rate: how many units of `currency` one euro buys on `rate_date` (ECB convention)."""

    rate_date: date
    currency: str
    units_per_eur: Decimal
    source_url: str
    observed_at: datetime
    body_sha256: str | None = None

    def __post_init__(self) -> None:
        if not _CURRENCY.fullmatch(self.currency):
            raise RecordError(f"currency {self.currency!r} is not an ISO 4217 code")
        _require_price("units_per_eur", self.units_per_eur)
        _require_utc("observed_at", self.observed_at)


Record = Offer | FxRate


def _require_id(field: str, value: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", value):
        raise RecordError(f"{field} {value!r} is not a lower-case id")


def _require_text(field: str, value: str | None) -> None:
    if value is None:
        return
    if not value.strip():
        raise RecordError(f"{field} is blank; leave it None where it is not known")
    if len(value) > TEXT_LIMIT:
        raise RecordError(
            f"{field} is {len(value):,} characters long (limit {TEXT_LIMIT}): {value[:40]!r}..."
        )
    if _CONTROL.search(value):
        raise RecordError(f"{field} holds control characters or broken text: {value[:80]!r}")


def _require_utc(field: str, value: datetime) -> None:
    if value.tzinfo is None or value.utcoffset() is None:
        raise RecordError(f"{field} {value!r} has no time zone")


def _require_price(field: str, value: Decimal) -> None:
    if not isinstance(value, Decimal):
        raise RecordError(f"{field} {value!r} must be a Decimal, not {type(value).__name__}")
    if not value.is_finite() or value <= 0:
        raise RecordError(f"{field} {value} is not a price: it must be finite and above 0")


def _require_positive(field: str, value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise RecordError(f"{field} {value!r} must be above 0; leave it None where it is not known")


def _price_kind(value: str) -> PriceKind:
    try:
        return PriceKind(value)
    except ValueError:
        known = ", ".join(kind.value for kind in PriceKind)
        raise RecordError(f"price_kind {value!r} is not one of {known}") from None
