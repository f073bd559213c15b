"""Exchange rates that ship with the package, and the conversion of one unit to US dollars.

Rates are those of the European Central Bank: units of a currency that one euro buys. The bundled ones are a
fallback for a warehouse that has never read the bank's own files: a few days per month, the newest months
with few currencies.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from warehouse.errors import RecordError, ReferenceDataError
from warehouse.records import FxRate
from warehouse.reference import read_table

PUBLISHED_AT = time(15, 0, tzinfo=UTC)
"""The bank publishes about 16:00 Central European Time."""
_Days = dict[str, tuple[list[date], list[Decimal]]]


def bundled_rates() -> list[FxRate]:
    """The rates of `reference/fx_rates.csv`, oldest first. Raises ReferenceDataError."""
    return list(_bundled())


def usd_per_unit(
    currency: str, on: date, rates: Iterable[FxRate] | None = None
) -> tuple[Decimal, date] | None:
    """US dollars that one unit of `currency` buys on the day `on`, and the day of the rate used.

    The cross rate USD per EUR / units per EUR, both of one day: the newest day not after `on` that has both.
    None where there is no such day. The dollar itself is 1 on the day asked.

    Args:
        currency: ISO 4217 code.
        on: the day the price was true.
        rates: rates to use, the bundled ones if None.
    """
    if currency == "USD":
        return Decimal(1), on
    days = _bundled_days() if rates is None else _cross_rates(rates)
    known = days.get(currency)
    position = bisect_right(known[0], on) if known else 0
    return (known[1][position - 1], known[0][position - 1]) if known and position else None


def _cross_rates(rates: Iterable[FxRate]) -> _Days:
    """USD per unit by currency, days ascending; only days that have a dollar rate."""
    by_day: dict[date, dict[str, Decimal]] = {}
    for rate in rates:
        by_day.setdefault(rate.rate_date, {})[rate.currency] = rate.units_per_eur
    days: _Days = {}
    for day in sorted(by_day):
        dollar = by_day[day].get("USD")
        if dollar is None:
            continue
        for currency, units in {**by_day[day], "EUR": Decimal(1)}.items():
            known = days.setdefault(currency, ([], []))
            known[0].append(day)
            known[1].append(dollar / units)
    return days


@lru_cache(maxsize=1)
def _bundled_days() -> _Days:
    return _cross_rates(_bundled())


@lru_cache(maxsize=1)
def _bundled() -> tuple[FxRate, ...]:
    return tuple(_rate(line, row) for line, row in read_table("fx_rates.csv"))


def _rate(line: int, row: dict[str, str]) -> FxRate:
    try:
        day = date.fromisoformat(row["rate_date"])
        return FxRate(
            rate_date=day,
            currency=row["currency"],
            units_per_eur=Decimal(row["units_per_eur"]),
            source_url=row["source_url"],
            observed_at=datetime.combine(day, PUBLISHED_AT),
        )
    except (ValueError, InvalidOperation, RecordError) as error:
        raise ReferenceDataError(f"fx_rates.csv line {line}: {error}; correct the row") from None
