"""Carbon of plans, carbon as a limit, and jobs that are run again."""

from __future__ import annotations

from typing import Any

import pytest

from recommender import Constraints, Workload, recommend
from recommender.carbon import GridBook, co2e_kg, machine_power_kw
from recommender.reasons_money import runs_per_year
from tests.test_recommend import NOW, Market, market, offer  # noqa: F401  (the fixture)
from warehouse.errors import NothingFoundError, UsageError
from warehouse.reference import accelerators

JOB = Workload(task="finetune", model="llama-3.1-8b", tokens=1e8, method="lora")


def grids(connection: Any, *rows: tuple[str, str, float]) -> Any:
    """The connection with a `grid_carbon` table of provider, region and g/kWh."""
    connection.execute(
        "CREATE TABLE grid_carbon (provider VARCHAR, region VARCHAR, source VARCHAR, grid_zone VARCHAR, "
        "country VARCHAR, g_co2e_per_kwh DOUBLE, period VARCHAR, observed_at TIMESTAMPTZ)"
    )
    for provider, region, grams in rows:
        values = [provider, region, grams]
        connection.execute(
            "INSERT INTO grid_carbon VALUES (?, ?, 'book', NULL, NULL, ?, '2025', now())", values
        )
    return connection


def test_a_kilowatt_for_a_thousand_hours() -> None:
    assert co2e_kg(1.0, 1000.0, 1.0, 400.0) == pytest.approx(400.0)
    assert co2e_kg(1.0, 1000.0, 1.5, 400.0) == pytest.approx(600.0)
    assert co2e_kg(1.0, 1000.0, 1.5, 0.0) == 0.0


def test_power_is_the_server_and_not_only_its_cards() -> None:
    part = accelerators()["h100-sxm5-80gb"]
    eight = machine_power_kw(part, 8)
    assert eight is not None
    assert part.tdp_w is not None
    assert 8 * part.tdp_w / 1000 < eight < 10.2
    assert machine_power_kw(part, 1) == pytest.approx(eight / 8)


def test_a_grid_is_the_regions_own_then_its_countrys_never_a_guess() -> None:
    rows = [
        {"provider": "gcp", "region": "europe-west1", "source": "book", "grid_zone": "BE", "country": "BE",
         "g_co2e_per_kwh": 100.0, "period": "2025"},
    ]  # fmt: skip
    book = GridBook(rows)
    own = book.grid("gcp", "europe-west1")
    assert own is not None
    assert (own.g_co2e_per_kwh, own.basis) == (100.0, "region")
    assert book.grid("gcp", None) is None
    assert book.grid("gcp", "us-central1") is None
    assert book.grid("nobody", "nowhere") is None


def test_rows_carry_carbon_where_the_grid_is_known(market: Market) -> None:  # noqa: F811
    found = market(
        offer(price=2.0, region="clean"), offer(price=3.0, region="unknown", instance_type="other")
    )
    rows = recommend(JOB, Constraints(), grids(found, ("acme", "clean", 50.0)), now=NOW).rows()
    by_region = {row["region"]: row for row in rows}
    clean = by_region["clean"]
    kilowatts = machine_power_kw(accelerators()["h100-sxm5-80gb"], 1)
    assert kilowatts is not None
    assert clean["co2e_kg"] == pytest.approx(kilowatts * clean["hours"]["p50"] * 1.54 * 50 / 1000, rel=0.01)
    assert by_region["unknown"]["co2e_kg"] is None
    assert any("g/kWh" in reason for reason in clean["reasons"])


def test_a_limit_on_carbon_takes_the_clean_region_although_it_is_dearer(market: Market) -> None:  # noqa: F811
    rows = (
        offer(price=2.0, region="coal"),
        offer(price=2.5, region="water"),
        offer(price=1.0, region="unknown"),
    )
    con = grids(market(*rows), ("acme", "coal", 900.0), ("acme", "water", 20.0))
    free = recommend(JOB, Constraints(), con, now=NOW).rows()
    assert free[0]["region"] == "unknown"
    coal = recommend(JOB, Constraints(regions=("coal",)), con, now=NOW).rows()[0]["co2e_kg"]
    kept = recommend(JOB, Constraints(max_co2_kg=coal / 2), con, now=NOW).rows()
    assert {row["region"] for row in kept} == {"water"}
    assert all(row["co2e_kg"] <= coal / 2 for row in kept)


def test_a_limit_that_nothing_keeps_names_the_cleanest(market: Market) -> None:  # noqa: F811
    con = grids(market(offer(region="coal")), ("acme", "coal", 900.0))
    with pytest.raises(NothingFoundError, match=r"--max-co2-kg 0\.001; the cleanest: acme"):
        recommend(JOB, Constraints(max_co2_kg=0.001), con, now=NOW)
    with pytest.raises(NothingFoundError, match="the grid of none"):
        recommend(JOB, Constraints(max_co2_kg=1.0), market(offer(region="x")), now=NOW)


def test_weekly_retraining_costs_52_runs_a_year(market: Market) -> None:  # noqa: F811
    assert runs_per_year(7 * 24) == pytest.approx(52.14, abs=0.01)
    assert runs_per_year(8760) == pytest.approx(1.0)
    job = Workload(task="finetune", model="llama-3.1-8b", tokens=1e8, method="lora", every_hours=168)
    row = recommend(job, Constraints(), market(offer()), now=NOW).rows()[0]
    assert row["runs_per_year"] == pytest.approx(52.14, abs=0.01)
    assert row["cost_usd_per_year"]["p50"] == pytest.approx(row["cost_usd"]["p50"] * 8760 / 168, rel=0.001)
    assert any("runs a year" in reason for reason in row["reasons"])
    once = recommend(JOB, Constraints(), market(offer()), now=NOW).rows()[0]
    assert once["cost_usd_per_year"] is None


def test_a_service_is_not_run_again() -> None:
    with pytest.raises(UsageError, match="every"):
        Workload(task="serve", model="llama-3.1-8b", every_hours=24)
