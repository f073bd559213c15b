"""Rent, buy or API: the founding articles' figures, formulas at their limits, answers on a small market."""

from __future__ import annotations

from typing import Any

import pytest

from recommender import Constraints, Workload
from recommender.decide import break_even_rate, decide
from recommender.hosted import hosted_prices, model_words, same_model
from recommender.ownership import (
    OwnershipTerms,
    break_even_utilisation,
    capital_usd_per_year,
    electricity_usd,
    owned_cost,
    owned_machines,
    payback_months,
)
from recommender.ways import serverless_hours
from tests.test_recommend import NOW, Market, market, offer  # noqa: F401  (the fixture)
from warehouse.errors import UsageError
from warehouse.reference import accelerators
from warehouse.reference.purchase_table import purchase_price

SERVE = Workload(
    task="serve", model="llama-3.1-8b", requests_per_second=2, input_tokens=1000, output_tokens=250
)


def test_two_old_cards_cost_a_thousand_dollars_more_power_in_three_years() -> None:
    """a16z: two RTX 3080 Ti (700 W) against one A100 (300 W) at 0.10 USD/kWh."""
    assert electricity_usd(0.7 - 0.3, 3 * 8760, 0.10) == pytest.approx(1000, rel=0.06)


def test_a_cluster_of_256_dgx_a100() -> None:
    """The Register: 44.8 M USD at 175,000 each, 1.7 MW, 2.2 M USD of electricity a year."""
    row = purchase_price("a100-sxm4-80gb", whole=True)
    assert row is not None
    assert row.low_usd is not None
    assert row.power_kw is not None
    assert 256 * row.low_usd == pytest.approx(44.8e6)
    power_kw = 256 * row.power_kw
    assert power_kw == pytest.approx(1700, rel=0.03)
    # 2.2 M a year is that power around the clock at 0.15 USD/kWh, or at 0.10 with a PUE of 1.5
    assert electricity_usd(power_kw, 8760, 0.10, 1.5) == pytest.approx(2.2e6, rel=0.01)


def test_the_price_of_an_a100() -> None:
    """The Conversation: about 10,000 USD to buy."""
    row = purchase_price("a100-pcie-40gb")
    assert row is not None
    assert row.low_usd is not None
    assert row.high_usd is not None
    assert row.low_usd <= 10_000 <= row.high_usd


def test_capital_is_straight_without_interest_and_dearer_with_it() -> None:
    assert capital_usd_per_year(100.0, 20.0, 4.0, 0.0) == pytest.approx(20.0)
    assert capital_usd_per_year(100.0, 20.0, 4.0, 1e-9) == pytest.approx(20.0, rel=1e-6)
    rates = [capital_usd_per_year(100.0, 20.0, 4.0, rate) for rate in (0.0, 0.05, 0.1, 0.2)]
    assert rates == sorted(rates)
    assert capital_usd_per_year(100.0, 100.0, 4.0, 0.08) == pytest.approx(8.0)  # only the interest


def test_owning_more_for_longer_costs_less_a_year() -> None:
    machine = owned_machines(accelerators()["h100-sxm5-80gb"])[0]
    yearly = [owned_cost(machine, OwnershipTerms(life_years=years)).total for years in (2, 3, 5)]
    assert yearly == sorted(yearly, reverse=True)
    assert (
        owned_cost(machine, OwnershipTerms(), networked=True).total
        > owned_cost(machine, OwnershipTerms()).total
    )


def test_break_even_points() -> None:
    assert break_even_utilisation(8760.0, 2.0) == pytest.approx(0.5)
    assert break_even_utilisation(8760.0, 0.5) > 1
    assert payback_months(1200, 150, 50) == pytest.approx(12)
    assert payback_months(1200, 50, 50) is None
    # 730 USD a month against 0.001 USD a request: 730,000 requests a month
    assert break_even_rate(730.0, 1.0, 0.001) == pytest.approx(730_000 / (730 * 3600))
    assert break_even_rate(730.0, 0.1, 0.001) is None


def test_serverless_pays_busy_time_only() -> None:
    assert serverless_hours(1e-9, 10, 5) < 1e-4
    assert serverless_hours(0.1, 10, 5) == pytest.approx(730 * (1 - 2.718281828**-1.0), rel=1e-6)
    assert serverless_hours(20, 10, 5) == pytest.approx(1460)


@pytest.mark.parametrize(
    "name",
    [
        "meta-llama/Meta-Llama-3.1-70B-Instruct",
        "accounts/fireworks/models/llama-v3p1-70b-instruct",
        "us.meta.llama3-1-70b-instruct-v1:0",
        "cerebras/llama3.1-70b",
    ],
)
def test_sellers_names_of_one_model(name: str) -> None:
    assert same_model("llama-3.1-70b", name) or model_words(name) >= {"llama", "3.1", "70b"}


