"""How much to commit: the cheapest mix of long, short and no commitments for an hourly demand.

The demand is cut into layers: layer k is needed in the hours in which at least k machines are. A layer is
paid for by the hour, or by a period in advance whether it is used or not. Periods nest (days in months,
months in quarters, halves, years, three years), so the best choice of a layer is found from the short
periods up. The sum over layers is the optimum of the whole: any set of commitments can be stacked from
the lowest layer up without changing its cost. It is the newsvendor's rule in every period: commit what is
used more than committed price / flexible price of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

HOURS_OF_A_DAY = 24
DAYS_OF_A_YEAR = 365
MONTHS_OF_A_YEAR = 12
# Whole days, so that blocks by the day fit into months: 30 or 31, together 365.
DAYS_OF_MONTHS = tuple(
    round((month + 1) * DAYS_OF_A_YEAR / MONTHS_OF_A_YEAR) - round(month * DAYS_OF_A_YEAR / MONTHS_OF_A_YEAR)
    for month in range(MONTHS_OF_A_YEAR)
)
MOST_DAYS = max(DAYS_OF_MONTHS)
TERMS = (1, 3, 6, 12, 36)  # months; each divides the next
MOST_MACHINES = 5_000


@dataclass(frozen=True, slots=True)
class Tariff:
    """What one machine costs in each way of buying it, US dollars an hour; None where it is not sold so.

    Attributes:
        on_demand: without any commitment. spot: expected, interruptions included.
        block: capacity blocks, by the day. terms: by months committed, one of `TERMS`.
    """

    on_demand: float | None
    spot: float | None = None
    block: float | None = None
    terms: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        for months, _ in self.terms:
            if months not in TERMS:
                raise ValueError(f"a term of {months} months is not one of {TERMS}")


@dataclass(frozen=True, slots=True)
class Mix:
    """The best mix and what it costs over the horizon.

    Attributes:
        usd: of the horizon. months: its length.
        committed: machines bound from the start, by months of the term (1: the average number of a month).
        block_days: machine-days of capacity blocks. on_demand_hours, spot_hours: machine-hours.
        idle_share: share of the committed hours that are not used.
    """

    usd: float
    months: int
    committed: dict[int, float]
    block_days: float
    on_demand_hours: float
    spot_hours: float
    idle_share: float

    @property
    def usd_per_month(self) -> float:
        """US dollars a month, on average."""
        return self.usd / self.months


def break_even_utilisation(committed_usd_per_hour: float, flexible_usd_per_hour: float) -> float:
    """Share of the hours from which a commitment is cheaper than paying by the hour: their ratio.

    A committed machine costs c in every hour, a flexible one f in the hours used: c < u f.
    """
    return committed_usd_per_hour / flexible_usd_per_hour


def break_even_fall(
    committed_usd_per_hour: float, flexible_usd_per_hour: float, utilisation: float, months: int
) -> float | None:
    """Yearly fall of the market from which a commitment is a loss, as a share; None where it is one anyway.

    The flexible price falls as (1 - g)^(t / 12); its mean over the term equals committed / utilisation at the
    answer (bisection to 1e-6). 1 means: even if it falls to nothing within the first year.
    """
    target = committed_usd_per_hour / (flexible_usd_per_hour * utilisation)
    if target >= 1:
        return None

    def mean(fall: float) -> float:
        return float(np.mean(scales(fall, months)))

    low, high = 0.0, 1.0 - 1e-9
    if mean(high) > target:
        return 1.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if mean(middle) > target else (low, middle)
    return low


def scales(fall_per_year: float, months: int) -> Any:
    """Price of each month over today's when the market falls by a constant share a year."""
    return (1.0 - fall_per_year) ** (np.arange(months) / MONTHS_OF_A_YEAR)


class Demand:
    """Machines needed in each hour of a year, cut into layers.

    Args:
        machines: whole machines by hour, any length from one hour to a year; repeated to fill 8,760 hours.

    Raises:
        ValueError: none, negative, or more than `MOST_MACHINES`.
    """

    def __init__(self, machines: Sequence[float]) -> None:
        hours = np.ceil(np.asarray(machines, dtype=float) - 1e-9)
        if not len(hours) or not np.isfinite(hours).all() or hours.min() < 0 or hours.max() > MOST_MACHINES:
            raise ValueError(f"a demand has at least one hour, each of 0 to {MOST_MACHINES:,} machines")
        self.hours = np.resize(hours, DAYS_OF_A_YEAR * HOURS_OF_A_DAY)
        self.layers = int(self.hours.max())
        days = np.sort(self.hours.reshape(DAYS_OF_A_YEAR, HOURS_OF_A_DAY), axis=1)
        levels = np.arange(1, self.layers + 1)
        # Hours of each day in which layer k is used: those at or above k in the sorted day.
        by_day = HOURS_OF_A_DAY - np.stack([np.searchsorted(day, levels) for day in days])
        self.used = np.zeros((MONTHS_OF_A_YEAR, MOST_DAYS, self.layers), dtype=int)
        start = 0
        for month, count in enumerate(DAYS_OF_MONTHS):
            self.used[month, :count] = by_day[start : start + count]
            start += count

    @property
    def utilisation(self) -> Any:
        """Share of the year in which each layer is used."""
        return self.used.sum(axis=(0, 1)) / len(self.hours)


