"""The record tables of a run folder: what goes in comes out, digit by digit, one file per kind."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from warehouse.errors import RunFolderError
from warehouse.records import FxRate, GridCarbon, Offer, PriceKind, Record, TokenPrice
from warehouse.run_folder import read_records, write_records

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
URL = "https://prices.example/v1"
RECORDS: list[Record] = [
    Offer(
        provider="cloud",
        source="cloud:spot",
        source_url=URL,
        observed_at=NOW,
        price_kind=PriceKind.RESERVED,
        price_raw=Decimal("0.10"),
        price_unit="per gpu-hour",
        currency="EUR",
        gpu_name_raw="H100",
        term_months=12,
        upfront_raw=Decimal("1200.00"),
        effective_from=date(2026, 12, 1),
        is_floor=True,
    ),
    FxRate(
        rate_date=date(2026, 11, 20),
        currency="USD",
        units_per_eur=Decimal("1.1500"),
        source_url=URL,
        observed_at=NOW,
    ),
    TokenPrice(
        provider="some ai",
        source="map",
        source_url=URL,
        observed_at=NOW,
        model="m/8b",
        input_raw=Decimal("1.25E-7"),
        price_unit="USD per token",
        context_length=131072,
        retired_on=date(2027, 2, 9),
    ),
    GridCarbon(
        source="grid",
        source_url=URL,
        observed_at=NOW,
        provider="gcp",
        region="r1",
        intensity_raw=Decimal("656.850"),
        intensity_unit="gCO2eq / kWh",
        carbon_free_share=0.15,
        period="2024",
    ),
]


def test_every_kind_of_record_comes_back_as_it_was(tmp_path: Path) -> None:
    write_records(tmp_path, RECORDS)
    assert read_records(tmp_path) == RECORDS
    assert [str(r.units_per_eur) for r in read_records(tmp_path) if isinstance(r, FxRate)] == ["1.1500"]
    assert sorted(file.stem for file in tmp_path.iterdir()) == [
        "fx_rates",
        "grid_carbon",
        "offers",
        "token_prices",
    ]


def test_a_run_has_files_for_its_own_kinds_only(tmp_path: Path) -> None:
    write_records(tmp_path, RECORDS[2:3])
    assert [file.name for file in tmp_path.iterdir()] == ["token_prices.parquet"]


def test_a_run_without_records_still_has_its_empty_offers(tmp_path: Path) -> None:
    write_records(tmp_path, [])
    assert [file.name for file in tmp_path.iterdir()] == ["offers.parquet"]
    assert read_records(tmp_path) == []


@pytest.mark.parametrize("name", ["token_prices.parquet", "grid_carbon.parquet"])
def test_a_broken_table_is_told_with_its_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"PAR1 no more")
    with pytest.raises(RunFolderError, match=str(tmp_path)):
        read_records(tmp_path)
