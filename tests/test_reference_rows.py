"""Token prices and grid carbon in the warehouse: the newest of a key is published, every statement kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.warehouse_runs import DAY0, ask, day, load, write_run
from warehouse.database import warehouse_path
from warehouse.ingest import LoadResult, dry_run, ingest
from warehouse.records import GridCarbon, TokenPrice

REFERENCE = {"kind": "reference", "first_party": False, "price_kinds": ["token_price"]}


def token(model: str = "acme/m0", price: str | None = "4e-7", **changes: Any) -> TokenPrice:
    """A price of the seller "acme" as the map "prices" states it."""
    values: dict[str, Any] = {
        "provider": "acme",
        "source": "prices",
        "source_url": "https://prices.test/map.json",
        "observed_at": DAY0,
        "model": model,
        "input_raw": None if price is None else Decimal(price),
        "output_raw": Decimal("1.2e-6"),
        "price_unit": "USD per token",
    }
    return TokenPrice(**{**values, **changes})


def grid(
    region: str = "europe-west4", grams: str = "208.81", period: str | None = "2024", **changes: Any
) -> GridCarbon:
    """The grid of a region of Google's."""
    values: dict[str, Any] = {
        "source": "grids",
        "source_url": "https://grids.test/2024.csv",
        "observed_at": DAY0,
        "provider": "gcp",
        "region": region,
        "intensity_raw": Decimal(grams),
        "intensity_unit": "gCO2eq / kWh",
        "period": period,
    }
    return GridCarbon(**{**values, **changes})


def load_rows(home: Path, rows: list[Any], moment: datetime, **options: Any) -> LoadResult:
    return load(home, rows, moment, provider=rows[0].source, facts=REFERENCE, **options)


def counts(home: Path) -> tuple[int, int]:
    """Kept statements and sightings of token prices."""
    with duckdb.connect(str(warehouse_path(home)), read_only=True) as connection:
        found = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
            for table in ("raw_token_prices", "raw_token_sightings")
        ]
    return found[0], found[1]


def test_prices_are_published_per_million_tokens_whatever_the_source_counts(tmp_path: Path) -> None:
    per_million = token("acme/m1", "0.4", output_raw=None, price_unit="USD per 1e6 tokens")
    result = load_rows(
        tmp_path, [token(), per_million, token("acme/free", None, output_raw=None, note="free")], day(0)
    )
    assert (result.state, result.offers, result.token_prices) == ("good", 0, 3)
    rows = ask(tmp_path, "SELECT model, input_usd_per_mtok AS i, output_usd_per_mtok AS o FROM token_prices")
    assert [(row["model"], row["i"], row["o"]) for row in rows] == [
        ("acme/free", None, None),
        ("acme/m0", pytest.approx(0.4), pytest.approx(1.2)),
        ("acme/m1", pytest.approx(0.4), None),
    ]


def test_a_statement_that_stays_adds_a_sighting_and_a_new_one_a_row(tmp_path: Path) -> None:
    load_rows(tmp_path, [token()], day(0))
    load_rows(tmp_path, [token()], day(1))
    assert counts(tmp_path) == (1, 2)
    load_rows(tmp_path, [token(price="5e-7")], day(2))
    load_rows(tmp_path, [token(price="4e-7")], day(3))
    assert counts(tmp_path) == (2, 4)
    (row,) = ask(tmp_path, "SELECT input_raw, stated_since, observed_at, listed FROM token_prices")
    assert row == {"input_raw": "0.0000004", "stated_since": day(3), "observed_at": day(3), "listed": True}


def test_loading_a_run_again_changes_nothing(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "runs", [token()], day(0), provider="prices", facts=REFERENCE)
    assert not ingest(tmp_path, [folder], now=day(0))[0].already_loaded
    assert ingest(tmp_path, [folder], now=day(1))[0].already_loaded
    assert counts(tmp_path) == (1, 1)


def test_a_model_that_a_whole_run_no_longer_has_is_kept_but_not_listed(tmp_path: Path) -> None:
    load_rows(tmp_path, [token(), token("acme/gone")], day(0))
    load_rows(tmp_path, [token()], day(1), state="partial", reason="half of it")
    listed = "SELECT model, listed FROM token_prices"
    assert all(row["listed"] for row in ask(tmp_path, listed))
    load_rows(tmp_path, [token()], day(2))
    assert {row["model"]: row["listed"] for row in ask(tmp_path, listed)} == {
        "acme/m0": True,
        "acme/gone": False,
    }


def test_two_sellers_and_two_sources_of_one_model_stand_beside_each_other(tmp_path: Path) -> None:
    load_rows(tmp_path, [token(), token(provider="other", price="9e-7")], day(0))
    load_rows(tmp_path, [token(source="second", price="4.1e-7")], day(0.5))
    rows = ask(tmp_path, "SELECT source, provider FROM token_prices")
    assert sorted(tuple(row.values()) for row in rows) == [
        ("prices", "acme"),
        ("prices", "other"),
        ("second", "acme"),
    ]