class Planner:
    """The best mix for one demand and tariff. `floor`: share of the peak's layers that are never spot."""

    def __init__(self, demand: Demand, tariff: Tariff, *, years: int, floor: float = 0.5) -> None:
        self.demand, self.tariff, self.months = demand, tariff, years * MONTHS_OF_A_YEAR
        steady = np.arange(1, demand.layers + 1) <= np.ceil(floor * demand.layers)
        flexible = np.inf if tariff.on_demand is None else tariff.on_demand
        spot = np.inf if tariff.spot is None else tariff.spot
        self.on_spot = ~steady & (spot < flexible)
        price = np.where(self.on_spot, spot, flexible)
        used = demand.used
        with np.errstate(invalid="ignore"):
            by_hour = np.where(used > 0, used * price, 0.0)
        whole = np.inf if tariff.block is None else tariff.block * HOURS_OF_A_DAY
        self.in_block = by_hour > whole
        self.flexible = np.minimum(by_hour, whole).sum(axis=1)
        self.terms = tuple((n, usd) for n, usd in sorted(tariff.terms) if self.months % n == 0)

    def plan(self, fall_per_year: float = 0.0) -> dict[int, Any]:
        """Which layers to commit in which periods when the market falls so: months -> [period, layer]."""
        scale = scales(fall_per_year, self.months)
        years = self.months // MONTHS_OF_A_YEAR
        cost = np.tile(self.flexible, (years, 1)) * scale[:, None]
        size, chosen = 1, {}
        for months, usd in self.terms:
            below = cost.reshape(self.months // months, months // size, -1).sum(axis=1)
            own = usd * self._period_hours(months) * scale[::months, None]
            chosen[months] = own < below
            cost, size = np.minimum(own, below), months
        return chosen

    def cost(self, chosen: dict[int, Any], fall_per_year: float = 0.0) -> float:
        """US dollars of a choice when the market falls so; prices of commitments hold from their start."""
        scale = scales(fall_per_year, self.months)
        total, covered = 0.0, np.zeros((self.months, self.demand.layers), dtype=bool)
        prices = dict(self.terms)
        for months in sorted(chosen, reverse=True):
            taken = chosen[months] & ~covered[::months]
            paid = prices[months] * self._period_hours(months) * scale[::months, None]
            total += float((taken * paid).sum())
            covered |= np.repeat(taken, months, axis=0)
        years = self.months // MONTHS_OF_A_YEAR
        left = np.where(covered, 0.0, np.tile(self.flexible, (years, 1)) * scale[:, None])
        return total + float(left.sum())

    def _period_hours(self, months: int) -> Any:
        """Hours of each period of so many months, as a column."""
        hours = np.resize(np.array(DAYS_OF_MONTHS) * HOURS_OF_A_DAY, self.months)
        return hours.reshape(-1, months).sum(axis=1)[:, None]

    def mix(self, chosen: dict[int, Any], fall_per_year: float = 0.0) -> Mix:
        """A choice in numbers that people can act on."""
        covered = np.zeros((self.months, self.demand.layers), dtype=bool)
        committed: dict[int, float] = {}
        for months in sorted(chosen, reverse=True):
            taken = chosen[months] & ~covered[::months]
            covered |= np.repeat(taken, months, axis=0)
            number = taken.sum(axis=1)
            committed[months] = float(number[0] if months >= MONTHS_OF_A_YEAR else number.mean())
        years = self.months // MONTHS_OF_A_YEAR
        used = np.tile(self.demand.used, (years, 1, 1))
        open_hours = np.where(covered[:, None, :], 0, used)
        blocks = np.tile(self.in_block, (years, 1, 1)) & ~covered[:, None, :]
        hourly = np.where(blocks, 0, open_hours).sum(axis=(0, 1))
        paid = float((covered * self._period_hours(1)).sum())
        busy = float(np.where(covered[:, None, :], used, 0).sum())
        return Mix(
            usd=self.cost(chosen, fall_per_year),
            months=self.months,
            committed={months: number for months, number in committed.items() if number},
            block_days=float(blocks.sum()),
            on_demand_hours=float(hourly[~self.on_spot].sum()),
            spot_hours=float(hourly[self.on_spot].sum()),
            idle_share=1 - busy / paid if paid else 0.0,
        )

    def regret(self, chosen: dict[int, Any], fall_per_year: float) -> float:
        """US dollars that a choice costs more than the best one, had the fall of the market been known."""
        return self.cost(chosen, fall_per_year) - self.cost(self.plan(fall_per_year), fall_per_year)
