"""How well the index and the fair price find a known truth: ``python -m bench.index_simulation``.

Markets are made up with a market-wide price path, providers that drift from it, list prices that follow in
steps, and machines that come and go at other levels than those they replace. The index is compared with the
path that made the prices; the fair price with the figure that each price was drawn around. Prints the error
(RMSE) of the time-product dummy, chained Jevons, the median of offers and the cheapest offer at low and high
churn, how often the truth lies in the 80 % band, and the same of the fair price. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from warehouse.fair_price_method import FEWEST_OFFERS, Offers, fair_prices
from warehouse.index_method import IndexSeries, Panel, change, index_series

DAYS = 365
HORIZONS = (7, 30, 90)


@dataclass(frozen=True, slots=True)
class Churn:
    """How a simulated market turns over.

    Attributes:
        name: for the table.
        leave_per_day: probability that an offer is replaced on a day.
    """

    name: str
    leave_per_day: float


CHURNS = (Churn("low churn, 0.3 % of offers a day", 0.003), Churn("high churn, 10 % of offers a day", 0.10))


@dataclass(frozen=True, slots=True)
class Market:
    """A simulated market: its panel and the log price path that made it."""

    panel: Panel
    truth: Any


def simulate_market(
    seed: int, churn: Churn, *, providers: int = 10, offers: int = 6, days: int = DAYS
) -> Market:
    """A market of `providers` providers with about `offers` offers each.

    The path falls 20 % a year with daily noise of 0.4 %. A provider wanders 1.5 % (sd) around it and comes
    back within some 50 days; an offer lies 30 % (sd) off its provider's level, providers 35 % off the
    market; each price has 0.5 % of noise of its own, drawn anew on one day in three.
    """
    random = np.random.default_rng(seed)
    truth = np.cumsum(random.normal(math.log(0.8) / 365, 0.004, days))
    truth -= truth[0]
    rows, owner = [], []
    for provider in range(providers):
        level = random.normal(0, 0.35)
        drift = _wandering(random, days, sd=0.015, keeps=0.98)
        for _ in range(offers):
            for start, end in _lives(random, churn.leave_per_day, days):
                row = np.full(days, np.nan)
                drawn = np.maximum.accumulate(np.where(random.random(days) < 1 / 3, np.arange(days), 0))
                noise = random.normal(0, 0.005, days)[drawn]
                row[start:end] = (truth + drift + level + random.normal(0, 0.3) + noise)[start:end]
                rows.append(row)
                owner.append(provider)
    names = tuple(f"provider-{number}" for number in range(providers))
    prices = np.array(rows)
    panel = Panel(np.arange(days, dtype=np.int64), prices, np.array(owner, dtype=np.int64), names, prices)
    return Market(panel, truth)


def _wandering(random: Any, days: int, *, sd: float, keeps: float) -> Any:
    """A path around 0 that keeps this share of its distance from one day to the next."""
    path = np.empty(days)
    path[0] = random.normal(0, sd)
    steps = random.normal(0, sd * math.sqrt(1 - keeps**2), days)
    for day in range(1, days):
        path[day] = keeps * path[day - 1] + steps[day]
    return path


def _lives(random: Any, leave: float, days: int) -> list[tuple[int, int]]:
    lives, start = [], 0
    while start < days:
        end = min(days, start + int(random.geometric(leave)))
        lives.append((start, end))
        start = end
    return lives


def index_errors(market: Market, series: IndexSeries) -> dict[str, float]:
    """RMSE in per cent of each measure against the path, all based at the first day."""
    measures = {
        "time-product dummy": series.log_index,
        "chained Jevons": series.log_jevons,
        "median of offers": np.log(series.median_usd) - math.log(series.median_usd[0]),
        "cheapest offer": np.log(series.cheapest_usd) - math.log(series.cheapest_usd[0]),
    }
    return {
        name: 100 * float(np.sqrt(np.mean((values - market.truth) ** 2))) for name, values in measures.items()
    }


def band_hits(market: Market, series: IndexSeries) -> dict[int, tuple[int, int]]:
    """By horizon: (changes whose band holds the truth, changes looked at)."""
    found = {}
    for horizon in HORIZONS:
        hits = total = 0
        for day in range(horizon, len(series.days), 7):
            _, low, high = change(series, day, day - horizon)
            moved = market.truth[day] - market.truth[day - horizon]
            hits += low <= moved <= high
            total += 1
        found[horizon] = (hits, total)
    return found


@dataclass(frozen=True, slots=True)
class OfferMarket:
    """Simulated offers of one day: what the model sees, and the log figure each price was drawn around.

    Attributes:
        offers: for `fair_prices`.
        truth: log fair price of each offer.
        is_few: offers of accelerators that fewer than five offers of other providers have.
    """

    offers: Offers
    truth: Any
    is_few: Any


def simulate_offers(seed: int, *, accelerators: int = 40, providers: int = 40) -> OfferMarket:
    """A day's market: accelerators priced by their hardware give or take 25 %, providers 25 % around the
    market, discounts for spot, countries, node sizes and interconnects, and 12 % of noise on each price (sd).

    Half of the accelerators are common, the others sold by one to three providers.
    """
    random = np.random.default_rng(seed)
    logs = random.normal(0, 1, (accelerators, 1)) * [0.7, 0.8, 1.0] + random.normal(0, 0.2, (accelerators, 3))
    hardware = np.exp(np.add(logs, [4.0, 7.0, 5.5]))
    part_effect = logs @ [0.25, 0.15, 0.4] + random.normal(0, 0.25, accelerators)
    provider_effect = random.normal(0, 0.25, providers)
    countries = random.normal(0, 0.06, 12)
    rows = []
    for part in range(accelerators):
        sold = int(random.integers(6, 16)) if part % 2 else int(random.integers(1, 4))
        for provider in random.choice(providers, sold, replace=False):
            for kind in ("on_demand", "spot")[: 1 + int(random.random() < 0.4)]:
                for _ in range(int(random.integers(1, 5))):
                    country, size = int(random.integers(12)), int(random.choice([1, 2, 4, 8]))
                    fabric = bool(random.random() < 0.3)
                    fair = part_effect[part] + provider_effect[provider] + countries[country]
                    fair += -0.7 * (kind == "spot") + 0.02 * math.log2(size) + 0.1 * fabric
                    rows.append((part, int(provider), kind, country, size, fabric, fair))
    truth = np.array([row[-1] for row in rows])
    offers = Offers(
        log_price=truth + random.normal(0, 0.12, len(rows)),
        count=np.ones(len(rows)),
        accelerator=[f"part-{row[0]}" for row in rows],
        provider=[f"provider-{row[1]}" for row in rows],
        kind=[row[2] for row in rows],
        country=[f"country-{row[3]}" for row in rows],
        continent=[f"continent-{row[3] % 3}" for row in rows],
        interconnect=["nvlink" if row[5] else "" for row in rows],
        gpu_count=np.array([float(row[4]) for row in rows]),
        hardware=hardware[[row[0] for row in rows]],
    )
    found = fair_prices(offers)
    if found is None:
        raise AssertionError("the simulated market is too small")
    return OfferMarket(offers, truth, found.peers < FEWEST_OFFERS)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Index and fair price on simulations with known truth.")
    parser.add_argument("--markets", type=int, default=20, help="Simulated markets of each kind.")
    options = parser.parse_args()
    for churn in CHURNS:
        _print_index(churn, options.markets)
    _print_fair(options.markets)


def _print_fair(markets: int) -> None:
    groups: dict[str, list[tuple[float, bool]]] = {}
    started = time.perf_counter()
    for seed in range(markets):
        market = simulate_offers(seed)
        found = fair_prices(market.offers)
        if found is None:
            raise AssertionError("the simulated market is too small")
        inside = (market.offers.log_price >= found.log_p10) & (market.offers.log_price <= found.log_p90)
        errors = found.log_fair - market.truth
        for name, chosen in (("five offers or more", ~market.is_few), ("fewer: by hardware", market.is_few)):
            both = zip(errors[chosen].tolist(), inside[chosen].tolist(), strict=True)
            groups.setdefault(name, []).extend(both)
    print(f"fair price: {markets} markets, {time.perf_counter() - started:.1f} s")
    for name, values in groups.items():
        error = 100 * math.sqrt(np.mean([value**2 for value, _ in values]))
        share = 100 * np.mean([hit for _, hit in values])
        print(
            f"   {name:<22} {len(values):>6,} offers, RMSE against the true fair price {error:5.1f} %, "
            f"80 % band holds the price {share:.0f} %"
        )


def _print_index(churn: Churn, markets: int) -> None:
    errors: dict[str, list[float]] = {}
    hits = dict.fromkeys(HORIZONS, (0, 0))
    started = time.perf_counter()
    for seed in range(markets):
        market = simulate_market(seed, churn)
        series = index_series(market.panel)
        for name, value in index_errors(market, series).items():
            errors.setdefault(name, []).append(value)
        for horizon, (good, total) in band_hits(market, series).items():
            hits[horizon] = (hits[horizon][0] + good, hits[horizon][1] + total)
    print(f"index, {churn.name}: {markets} markets of {DAYS} days, {time.perf_counter() - started:.1f} s")
    for name, values in errors.items():
        print(f"   {name:<22} RMSE {math.sqrt(np.mean(np.square(values))):6.2f} %")
    covered = ", ".join(f"{horizon} d {100 * a / b:.0f} %" for horizon, (a, b) in hits.items())
    print(f"   80 % band holds the true change: {covered}")


if __name__ == "__main__":
    main()