def test_a_held_run_leaves_no_statement(tmp_path: Path) -> None:
    load_rows(tmp_path, [token()], day(0), state="held", reason="another shape")
    assert counts(tmp_path) == (0, 0)


def test_prices_that_all_move_by_one_factor_wait_until_the_next_run_says_so_too(tmp_path: Path) -> None:
    rows = [token(f"acme/m{number}", f"{number + 1}e-7") for number in range(12)]
    load_rows(tmp_path, rows, day(0))
    moved = [replace(row, input_raw=(row.input_raw or Decimal(0)) * 1000) for row in rows]
    held = load_rows(tmp_path, moved, day(1))
    assert held.state == "held"
    assert held.reason == "R6: 12 of 12 rows of prices changed by the factor 1000"
    newest = "SELECT max(input_usd_per_mtok) AS dearest FROM token_prices"
    assert ask(tmp_path, newest)[0]["dearest"] == pytest.approx(1.2)
    assert load_rows(tmp_path, moved, day(2)).state == "good"
    assert ask(tmp_path, newest)[0]["dearest"] == pytest.approx(1200)


def test_a_few_prices_that_move_together_are_no_mass_move(tmp_path: Path) -> None:
    rows = [token(f"acme/m{number}", f"{number + 1}e-7") for number in range(60)]
    load_rows(tmp_path, rows, day(0))
    some = [replace(row, input_raw=(row.input_raw or Decimal(0)) / 2) for row in rows[:11]]
    assert load_rows(tmp_path, [*some, *rows[11:]], day(1)).state == "good"


def test_a_list_that_lost_a_third_waits_until_the_next_run_says_so_too(tmp_path: Path) -> None:
    rows = [token(f"acme/m{number}") for number in range(12)]
    load_rows(tmp_path, rows, day(0))
    held = load_rows(tmp_path, rows[:8], day(1))
    assert (held.state, held.reason) == ("held", "R7: 8 rows where the last good run had 12")
    assert load_rows(tmp_path, rows[:8], day(2)).state == "good"
    assert load_rows(tmp_path, rows[:2], day(3), partial=True).state == "good"


def test_of_each_region_the_newest_period_is_published_and_earlier_ones_are_kept(tmp_path: Path) -> None:
    result = load_rows(tmp_path, [grid(), grid(grams="230", period="2023"), grid("us-x", "100")], day(0))
    assert result.grid_carbon == 3
    load_rows(tmp_path, [grid(grams="229", period="2023")], day(1))
    rows = ask(tmp_path, "SELECT region, period, g_co2e_per_kwh, grid_zone, country FROM grid_carbon")
    assert rows[0] == {
        "region": "europe-west4",
        "period": "2024",
        "g_co2e_per_kwh": pytest.approx(208.81),
        "grid_zone": "NL",
        "country": "NL",
    }
    assert (rows[1]["region"], rows[1]["grid_zone"]) == ("us-x", None)
    with duckdb.connect(str(warehouse_path(tmp_path)), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM raw_grid_carbon").fetchall() == [(4,)]


def test_tons_become_grams_and_a_zone_is_its_own_place(tmp_path: Path) -> None:
    rows = [
        grid("eu-central-1", "0.000338", None, provider="aws", intensity_unit="metric ton/kWh"),
        grid("US-CAL-CISO", "210", "2026-11-10T05:00:00.000Z", provider=None, intensity_unit="gCO2eq/kWh"),
    ]
    load_rows(tmp_path, rows, day(0))
    found = ask(tmp_path, "SELECT grid_zone, country, g_co2e_per_kwh AS g FROM grid_carbon")
    assert [(row["grid_zone"], row["country"]) for row in found] == [("DE", "DE"), ("US-CAL-CISO", "US")]
    assert [row["g"] for row in found] == [pytest.approx(338), pytest.approx(210)]


def test_a_dry_run_shows_them_as_they_would_be_published(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "runs", [token()], day(0), provider="prices", facts=REFERENCE)
    trial = dry_run(folder, now=day(0))
    assert (trial.state, trial.rows, trial.grid_carbon) == ("good", [], [])
    assert trial.token_prices[0]["input_usd_per_mtok"] == pytest.approx(0.4)
    folder = write_run(tmp_path / "runs", [grid()], day(0), provider="grids", facts=REFERENCE)
    assert dry_run(folder, now=day(0)).grid_carbon[0]["grid_zone"] == "NL"
    assert not warehouse_path(tmp_path).exists()


def test_a_table_without_a_column_fails_its_own_run_only(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    folder = write_run(tmp_path / "runs", [token()], day(0), provider="prices", facts=REFERENCE)
    file = folder / "token_prices.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["price_unit"]), file)
    good = write_run(tmp_path / "runs", [token(source="second")], day(0), provider="second", facts=REFERENCE)
    found = {result.provider: result for result in ingest(tmp_path, [folder, good], now=day(0))}
    assert found["prices"].state == "failed"
    assert "price_unit" in str(found["prices"].reason)
    assert found["second"].state == "good"
