"""Checks that records share: each raises `RecordError` with the field's name and the offending value."""

from __future__ import annotations

import math
import re
from datetime import datetime
from decimal import Decimal

from warehouse.errors import RecordError

TEXT_LIMIT = 500
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_PERIOD = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z)?)?)?")


def require_id(field: str, value: str) -> None:
    """A lower-case id."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", value):
        raise RecordError(f"{field} {value!r} is not a lower-case id")


def require_text(field: str, value: str | None) -> None:
    """A printable text of sensible length, or None."""
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


def require_utc(field: str, value: datetime) -> None:
    """A moment with a time zone."""
    if value.tzinfo is None or value.utcoffset() is None:
        raise RecordError(f"{field} {value!r} has no time zone")


def require_price(field: str, value: Decimal) -> None:
    """A Decimal above 0."""
    if not isinstance(value, Decimal):
        raise RecordError(f"{field} {value!r} must be a Decimal, not {type(value).__name__}")
    if not value.is_finite() or value <= 0:
        raise RecordError(f"{field} {value} is not a price: it must be finite and above 0")


def require_positive(field: str, value: float | None) -> None:
    """A number above 0, or None."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise RecordError(f"{field} {value!r} must be above 0; leave it None where it is not known")


def require_band(field: str, low: float | None, high: float | None, *, largest: float) -> None:
    """A band from `low` to `high` (None: open) within 0 to `largest`, or both None."""
    for name, value in ((f"{field}_low", low), (f"{field}_high", high)):
        if value is not None and not (math.isfinite(value) and 0 <= value <= largest):
            raise RecordError(f"{name} {value!r} is not between 0 and {largest:g}")
    if high is not None and (low is None or low > high):
        raise RecordError(f"{field}_low {low!r} is above {field}_high {high!r}, or missing")


def require_currency(value: str) -> None:
    """An ISO 4217 code."""
    if not _CURRENCY.fullmatch(value):
        raise RecordError(f"currency {value!r} is not an ISO 4217 code")


def require_digest(value: str | None) -> None:
    """A SHA-256 in hexadecimal, or None."""
    if value is not None and not _SHA256.fullmatch(value):
        raise RecordError(f"body_sha256 {value!r} is not a SHA-256")


def require_address(field: str, value: str) -> None:
    """An http(s) address."""
    if not value.startswith(("https://", "http://")):
        raise RecordError(f"{field} {value!r} is not an http(s) address")


def require_period(value: str | None) -> None:
    """A year, month, day or moment in UTC, ISO 8601, so that texts of one source sort by time; or None."""
    if value is not None and not _PERIOD.fullmatch(value):
        raise RecordError(
            f"period {value!r} is not a year, month, day or UTC moment (2024, 2026-11-21T10:00Z)"
        )
