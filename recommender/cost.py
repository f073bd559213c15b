"""Money: what hours of a machine cost, as the provider bills them."""

from __future__ import annotations

import math

from recommender.sizing.results import Spread
from warehouse.units import HOURS_PER_MONTH, HOURS_PER_YEAR, SECONDS_PER_HOUR

HOURS_OF_A_MONTH = float(HOURS_PER_MONTH)
MONTHS_OF_A_YEAR = 12
SETUP_HOURS = 0.25  # boot, image, weights: billed before the first step of a training job
# Interruption rates are not published: an assumption, wide on purpose. Lost work, restarts, waiting.
SPOT_OVERHEAD = Spread(1.0, 1.05, 1.3)
INTERRUPTIBLE = ("spot", "low_priority")


def billed_hours(
    hours: float, billing_increment_seconds: int | None, minimum_seconds: int | None, term_months: int | None
) -> float:
    """Hours that are paid for when a machine is used for `hours`.

    Rounded up to the billing increment (None: exact, as the increment is not known), at least the minimum,
    and at least the whole term of a commitment.
    """
    seconds = hours * SECONDS_PER_HOUR
    if billing_increment_seconds:
        seconds = math.ceil(seconds / billing_increment_seconds - 1e-9) * billing_increment_seconds
    if minimum_seconds:
        seconds = max(seconds, minimum_seconds)
    paid = seconds / SECONDS_PER_HOUR
    return max(paid, term_months * HOURS_PER_YEAR / MONTHS_OF_A_YEAR) if term_months else paid


def job_hours(hours: Spread, price_kind: str) -> Spread:
    """Wall hours of a training job with set-up, and with interruptions where the price kind has them."""
    lengthened = hours.combined(SPOT_OVERHEAD) if price_kind in INTERRUPTIBLE else hours
    return Spread(lengthened.p10 + SETUP_HOURS, lengthened.p50 + SETUP_HOURS, lengthened.p90 + SETUP_HOURS)


def job_cost(
    hours: Spread,
    machines: int,
    price_usd_per_hour: float,
    billing_increment_seconds: int | None,
    minimum_seconds: int | None,
    term_months: int | None,
) -> Spread:
    """US dollars of a job of `hours` on `machines` machines."""

    def usd(value: float) -> float:
        paid = billed_hours(value, billing_increment_seconds, minimum_seconds, term_months)
        return paid * machines * price_usd_per_hour

    return Spread(usd(hours.p10), usd(hours.p50), usd(hours.p90))


def monthly_cost(machines: tuple[int, int, int], price_usd_per_hour: float) -> Spread:
    """US dollars a month (730 hours) of always-on machines, by the spread of how many are needed."""
    low, middle, high = (count * price_usd_per_hour * HOURS_OF_A_MONTH for count in machines)
    return Spread(low, middle, high)


def usd_per_million(usd: float, tokens: float) -> float | None:
    """US dollars per million tokens, None where there are none."""
    return usd / tokens * 1e6 if tokens > 0 else None
