"""Changes in money: repricings, comers and goers; not fooled by exchange rates, keys or catalogues."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse_runs import day, fleet, load, offer, rate
from warehouse.changes import Change, ChangeReport, changes_by_money
from warehouse.database import open_market
from warehouse.errors import UnknownNameError


def report(home: Path, **asked: Any) -> ChangeReport:
    connection = open_market(home)
    try:
        return changes_by_money(connection, **asked)
    finally:
        connection.close()


def only(found: ChangeReport) -> Change:
    assert len(found.changes) == 1, found
    return found.changes[0]


def test_a_repricing_in_money(tmp_path: Path) -> None:
    load(tmp_path, [offer("m8", "20", gpu_count=8.0), *fleet(9)], day(0))
    load(tmp_path, [offer("m8", "22", gpu_count=8.0), *fleet(9)], day(1))
    change = only(report(tmp_path))
    assert (change.change, change.at, change.gpu_count) == ("repriced", day(1), 8)
    assert (change.old_usd_per_gpu_hour, change.new_usd_per_gpu_hour) == (2.5, 2.75)
    assert change.usd_per_gpu_hour == pytest.approx(0.25)
    assert change.usd_per_month == pytest.approx(0.25 * 8 * 730)
    assert change.percent == pytest.approx(10)
    assert change.measured_against == "own price"


def test_ordered_by_money(tmp_path: Path) -> None:
    load(tmp_path, [offer("a", "2"), offer("b", "16", gpu_count=8.0), *fleet(9)], day(0))
    load(tmp_path, [offer("a", "2.4"), offer("b", "15", gpu_count=8.0), *fleet(9)], day(1))
    found = report(tmp_path)
    assert [change.instance_type for change in found.changes] == ["b", "a"]
    assert found.changes[0].usd_per_month == pytest.approx(-730)
    assert found.counts == {"repriced": 2}


def test_an_exchange_rate_is_no_change(tmp_path: Path) -> None:
    def euros(moment: datetime, dollar: str) -> list[Any]:
        return [*fleet(9, currency="EUR"), rate("USD", dollar, moment)]

    load(tmp_path, euros(day(0), "1.10"), day(0))
    load(tmp_path, euros(day(1), "1.25"), day(1))
    assert report(tmp_path).changes == ()


def test_a_new_key_at_the_same_price_is_no_change(tmp_path: Path) -> None:
    load(tmp_path, [offer("m", offer_key="old", region="us-east-1"), *fleet(30)], day(0))
    load(tmp_path, [offer("m", offer_key="new", region="us-east-1"), *fleet(30)], day(1))
    found = report(tmp_path)
    assert found.changes == ()
    assert found.rekeyed == 1


def test_a_new_key_at_another_price_is_a_repricing(tmp_path: Path) -> None:
    load(tmp_path, [offer("m", "2.0", offer_key="old"), *fleet(30)], day(0))
    load(tmp_path, [offer("m", "2.2", offer_key="new"), *fleet(30)], day(1))
    change = only(report(tmp_path))
    assert (change.change, change.rekeyed) == ("repriced", True)
    assert change.percent == pytest.approx(10)


def test_a_new_key_stays_no_change_when_the_old_one_is_withdrawn(tmp_path: Path) -> None:
    load(tmp_path, [offer("m", offer_key="old"), *fleet(30)], day(0))
    for number in range(1, 5):
        load(tmp_path, [offer("m", offer_key="new"), *fleet(30)], day(number))
    found = report(tmp_path)
    assert found.changes == ()
    assert found.rekeyed == 1


def test_a_new_key_in_another_region_is_a_new_offer(tmp_path: Path) -> None:
    load(tmp_path, [offer("m", offer_key="old", region="us-east-1"), *fleet(30)], day(0))
    load(tmp_path, [offer("m", offer_key="new", region="eu-west-1"), *fleet(30)], day(1))
    assert set(report(tmp_path).counts) == {"new", "missing"}


def test_a_vanished_offer_costs_the_way_to_the_next_cheapest(tmp_path: Path) -> None:
    load(tmp_path, [offer("cheap", "2.0"), *fleet(12, "2.5")], day(0))
    load(tmp_path, fleet(12, "2.5"), day(1))
    change = only(report(tmp_path))
    assert (change.change, change.measured_against) == ("missing", "next cheapest")
    assert change.usd_per_gpu_hour == pytest.approx(0.5)
    assert change.usd_per_month == pytest.approx(365)
    assert change.percent == pytest.approx(25)
    for number in (2, 3):
        load(tmp_path, fleet(12, "2.5"), day(number))
    assert only(report(tmp_path)).change == "withdrawn"


def test_new_sold_out_and_restocked(tmp_path: Path) -> None:
    load(tmp_path, [offer("m", "2.0", available=True), *fleet(30)], day(0))
    load(tmp_path, [offer("m", "2.0", available=False), *fleet(30), offer("n", "1.9")], day(1))
    load(tmp_path, [offer("m", "2.0", available=True), *fleet(30), offer("n", "1.9")], day(2))
    found = {change.change: change for change in report(tmp_path).changes}
    assert set(found) == {"sold_out", "new", "restocked"}
    assert found["new"].usd_per_gpu_hour == pytest.approx(-0.1)
    assert found["restocked"].usd_per_gpu_hour == 0


def test_since_and_filters(tmp_path: Path) -> None:
    load(tmp_path, fleet(30), day(0))
    load(tmp_path, fleet(30, "2.6"), day(1))
    load(tmp_path, fleet(30, "2.6"), day(2))  # confirms the mass move
    assert len(report(tmp_path, since=day(1), gpu="h100", provider="acme", kind="on_demand").changes) == 30
    assert len(report(tmp_path, limit=3).changes) == 3
    assert report(tmp_path, since=day(2.5)).changes == ()
    assert report(tmp_path, until=day(0.5)).changes == ()
    assert report(tmp_path, as_of=day(0.5)).changes == ()
    assert report(tmp_path, gpu="a100").changes == ()
    with pytest.raises(UnknownNameError):
        report(tmp_path, gpu="no such gpu")


def test_a_catalogue_is_no_news_of_a_cloud_with_own_runs(tmp_path: Path) -> None:
    load(tmp_path, fleet(9), day(0))
    facts = {"first_party": False, "kind": "reference"}
    for number, price in enumerate(("3.0", "3.3")):
        rows = [offer(f"c{n}", price, source="list") for n in range(9)]
        _catalogue(tmp_path, rows, day(number + 0.1), facts)
    assert report(tmp_path).changes == ()


def _catalogue(home: Path, rows: list[Any], moment: datetime, facts: dict[str, Any]) -> None:
    """A catalogue's run whose rows speak of acme."""
    from dataclasses import replace

    from tests.warehouse_runs import FACTS
    from warehouse.ingest import ingest
    from warehouse.run_folder import ParseReport, RunFolderWriter, SourceReport

    writer = RunFolderWriter(home / "runs", "catalogue", moment, partial=False, source={"origin": "test"})
    report_ = ParseReport(
        parser_version="test",
        parsed_at=moment.isoformat(),
        state="good",
        sources=[SourceReport("list", "good")],
        facts={**FACTS, **facts},
        requests=1,
    )
    writer.add("GET", "https://catalogue.test/", None, 200, {}, repr(moment).encode(), suffix=".json")
    folder = writer.finish(report_, [replace(row, observed_at=moment) for row in rows])
    assert ingest(home, [folder], now=moment)[0].state == "good"
