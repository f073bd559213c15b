"""The index's arithmetic: numbers known on paper, limits, and what must not move it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.index_simulation import CHURNS, band_hits, index_errors, simulate_market
from warehouse.index_method import (
    Panel,
    carried,
    change,
    fit_window,
    index_series,
    panel_from_rows,
    provider_weights,
    student_90,
)

NAN = math.nan


def panel(rows: list[list[float]], owners: list[int], days: list[int] | None = None) -> Panel:
    prices = np.log(np.array(rows, dtype=float))
    numbers = np.array(days or range(prices.shape[1]), dtype=np.int64)
    names = tuple(f"p{number}" for number in range(max(owners) + 1))
    return Panel(numbers, prices, np.array(owners, dtype=np.int64), names, prices)


def level(series: object, day: int) -> float:
    return 100 * math.exp(series.log_index[day])  # type: ignore[attr-defined]


def five(*row: float) -> tuple[list[list[float]], list[int]]:
    """Five providers with one offer each, all with this path, at levels of their own."""
    return [[value * (1 + number) for value in row] for number in range(5)], [0, 1, 2, 3, 4]


def test_two_offers_on_paper() -> None:
    """Offers of two providers move by ln 2 and by 0: the day effect is the mean, whatever the levels."""
    fit = fit_window(np.log(np.array([[1.0, 2.0], [50.0, 50.0]])), np.array([0, 1]), 2)
    assert fit is not None
    assert fit.effect[1] - fit.effect[0] == pytest.approx(math.log(2) / 2)
    assert (fit.matched, fit.providers) == (2, 2)


def test_every_provider_weighs_the_same() -> None:
    """Three offers of one provider that double do not outvote one of another that stands still."""
    prices = np.log(np.array([[1.0, 2.0], [3.0, 6.0], [5.0, 10.0], [7.0, 7.0]]))
    fit = fit_window(prices, np.array([0, 0, 0, 1]), 2)
    assert fit is not None
    assert fit.effect[1] - fit.effect[0] == pytest.approx(math.log(2) / 2)
    weight = provider_weights(~np.isnan(prices), np.array([0, 0, 0, 1]))
    assert weight.sum(axis=0) == pytest.approx([2.0, 2.0])


def test_an_index_of_prices_that_move_together_is_that_move() -> None:
    series = index_series(panel(*five(1.0, 1.05, 1.02, 0.99)))
    assert [level(series, day) for day in range(4)] == pytest.approx([100, 105, 102, 99])
    assert np.allclose(series.log_index, series.log_jevons)
    assert change(series, 3, 0)[1:] == pytest.approx((math.log(0.99), math.log(0.99)))


def test_comers_and_goers_at_other_levels_move_nothing() -> None:
    rows, owners = five(1.0, 1.0, 1.0, 1.0)
    rows += [[NAN, 9.0, 9.0, 9.0], [0.01, 0.01, NAN, NAN]]
    order = np.argsort([*owners, 4, 4], kind="stable")
    series = index_series(panel([rows[i] for i in order], sorted([*owners, 4, 4])))
    assert [level(series, day) for day in range(4)] == pytest.approx([100] * 4)
    assert series.entries.tolist() == [0, 1, 0, 0]
    assert series.exits.tolist() == [0, 0, 1, 0]
    assert series.cheapest_usd[1] == pytest.approx(0.01)
    assert series.cheapest_usd[2] == pytest.approx(1.0)


def test_scaling_an_offer_changes_nothing() -> None:
    """An offer's currency and level are part of its effect."""
    market = simulate_market(3, CHURNS[0], providers=4, offers=3, days=40)
    scaled = market.panel.log_price + np.arange(len(market.panel.log_price))[:, None]
    other = Panel(market.panel.days, scaled, market.panel.provider, market.panel.provider_names)
    assert np.allclose(index_series(other).log_index, index_series(market.panel).log_index)


