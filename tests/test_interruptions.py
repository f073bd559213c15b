"""The interruption band of spot offers, from the record to the published offers: the newest one counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpufare.cli.main import main
from tests.warehouse_runs import ask, day, load, offer, write_run
from warehouse.errors import RecordError
from warehouse.ingest import dry_run
from warehouse.records import PriceKind

BANDS = "SELECT instance_type, interruption_rate_low, interruption_rate_high FROM offers ORDER BY 1"


def spot(name: str, low: float | None, high: float | None) -> Any:
    return offer(name, price_kind=PriceKind.SPOT, interruption_rate_low=low, interruption_rate_high=high)


def bands(home: Path) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in ask(home, BANDS)]


def test_a_band_is_published_and_the_newest_statement_counts(tmp_path: Path) -> None:
    load(tmp_path, [spot("a", 0.05, 0.1), spot("b", 0.2, None), spot("c", None, None)], day(0))
    assert bands(tmp_path) == [("a", 0.05, 0.1), ("b", 0.2, None), ("c", None, None)]
    load(tmp_path, [spot("a", 0, 0.05), spot("b", None, None), spot("c", 0.1, 0.15)], day(1))
    assert bands(tmp_path) == [("a", 0, 0.05), ("b", None, None), ("c", 0.1, 0.15)]
    load(tmp_path, [spot("a", 0.15, 0.2)], day(0.5))  # an older run, loaded later
    assert bands(tmp_path)[0] == ("a", 0, 0.05)


def test_a_dry_run_shows_the_band(tmp_path: Path) -> None:
    found = dry_run(write_run(tmp_path, [spot("a", 0.05, 0.1)], day(0)), now=day(0))
    assert [(row["interruption_rate_low"], row["interruption_rate_high"]) for row in found.rows] == [
        (0.05, 0.1)
    ]


@pytest.mark.parametrize(
    ("low", "high"), [(0.2, 0.1), (None, 0.1), (-0.1, None), (0.5, 1.5), (float("nan"), None)]
)
def test_a_band_that_cannot_be_is_refused(low: float | None, high: float | None) -> None:
    with pytest.raises(RecordError, match="interruption_rate"):
        spot("a", low, high)


def test_a_warehouse_of_the_version_before_gets_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from warehouse.database import open_warehouse, sql
    from warehouse.migrations import MIGRATIONS

    load(tmp_path, [spot("a", None, None)], day(0))
    with open_warehouse(tmp_path) as connection:
        connection.execute("DROP TABLE raw_interruptions")
        for step in MIGRATIONS[6]:
            connection.execute(sql(step))
    load(tmp_path, [spot("a", 0.05, 0.1)], day(1))
    assert bands(tmp_path) == [("a", 0.05, 0.1)]
    assert main(["--home", str(tmp_path), "offers", "--as-of", "2026-11-10T07:00:00Z", "--json"]) in (0, 4)
    assert '"interruption_rate_low": null' in capsys.readouterr().out
