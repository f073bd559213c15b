"""The fair price: simulated truth, shrinkage, its band, and what is published."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.index_simulation import simulate_offers
from tests.warehouse_runs import day, offer, write_run
from warehouse.database import open_market
from warehouse.errors import UsageError
from warehouse.fair_price import FairPrice, fair_prices_of
from warehouse.fair_price_method import Offers, fair_prices
from warehouse.ingest import ingest, ingest_bundled
from warehouse.offer_filter import OfferFilter


@pytest.fixture(scope="module")
def market() -> Any:
    return simulate_offers(7)


def rmse(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def test_recovers_the_price_that_offers_were_drawn_around(market: Any) -> None:
    found = fair_prices(market.offers)
    assert found is not None
    error = found.log_fair - market.truth
    assert rmse(error[~market.is_few]) < 0.10
    assert rmse(error[market.is_few]) < 0.35
    assert found.sigma == pytest.approx(0.12, abs=0.05)
    assert found.effect_sd["provider"] == pytest.approx(0.25, abs=0.1)


def test_the_band_holds_eight_of_ten(market: Any) -> None:
    found = fair_prices(market.offers)
    assert found is not None
    inside = (market.offers.log_price >= found.log_p10) & (market.offers.log_price <= found.log_p90)
    assert 0.74 < inside.mean() < 0.86
    wide = (found.log_p90 - found.log_p10)[market.is_few].mean()
    assert wide > (found.log_p90 - found.log_p10)[~market.is_few].mean()


def test_hardware_stands_in_for_a_part_that_nobody_else_sells(market: Any) -> None:
    """Without hardware figures the lone parts are guessed worse."""
    blind = replace(market.offers, hardware=np.full_like(market.offers.hardware, np.nan))
    found, without = fair_prices(market.offers), fair_prices(blind)
    assert found is not None
    assert without is not None
    few = market.is_few
    assert rmse((found.log_fair - market.truth)[few]) < 0.8 * rmse((without.log_fair - market.truth)[few])


def test_an_own_price_never_defends_itself(market: Any) -> None:
    """All offers of one provider and part three times as dear: their fair price stays where it was."""
    offers = market.offers
    chosen = np.array(
        [
            provider == offers.provider[0] and part == offers.accelerator[0]
            for provider, part in zip(offers.provider, offers.accelerator, strict=True)
        ]
    )
    raised = fair_prices(replace(offers, log_price=offers.log_price + math.log(3) * chosen))
    before = fair_prices(offers)
    assert raised is not None
    assert before is not None
    assert np.abs((raised.log_fair - before.log_fair)[chosen]).max() < 0.05


def test_many_rows_of_one_provider_are_one_voice(market: Any) -> None:
    offers = market.offers
    more = replace(
        offers, count=np.where(np.array(offers.provider) == offers.provider[0], 1000.0, offers.count)
    )
    found, before = fair_prices(more), fair_prices(offers)
    assert found is not None
    assert before is not None
    assert np.abs(found.log_fair - before.log_fair).max() < 0.02


def test_too_little_to_go_by() -> None:
    few = Offers(
        *(np.zeros(3), np.ones(3), ["a"] * 3, ["p"] * 3, ["k"] * 3, [""] * 3, [""] * 3, [""] * 3),
        gpu_count=np.ones(3),
        hardware=np.ones((3, 3)),
    )
    assert fair_prices(few) is None


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home = tmp_path_factory.mktemp("home")
    ingest_bundled(home, now=day(0))
    connection = open_market(home)
    yield connection
    connection.close()


def test_the_bundled_market_is_judged(bundled: Any) -> None:
    rows = fair_prices_of(bundled, OfferFilter(gpu="h100"), now=day(0))
    assert len(rows) > 100
    for row in rows:
        assert row.p10_usd_per_gpu_hour < row.fair_usd_per_gpu_hour < row.p90_usd_per_gpu_hour
        assert row.percent == pytest.approx(
            100 * (row.price_usd_per_gpu_hour / row.fair_usd_per_gpu_hour - 1)
        )
        assert row.verdict == expected(row)
    assert [row.percent for row in rows] == sorted(row.percent for row in rows)
    cheap = fair_prices_of(bundled, OfferFilter(gpu="h100", limit=3), now=day(0), verdict="cheap")
    assert len(cheap) == 3
    assert {row.verdict for row in cheap} == {"cheap"}
    with pytest.raises(UsageError, match="verdict"):
        fair_prices_of(bundled, OfferFilter(), now=day(0), verdict="bargain")


def expected(row: FairPrice) -> str:
    if row.kind == "marketplace" and abs(row.percent) <= 35:
        return "fair"
    if row.price_usd_per_gpu_hour < row.p10_usd_per_gpu_hour:
        return "cheap"
    return "dear" if row.price_usd_per_gpu_hour > row.p90_usd_per_gpu_hour else "fair"


def test_a_marketplace_listing_within_35_percent_is_not_cheap(tmp_path: Path) -> None:
    """Clouds at 2.50 or so: a band of a few per cent. A listing at 2.00 is below it, and still fair."""
    folders = [
        write_run(
            tmp_path / "runs", [offer("m", f"{2.5 + number / 100:.2f}")], day(0), provider=f"cloud-{number}"
        )
        for number in range(24)
    ]
    listings = [offer("near", "2.0", offer_key="a"), offer("far", "1.0", offer_key="b")]
    facts = {"kind": "marketplace"}
    folders.append(write_run(tmp_path / "runs", listings, day(0), provider="hosts", facts=facts))
    folders.append(write_run(tmp_path / "runs", [offer("list", "2.0")], day(0), provider="cloud-x"))
    ingest(tmp_path, folders, now=day(0.1))
    connection = open_market(tmp_path)
    found = {row.instance_type: row for row in fair_prices_of(connection, OfferFilter(), now=day(1))}
    connection.close()
    assert -35 < found["near"].percent < -10
    assert found["near"].price_usd_per_gpu_hour < found["near"].p10_usd_per_gpu_hour
    assert found["near"].verdict == "fair"
    assert found["far"].verdict == "cheap"
    assert found["list"].verdict == "cheap"


def test_floors_slices_and_announced_prices_are_not_judged(bundled: Any) -> None:
    from warehouse.queries import run_sql

    _, rows = run_sql(
        bundled,
        "SELECT count(*) AS n FROM fair_prices JOIN offers USING (offer_id) "
        "WHERE is_floor OR partition IS NOT NULL OR outdated",
    )
    assert rows[0]["n"] == 0
