"""Interruption formulas: published numbers, limits, monotonicity, and a simulation that knows no formula."""

from __future__ import annotations

import math

import pytest

from bench.spot_simulation import simulate
from recommender.interruption import (
    Checkpointing,
    chance_within,
    checkpoint_interval_hours,
    extra_machines,
    gamma_share,
    paid_hours,
    quantile,
    share_below,
    share_ended,
    wall_deviation_hours,
    wall_hours,
)
from recommender.interruption_rates import (
    InterruptionRate,
    RateBook,
    learn,
    prior_rate,
    priors,
    rate_of_monthly_share,
)
from recommender.sizing.results import Spread

HOW = Checkpointing(save_hours=0.05, interval_hours=1.0, restart_hours=0.3, wait_hours=0.2)


def test_youngs_interval_is_his_formula_and_never_longer_than_the_work() -> None:
    # Young 1974: delta = 5 min, M = 24 h gives sqrt(2 * 5 * 1440) = 120 minutes.
    assert checkpoint_interval_hours(5 / 60, 1 / 24, 1000) == pytest.approx(2.0)
    assert checkpoint_interval_hours(5 / 60, 1 / 24, 1.5) == 1.5
    assert checkpoint_interval_hours(5 / 60, 0, 40) == 40


def test_expected_hours_are_dalys_formula() -> None:
    rate, length = 0.1, HOW.interval_hours + HOW.save_hours
    daly = math.exp(rate * HOW.restart_hours) * (math.exp(rate * length) - 1) / rate * 50
    assert paid_hours(50, rate, HOW) == pytest.approx(daly, rel=1e-9)


def test_without_failures_only_the_saves_are_added() -> None:
    assert paid_hours(50, 0, HOW) == pytest.approx(50 * 1.05)
    assert wall_hours(50, 1e-9, HOW) == pytest.approx(50 * 1.05, rel=1e-6)
    assert wall_deviation_hours(50, 0, HOW) == 0


def test_more_failures_longer_waits_and_dearer_saves_are_never_quicker() -> None:
    hours = [wall_hours(50, rate, HOW) for rate in (0.001, 0.01, 0.1, 1.0)]
    assert hours == sorted(hours)
    slower = Checkpointing(0.05, 1.0, 0.3, 2.0)
    assert wall_hours(50, 0.1, slower) > wall_hours(50, 0.1, HOW)
    assert paid_hours(50, 0.1, slower) == paid_hours(50, 0.1, HOW)
    assert paid_hours(50, 0.1, Checkpointing(0.1, 1.0, 0.3, 0.2)) > paid_hours(50, 0.1, HOW)
    chances = [share_ended(60, 50, rate, HOW) for rate in (0.001, 0.01, 0.1, 1.0)]
    assert chances == sorted(chances, reverse=True)


def test_a_job_that_would_never_end_says_so() -> None:
    assert paid_hours(50, 500, HOW) == math.inf
    assert share_ended(1e9, 50, 500, HOW) == 0


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_the_closed_form_agrees_with_a_simulation(rate: float) -> None:
    """Expected paid and wall hours within 2 %, the chance to end within three points, at three limits."""
    walls, paid = simulate(20, rate, HOW, runs=4000, seed=11)
    assert paid.mean() == pytest.approx(paid_hours(20, rate, HOW), rel=0.02)
    assert walls.mean() == pytest.approx(wall_hours(20, rate, HOW), rel=0.02)
    assert walls.std() == pytest.approx(wall_deviation_hours(20, rate, HOW), rel=0.08, abs=0.05)
    for limit in (22.0, walls.mean(), 1.2 * walls.mean()):
        assert share_ended(limit, 20, rate, HOW) == pytest.approx((walls <= limit).mean(), abs=0.03)


def test_gamma_share_at_the_exponential_distribution() -> None:
    # k = 1: P(X <= x) = 1 - exp(-x)
    for value in (0.5, 1.0, 2.0):
        assert gamma_share(value, 1.0, 1.0) == pytest.approx(1 - math.exp(-value), abs=0.01)
    assert gamma_share(2.0, 1.0, 0.0) == 1.0
    assert gamma_share(0.5, 1.0, 0.0) == 0.0


def test_quantiles_of_a_spread_and_shares_below_are_inverse() -> None:
    spread = Spread(8, 10, 14)
    assert share_below(8, spread) == pytest.approx(0.1, abs=1e-6)
    assert share_below(14, spread) == pytest.approx(0.9, abs=1e-6)
    assert quantile(spread, 0.9) == pytest.approx(14, rel=1e-6)
    assert quantile(spread, 0.5) == pytest.approx(10)
    assert share_below(0, spread) == 0


def test_chance_averages_over_what_is_not_known() -> None:
    work, rates = Spread(8, 10, 14), Spread(0.001, 0.01, 0.1)
    chances = [chance_within(limit, work, rates, HOW, 0.25) for limit in (5, 9, 11, 14, 40)]
    assert chances == sorted(chances)
    assert chances[0] == 0
    assert chances[-1] > 0.99


def test_spare_machines_follow_the_share_of_time_away() -> None:
    assert extra_machines(10, 0.1, 0.5) == pytest.approx(10.5)
    assert extra_machines(10, 0.0, 0.5) == 10


def test_rates_have_sources_and_an_order() -> None:
    for rate in priors().values():
        assert 0 < rate.per_hour.p10 <= rate.per_hour.p50 <= rate.per_hour.p90 < 1
    assert prior_rate("nobody", "spot") == priors()["*", "spot"]
    assert "no figure is published" in prior_rate("nobody", "spot").basis


def test_a_share_a_month_becomes_a_rate_and_back() -> None:
    rate = rate_of_monthly_share(0.2)
    assert 1 - math.exp(-rate * 730) == pytest.approx(0.2)
    book = RateBook().rate("aws", "spot", "h100-sxm5-80gb", (0.05, 0.10))
    assert book.per_hour.p10 < book.per_hour.p50 < book.per_hour.p90
    assert "5% to 10% a month" in book.basis
    calm = RateBook().rate("aws", "spot", "h100-sxm5-80gb", (0.0, 0.05))
    assert calm.per_hour.p90 == pytest.approx(rate_of_monthly_share(0.05))
    wild = RateBook().rate("aws", "spot", "h100-sxm5-80gb", (0.2, None))
    assert wild.per_hour.p10 == pytest.approx(rate_of_monthly_share(0.2))
    assert wild.per_hour.p90 == prior_rate("aws", "spot").per_hour.p90
    assert "over 20% a month" in wild.basis


def test_what_was_seen_moves_the_prior_and_narrows_it() -> None:
    prior = InterruptionRate(Spread(0.001, 0.01, 0.1), "assumed")
    assert learn(prior, 0, 0) == prior
    calm = learn(prior, 0, 10_000)
    wild = learn(prior, 50, 100)
    assert calm.per_hour.p50 < 0.001
    assert wild.per_hour.p50 == pytest.approx(51 / 200)
    assert wild.per_hour.p90 / wild.per_hour.p50 < 10
    assert "50 times sold out in 100 h" in wild.basis