def test_published_values_are_never_revised() -> None:
    market = simulate_market(5, CHURNS[1], providers=5, offers=3, days=130)
    whole = index_series(market.panel)
    cut = Panel(
        market.panel.days[:100],
        market.panel.log_price[:, :100],
        market.panel.provider,
        market.panel.provider_names,
    )
    part = index_series(cut)
    assert np.array_equal(part.log_index, whole.log_index[:100])
    assert np.array_equal(part.influence, whole.influence[:100])
    assert part.suppressed == whole.suppressed[:100]


def test_an_unchanged_day_has_the_value_of_the_day_before_as_least_squares_says() -> None:
    rows, owners = five(1.0, 1.1, 1.1)
    rows[2] = [3.0, 3.3, 3.3]
    fit = fit_window(np.log(np.array(rows)), np.array(owners), 5)
    assert fit is not None
    assert fit.effect[2] == pytest.approx(fit.effect[1])
    series = index_series(panel(rows, owners))
    assert series.log_index[2] == series.log_index[1]
    assert series.providers[2] == 5


def test_days_without_a_link_begin_a_new_segment() -> None:
    rows = [[1.0, 1.0, NAN, NAN] for _ in range(5)] + [[NAN, NAN, 7.0, 7.7] for _ in range(5)]
    series = index_series(panel(rows, list(range(10))))
    assert series.segment.tolist() == [0, 0, 1, 1]
    assert [level(series, day) for day in range(4)] == pytest.approx([100, 100, 100, 110])


def test_offers_seen_longer_ago_than_the_window_do_not_link() -> None:
    rows, owners = five(1.0, 1.2)
    near = index_series(panel(rows, owners, [0, 90]))
    far = index_series(panel(rows, owners, [0, 91]))
    assert level(near, 1) == pytest.approx(120)
    assert far.segment.tolist() == [0, 1]


def test_weekly_sources_on_different_days() -> None:
    """Each provider is seen once a week on its own day; all rise by 1 % a week."""
    days = np.arange(70)
    rows = np.full((5, 70), np.nan)
    for number in range(5):
        seen = days[number::7]
        rows[number, seen] = np.log(2.0 + number) + 0.01 * (seen // 7)
    offers, columns = np.nonzero(~np.isnan(rows))
    found = panel_from_rows(
        columns.astype(np.int64),
        offers.astype(np.int64),
        offers.astype(np.int64),
        rows[offers, columns],
        rows[offers, columns],
        np.full(len(offers), 10, dtype=np.int64),
    )
    series = index_series(found)
    assert series.suppressed[-1] == ""
    assert series.log_index[-1] - series.log_index[4] == pytest.approx(0.09, abs=0.005)


def test_prices_are_carried_forward_only_and_not_for_ever() -> None:
    days = np.array([0, 2, 3, 9], dtype=np.int64)
    filled, taken = carried(days, np.array([[NAN, 5.0, NAN, NAN]]), np.array([3], dtype=np.int64))
    assert np.isnan(filled[0, [0, 3]]).all()
    assert filled[0, 1:3].tolist() == [5.0, 5.0]
    assert taken[0, 2] == 1


def test_a_silent_provider_is_no_exit() -> None:
    """Provider 1 is not asked on the last day: its offer's price runs out, but it has not left."""
    one = np.array([0, 0, 0, 0, 1, 1], dtype=np.int64)
    found = panel_from_rows(
        np.array([0, 1, 2, 5, 0, 1], dtype=np.int64),
        one,
        one,
        np.zeros(6),
        np.zeros(6),
        np.full(6, 1, dtype=np.int64),
    )
    series = index_series(found)
    assert series.offers.tolist() == [2, 2, 2, 1]
    assert series.exits.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("rows", "owners", "reason"),
    [
        ([[1.0, 1.0]] * 6, [0, 0, 0, 1, 1, 1], "2 providers with matched offers, 3 are needed"),
        ([[1.0, 1.0]] * 4, [0, 1, 2, 3], "4 matched offers, 5 are needed"),
        ([[1.0, 1.11]] * 6, list(range(6)), "held for review: +11.0% since the day before"),
        ([[1.0, 0.85]] * 6, list(range(6)), "held for review: -15.0% since the day before"),
        ([[1.0, 1.09]] * 6, list(range(6)), ""),
    ],
)
def test_r16(rows: list[list[float]], owners: list[int], reason: str) -> None:
    assert index_series(panel(rows, owners)).suppressed[1] == reason