@pytest.mark.parametrize(
    ("wanted", "other"),
    [
        ("llama-3.1-70b", "nvidia/Llama-3.1-Nemotron-70B-Instruct"),
        ("llama-3.1-70b", "meta-llama/Llama-3.3-70B-Instruct"),
        ("deepseek-v2", "accounts/fireworks/models/deepseek-v2-lite-chat"),
        ("deepseek-r1", "deepseek-r1-distill-llama-70b"),
        ("qwen2.5-7b", "Qwen/Qwen2.5-VL-7B-Instruct"),
        ("glm-5", "zai-org/glm-5-turbo"),
        ("llama-3.1-8b", "meta-llama/Llama-Guard-3-8B"),
    ],
)
def test_another_model_is_not_the_model(wanted: str, other: str) -> None:
    assert not same_model(wanted, other, "novita")


def test_turbo_is_an_edition_where_the_seller_says_so() -> None:
    assert same_model("llama-3.1-8b", "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", "deepinfra")
    assert not same_model("llama-3.1-8b", "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", "somebody")


def _token_prices(connection: Any, *rows: tuple[str, str, float | None, float | None]) -> Any:
    connection.execute(
        "CREATE TABLE token_prices (provider VARCHAR, model VARCHAR, source VARCHAR, mode VARCHAR, "
        "input_usd_per_mtok DOUBLE, output_usd_per_mtok DOUBLE, observed_at TIMESTAMPTZ, retired_on DATE, "
        "first_party BOOLEAN, listed BOOLEAN, source_url VARCHAR)"
    )
    for provider, model, one, other in rows:
        connection.execute(
            "INSERT INTO token_prices VALUES (?, ?, 'list', 'chat', ?, ?, ?::TIMESTAMPTZ, NULL, false, true, "
            "'https://prices.example/')",
            [provider, model, one, other, NOW.isoformat()],
        )
    return connection


def test_an_api_is_cheap_at_low_volume_and_a_machine_at_high(market: Market) -> None:  # noqa: F811
    con = _token_prices(
        market(offer(price=2.0)),
        ("api", "meta-llama/Llama-3.1-8B-Instruct", 0.05, 0.08),
        ("x", "other-8b", 0.001, 0.001),
    )
    found = decide(SERVE, Constraints(), con, now=NOW)
    ways = {way.way: way for way in found.ways}
    assert ways["api"].seller == "api"
    month = 2 * 3600 * 730
    assert ways["api"].usd == pytest.approx(month * (1000 * 0.05 + 250 * 0.08) / 1e6)
    assert ways["on_demand"].machines == 1
    assert found.volumes[0]["cheapest"] == "api"
    assert found.volumes[-1]["cheapest"] != "api"
    assert any("requests/s" in line for line in found.break_evens)
    assert [way.usd for way in found.ways] == sorted(way.usd for way in found.ways)


def test_an_api_that_no_full_machine_beats(market: Market) -> None:  # noqa: F811
    con = _token_prices(market(offer(price=200.0)), ("api", "llama-3.1-8b", 1e-4, 1e-4))
    found = decide(SERVE, Constraints(), con, now=NOW)
    assert any("at any volume" in line for line in found.break_evens)


def test_prices_that_are_not_stated_whole_are_no_prices(market: Market) -> None:  # noqa: F811
    con = _token_prices(market(), ("api", "llama-3.1-8b", 0.05, None), ("api2", "llama-3.1-8b", None, 0.1))
    assert hosted_prices(con, "llama-3.1-8b") == []


def test_training_has_no_api_and_says_so(market: Market) -> None:  # noqa: F811
    con = _token_prices(market(offer(gpus=8)))
    job = Workload(task="finetune", model="llama-3.1-8b", tokens=1e8, method="lora")
    found = decide(job, Constraints(), con, now=NOW)
    assert {way.way for way in found.ways} == {"on_demand", "own"}
    assert any("fine-tuning prices" in line for line in found.warnings)
    own = next(way for way in found.ways if way.way == "own")
    assert own.upfront_usd is not None
    assert own.usd < own.upfront_usd
    dearer = decide(job, Constraints(), con, now=NOW, terms=OwnershipTerms(utilisation=0.1))
    assert min(w.usd for w in dearer.ways if w.way == "own") > own.usd


@pytest.mark.parametrize(
    "wrong", [{"life_years": 0}, {"utilisation": 0.0}, {"pue": 0.5}, {"resale_share": 2}]
)
def test_terms_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong)).replace("_", "-")):
        OwnershipTerms(**wrong)


def test_a_limit_that_it_cannot_keep_is_refused(market: Market) -> None:  # noqa: F811
    with pytest.raises(UsageError, match="--max-co2-kg does not go with decide"):
        decide(SERVE, Constraints(max_co2_kg=1.0), market(offer()), now=NOW)
