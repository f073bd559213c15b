"""What an old price may have become: a band that widens with its age."""

from __future__ import annotations

import csv
import math
from functools import lru_cache
from importlib import resources

from recommender.sizing.results import Spread

HOURS_PER_DAY = 24.0


@lru_cache(maxsize=1)
def drift_per_root_day() -> dict[str, float]:
    """Half width of the log of a price ratio after one day, by how it is sold (`price_drift.csv`)."""
    text = resources.files("recommender").joinpath("price_drift.csv").read_text("utf-8")
    return {row["sold_as"]: float(row["log_per_root_day"]) for row in csv.DictReader(text.splitlines())}


def price_spread(age_hours: float, price_kind: str, sold_as: str) -> Spread:
    """Factor between the price seen `age_hours` ago and the price now: p10, p50, p90.

    A random walk: the log of the ratio spreads with the root of time, the median stays. Its rate is that of
    spot prices, of marketplaces or of price lists; see `price_drift.csv` for what was measured, and
    `python -m bench.price_age` for how often the band held.
    """
    rates = drift_per_root_day()
    rate = rates["spot"] if price_kind in ("spot", "low_priority") else rates.get(sold_as, rates["list"])
    factor = math.exp(rate * math.sqrt(max(0.0, age_hours) / HOURS_PER_DAY))
    return Spread(1 / factor, 1.0, factor)
