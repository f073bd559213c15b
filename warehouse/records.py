"""The records that crawlers hand to the warehouse: the contract between the two.

A record is verbatim: the provider's own GPU name, region, price, unit and currency. Meaning (which
accelerator, which country, how many dollars an hour) is added later, in `warehouse.clean`. A record that
cannot be true cannot be built: construction raises `RecordError`, whose text repeats the offending value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from warehouse.errors import RecordError
from warehouse.record_checks import (
    require_address,
    require_band,
    require_currency,
    require_digest,
    require_id,
    require_period,
    require_positive,
    require_price,
    require_text,
    require_utc,
)
from warehouse.units import grams_co2e_per_kwh, parse_price_unit, parse_token_unit

MOST_GRAMS_PER_KWH = 2_000
"""Burning lignite or oil alone gives some 1,100 g of CO2 per kWh; what is far beyond is another unit."""


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
        interruption_rate_low, interruption_rate_high: share of such spot machines that the provider took back
            within a month, as a band (0.05 to 0.1). The upper end is None where it is open, both where none
            is stated.
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
    interruption_rate_low: float | None = None
    interruption_rate_high: float | None = None

    def __post_init__(self) -> None:
        require_id("provider", self.provider)
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
            require_text(field, getattr(self, field))
        require_address("source_url", self.source_url)
        require_utc("observed_at", self.observed_at)
        require_price("price_raw", self.price_raw)
        if self.upfront_raw is not None:
            require_price("upfront_raw", self.upfront_raw)
        object.__setattr__(self, "price_kind", _price_kind(self.price_kind))
        parse_price_unit(self.price_unit)
        require_currency(self.currency)
        for field in ("gpu_count", "gpu_memory_gb", "vcpus", "memory_gib"):
            require_positive(field, getattr(self, field))
        if self.disk_gb is not None and not (math.isfinite(self.disk_gb) and self.disk_gb >= 0):
            raise RecordError(f"disk_gb {self.disk_gb!r} is not a size")
        if self.term_months is not None and not 1 <= self.term_months <= 120:
            raise RecordError(f"term_months {self.term_months!r} is not between 1 and 120")
        if self.tax_rate is not None and not 0 <= self.tax_rate < 1:
            raise RecordError(f"tax_rate {self.tax_rate!r} is not a share between 0 and 1")
        if self.available_count is not None and self.available_count < 0:
            raise RecordError(f"available_count {self.available_count!r} is negative")
        require_band(
            "interruption_rate", self.interruption_rate_low, self.interruption_rate_high, largest=1.0
        )
        require_digest(self.body_sha256)


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
        require_currency(self.currency)
        require_price("units_per_eur", self.units_per_eur)
        require_utc("observed_at", self.observed_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """What one seller asks for the tokens of one hosted model, as the source says it.

    A price that the source prints as 0, or as a sign for "varies", is None. A model that is listed without
    any price is a record too; its note then says why.

    Attributes:
        provider: who serves the model, as the source names it ("fireworks_ai").
        source: id of the source within the spider.
        source_url: the address that a person can check.
        observed_at: when the source was read (UTC, timezone-aware).
        model: the model's id as printed, unique within source and provider.
        input_raw, output_raw, cached_input_raw: price of tokens read, written, and read from a cache, in
            ``price_unit``; None where not stated.
        price_unit: "USD per token" or "USD per 1e6 tokens"; see `warehouse.units`.
        mode: kind of model as printed ("chat"), None where not stated.
        context_length: tokens that the model takes, None where not stated.
        retired_on: day on which the source says the model is withdrawn, None for none.
        first_party: False where another party compiled or resells it.
        upstream: where a compiler says it has the price from, as printed.
        note: a short remark for people; holds nothing that code depends on.
        body_sha256: SHA-256 of the response body.
    """

    provider: str
    source: str
    source_url: str
    observed_at: datetime
    model: str
    price_unit: str
    input_raw: Decimal | None = None
    output_raw: Decimal | None = None
    cached_input_raw: Decimal | None = None
    mode: str | None = None
    context_length: int | None = None
    retired_on: date | None = None
    first_party: bool = False
    upstream: str | None = None
    note: str | None = None
    body_sha256: str | None = None

    def __post_init__(self) -> None:
        require_id("source", self.source.replace(":", "_"))
        for field in ("provider", "model", "mode", "upstream", "note"):
            require_text(field, getattr(self, field))
        require_address("source_url", self.source_url)
        require_utc("observed_at", self.observed_at)
        for field in ("input_raw", "output_raw", "cached_input_raw"):
            if getattr(self, field) is not None:
                require_price(field, getattr(self, field))
        if self.input_raw is None and self.output_raw is None and self.note is None:
            raise RecordError(f"model {self.model!r} has no price and no note that says why")
        parse_token_unit(self.price_unit)
        require_positive("context_length", self.context_length)
        require_digest(self.body_sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridCarbon:
    """Carbon intensity of the electricity that a region or grid zone uses, as the source says it.

    Attributes:
        source: id of the source within the spider.
        source_url: the address that a person can check.
        observed_at: when the source was read (UTC, timezone-aware).
        provider: the cloud whose region it is (``gcp``), None where `region` is a grid zone.
        region: region or grid zone as printed.
        intensity_raw: the number as printed, 0 or more: an all-hydro grid may be stated as 0.
        intensity_unit: the unit as printed ("gCO2eq / kWh", "metric ton/kWh"); see `warehouse.units`.
        location: place as printed, None where not stated.
        basis: what is counted, in the source's word ("lifecycle", "direct"), None where not stated.
        carbon_free_share: share of carbon-free energy that the operator states, 0 to 1.
        period: what the number stands for: a year, month, day or UTC moment; None where not stated.
        note: a short remark for people; holds nothing that code depends on.
        body_sha256: SHA-256 of the response body.
    """

    source: str
    source_url: str
    observed_at: datetime
    region: str
    intensity_raw: Decimal
    intensity_unit: str
    provider: str | None = None
    location: str | None = None
    basis: str | None = None
    carbon_free_share: float | None = None
    period: str | None = None
    note: str | None = None
    body_sha256: str | None = None

    def __post_init__(self) -> None:
        require_id("source", self.source.replace(":", "_"))
        if self.provider is not None:
            require_id("provider", self.provider)
        for field in ("region", "location", "basis", "note"):
            require_text(field, getattr(self, field))
        require_address("source_url", self.source_url)
        require_utc("observed_at", self.observed_at)
        grams = grams_co2e_per_kwh(self.intensity_raw, self.intensity_unit)
        if not grams.is_finite() or not 0 <= grams <= MOST_GRAMS_PER_KWH:
            raise RecordError(
                f"intensity_raw {self.intensity_raw} {self.intensity_unit} is {grams:,.0f} g per kWh; "
                f"no grid is outside 0 to {MOST_GRAMS_PER_KWH:,}"
            )
        if self.carbon_free_share is not None and not 0 <= self.carbon_free_share <= 1:
            raise RecordError(f"carbon_free_share {self.carbon_free_share!r} is not a share between 0 and 1")
        require_period(self.period)
        require_digest(self.body_sha256)


Record = Offer | FxRate | TokenPrice | GridCarbon


def _price_kind(value: str) -> PriceKind:
    try:
        return PriceKind(value)
    except ValueError:
        known = ", ".join(kind.value for kind in PriceKind)
        raise RecordError(f"price_kind {value!r} is not one of {known}") from None
