"""Money: what hours of a machine cost, as the provider bills them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from recommender.sizing.results import Spread
from warehouse.units import HOURS_PER_MONTH, HOURS_PER_YEAR, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from recommender.market import OfferGroup

HOURS_OF_A_MONTH = float(HOURS_PER_MONTH)
MONTHS_OF_A_YEAR = 12
SECONDS_PER_DAY = 24 * SECONDS_PER_HOUR
BOOT_HOURS = 0.25  # machine, driver, container image: billed before the first step
LOAD_GB_PER_S = 1.0  # weights or a checkpoint from network storage into one machine
SAVE_GB_PER_S = 2.0  # a checkpoint from one machine to storage, all its GPUs writing
REPLACEMENT_WAIT_HOURS = 0.25  # until another interruptible machine is found; nobody publishes it


def billed_hours(
    hours: float, billing_increment_seconds: int | None, minimum_seconds: int | None, term_months: int | None
) -> float:
    """Hours that are paid for when a machine is used for `hours`.

    Rounded up to the billing increment (None: exact, as the increment is not known), at least the minimum,
    and in whole terms of a commitment.
    """
    seconds = hours * SECONDS_PER_HOUR
    if billing_increment_seconds:
        seconds = math.ceil(seconds / billing_increment_seconds - 1e-9) * billing_increment_seconds
    if minimum_seconds:
        seconds = max(seconds, minimum_seconds)
    paid = seconds / SECONDS_PER_HOUR
    if not term_months:
        return paid
    term = term_months * HOURS_PER_YEAR / MONTHS_OF_A_YEAR
    return max(1, math.ceil(paid / term - 1e-9)) * term


def billing_steps(group: OfferGroup) -> tuple[int | None, int | None]:
    """(increment, minimum) of a group in seconds, as stated; a capacity block is sold by the day."""
    if group.price_kind == "capacity_block":
        return group.billing_increment_seconds or SECONDS_PER_DAY, group.minimum_seconds or SECONDS_PER_DAY
    return group.billing_increment_seconds, group.minimum_seconds


def paid_term_months(group: OfferGroup) -> int | None:
    """Months that are paid at least, and in multiples of; a subscription without a stated term is monthly."""
    return group.term_months or (1 if group.price_kind == "subscription" else None)


def startup_hours(load_gb: float) -> float:
    """Hours from the order to the first useful step: boot, and `load_gb` at 1 GB/s."""
    return BOOT_HOURS + load_gb / LOAD_GB_PER_S / SECONDS_PER_HOUR


def save_hours(checkpoint_gb: float) -> float:
    """Hours that a checkpoint stops the work: `checkpoint_gb` of each machine at 2 GB/s, at least 1 s."""
    return max(1.0, checkpoint_gb / SAVE_GB_PER_S) / SECONDS_PER_HOUR


def shifted(hours: Spread, setup_hours: float) -> Spread:
    """Hours with the set-up before them."""
    return Spread(hours.p10 + setup_hours, hours.p50 + setup_hours, hours.p90 + setup_hours)


def added(one: Spread, other: Spread) -> Spread:
    """The sum of two costs that are high and low together."""
    return Spread(one.p10 + other.p10, one.p50 + other.p50, one.p90 + other.p90)


def widened(usd: Spread, factor: Spread) -> Spread:
    """A cost times an independent factor; a p10 of nothing stays nothing."""
    if usd.p10 > 0:
        return usd.combined(factor)
    high = Spread(usd.p50, usd.p50, usd.p90).combined(factor) if usd.p50 > 0 else usd.scaled(factor.p90)
    return Spread(usd.p10, high.p50, high.p90)


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
