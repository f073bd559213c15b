"""A price level over time that providers who come and go do not move: a chained Jevons index in dollars.

The level of the anchor week is the median over providers. Every other week follows from its neighbour by the
mean log move of the providers that are in both; so the line never jumps because the list of providers did.
It is a level for reading, not the market index.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

SOLID_PROVIDERS = 3
BAND_PROVIDERS = 6


@dataclass(frozen=True, slots=True)
class WeekLevel:
    """One week of a level.

    Attributes:
        week: last day of the week.
        level: USD per GPU-hour.
        matched: providers behind the step to this week (0 in the first one).
        providers: providers with a price in this week.
        low: lowest price. q25, q75: the middle half of the providers' medians.
    """

    week: date
    level: float
    matched: int
    providers: int
    low: float
    q25: float
    q75: float

    @property
    def solid(self) -> bool:
        """Enough providers behind the step to be drawn as a full line."""
        return self.matched >= SOLID_PROVIDERS


def chain(rows: Sequence[dict[str, Any]]) -> list[WeekLevel]:
    """Chain weekly rows (week, move, matched, median, providers, low, q25, q75) into levels.

    The anchor is the newest week with at least half of the best week's providers. Weeks that no matched
    provider joins to the anchor are left out: there is no honest way to reach them.
    """
    if not rows:
        return []
    most = max(row["providers"] for row in rows)
    anchor = max(index for index, row in enumerate(rows) if row["providers"] * 2 >= most)
    levels = {anchor: float(rows[anchor]["median"])}
    for index in range(anchor, 0, -1):
        if not _joined(rows, index):
            break
        levels[index - 1] = levels[index] / math.exp(rows[index]["move"])
    for index in range(anchor + 1, len(rows)):
        if not _joined(rows, index):
            break
        levels[index] = levels[index - 1] * math.exp(rows[index]["move"])
    first = min(levels)
    return [_week(rows[index], levels[index], index > first) for index in sorted(levels)]


def solid_run(levels: Sequence[WeekLevel], most: int) -> Sequence[WeekLevel]:
    """The newest stretch of at most `most` steps that all have enough providers behind them."""
    end = len(levels)
    while end > 0 and not levels[end - 1].solid:
        end -= 1
    start = end - 1
    while start > 0 and levels[start].solid and end - start <= most:
        start -= 1
    return levels[max(start, 0) : end]


def _joined(rows: Sequence[dict[str, Any]], index: int) -> bool:
    return bool(rows[index]["matched"]) and (rows[index]["week"] - rows[index - 1]["week"]).days == 7


def _week(row: dict[str, Any], level: float, has_step: bool) -> WeekLevel:
    matched = row["matched"] if has_step else 0
    return WeekLevel(row["week"], level, matched, row["providers"], row["low"], row["q25"], row["q75"])
