"""The offer row of the contract: its columns, its age and its state. Stored and dry-run rows alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

CONTRACT_COLUMNS = (
    "provider",
    "instance_type",
    "accelerator_id",
    "candidates",
    "partition",
    "gpu_name_raw",
    "gpu_count",
    "gpu_memory_gb",
    "interconnect",
    "vcpus",
    "memory_gib",
    "region",
    "country",
    "price_kind",
    "term_months",
    "price_per_hour",
    "currency",
    "price_raw",
    "price_unit",
    "price_usd_per_hour",
    "price_usd_per_gpu_hour",
    "available",
    "observed_at",
    "age_hours",
    "state",
    "first_party",
    "source_url",
    "run_id",
    "body_sha256",
)
EXTRA_COLUMNS = (
    "offer_id",
    "source",
    "family",
    "disk_gb",
    "continent",
    "fx_rate",
    "fx_date",
    "available_count",
    "is_floor",
    "effective_from",
    "price_since",
    "origin",
    "missing_runs",
    "billing_increment_seconds",
    "minimum_seconds",
    "kind",
    "offer_key",
    "machine_id",
    "note",
    "interruption_rate_low",
    "interruption_rate_high",
)
COLUMNS = CONTRACT_COLUMNS + EXTRA_COLUMNS
COMPUTED = ("age_hours", "state")


@dataclass(frozen=True, slots=True)
class AgeLimits:
    """R11: hours after which an offer is aging, stale (out of best buys) and expired."""

    aging: float
    stale: float
    expired: float


LIST_LIMITS = AgeLimits(36, 72, 168)
FAST_LIMITS = AgeLimits(2, 12, 24)
"""Spot prices and marketplaces."""


def age_limits(price_kind: str, kind: str) -> AgeLimits:
    """The limits for a price kind of a source of this kind (list, marketplace, serverless)."""
    return FAST_LIMITS if price_kind == "spot" or kind == "marketplace" else LIST_LIMITS


def age_hours(observed_at: datetime, now: datetime) -> float:
    """Hours since the price was seen, never below 0, to a hundredth."""
    return round(max(0.0, (now - observed_at).total_seconds() / 3600), 2)


def offer_state(age: float, price_kind: str, kind: str, missing_runs: int) -> str:
    """ok, aging, stale, expired or missing. What is too old to act on says so before it says missing."""
    limits = age_limits(price_kind, kind)
    if age > limits.expired:
        return "expired"
    if age > limits.stale:
        return "stale"
    if missing_runs:
        return "missing"
    return "aging" if age > limits.aging else "ok"


def finished_row(values: dict[str, Any], now: datetime, *, held: str | None = None) -> dict[str, Any]:
    """A row as `offers --json` prints it, from the stored columns.

    Args:
        values: the columns of `COLUMNS` apart from age and state.
        now: the moment the age is counted to.
        held: why the row is held ("R2: ..."), None where it is not.
    """
    observed_at = _aware(values["observed_at"])
    age = age_hours(observed_at, now)
    state = offer_state(age, values["price_kind"], values["kind"] or "list", values["missing_runs"] or 0)
    finished = {
        **values,
        "observed_at": observed_at,
        "price_since": None if values["price_since"] is None else _aware(values["price_since"]),
        "age_hours": age,
        "state": f"held: {held}" if held else state,
        "candidates": list(values["candidates"] or ()),
        "offer_id": str(values["offer_id"]),
    }
    return {column: finished[column] for column in COLUMNS}


def _aware(moment: datetime) -> datetime:
    """The moment in UTC; DuckDB's plain timestamps are UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