def test_a_held_move_is_confirmed_by_the_next_day() -> None:
    series = index_series(panel(*five(1.0, 1.3, 1.3, 1.31)))
    assert series.suppressed[1].startswith("held")
    assert series.suppressed[2:] == ["", ""]
    assert level(series, 2) == pytest.approx(130)


def test_student_quantiles_against_tables() -> None:
    """Two-sided 80 % points of standard tables."""
    table = {1: 3.078, 2: 1.886, 3: 1.638, 4: 1.533, 5: 1.476, 9: 1.383, 30: 1.310}
    for degrees, value in table.items():
        assert student_90(degrees) == pytest.approx(value, rel=0.004)
    assert student_90(10**6) == pytest.approx(1.2816, abs=1e-4)


def test_the_band_is_that_of_a_bootstrap_over_providers() -> None:
    """Refitting with random provider weights (Bayesian bootstrap) spreads as the influences say."""
    market = simulate_market(11, CHURNS[0], providers=12, offers=4, days=60)
    prices, owner = market.panel.log_price, market.panel.provider
    fit = fit_window(prices, owner, 12)
    assert fit is not None
    said = math.sqrt(((fit.influence[-1] - fit.influence[0]) ** 2).sum())
    random = np.random.default_rng(1)
    weight = provider_weights(~np.isnan(prices), owner)
    moves = [_weighted_move(prices, weight * random.exponential(1, 12)[owner][:, None]) for _ in range(150)]
    assert said == pytest.approx(float(np.std(moves)), rel=0.2)


def _weighted_move(prices: np.ndarray, weight: np.ndarray) -> float:  # type: ignore[type-arg]
    """Move from the first to the last day by plain weighted least squares on dummies, the slow way."""
    rows, columns = np.nonzero(~np.isnan(prices))
    design = np.zeros((len(rows), prices.shape[0] + prices.shape[1] - 1))
    design[np.arange(len(rows)), rows] = 1
    later = columns > 0
    design[np.flatnonzero(later), prices.shape[0] + columns[later] - 1] = 1
    root = np.sqrt(weight[rows, columns])
    solved = np.linalg.lstsq(design * root[:, None], prices[rows, columns] * root, rcond=None)[0]
    return float(solved[-1])


def test_the_fit_is_least_squares_on_dummies() -> None:
    market = simulate_market(2, CHURNS[1], providers=4, offers=3, days=30)
    prices, owner = market.panel.log_price, market.panel.provider
    rows = (~np.isnan(prices)).sum(axis=1) >= 2
    fit = fit_window(prices, owner, 4)
    assert fit is not None
    weight = provider_weights(~np.isnan(prices[rows]), owner[rows])
    slow = _weighted_move(prices[rows], weight)
    assert fit.effect[-1] - fit.effect[0] == pytest.approx(slow, abs=1e-9)


@pytest.mark.parametrize("churn", CHURNS, ids=lambda churn: churn.name.split(",")[0])
def test_simulated_truth(churn: object) -> None:
    """Within 1.5 % of the path over 200 days, an order better than median and cheapest; the band covers."""
    errors: dict[str, list[float]] = {}
    hits = total = 0
    for seed in range(4):
        market = simulate_market(100 + seed, churn, providers=10, offers=4, days=200)  # type: ignore[arg-type]
        series = index_series(market.panel)
        for name, value in index_errors(market, series).items():
            errors.setdefault(name, []).append(value)
        for good, count in band_hits(market, series).values():
            hits, total = hits + good, total + count
    mean = {name: float(np.mean(values)) for name, values in errors.items()}
    assert mean["time-product dummy"] < 1.5
    assert mean["median of offers"] > 2 * mean["time-product dummy"]
    assert mean["cheapest offer"] > 2 * mean["time-product dummy"]
    assert 0.65 < hits / total < 0.95
