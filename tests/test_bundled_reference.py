"""Token prices and grid intensities inside the package: sound, loaded once, superseded by what is crawled."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from warehouse import bundled_reference
from warehouse.bundled_reference import bundled_reference as rows
from warehouse.database import fetch_dicts, open_market
from warehouse.errors import ReferenceDataError
from warehouse.ingest import ingest_bundled
from warehouse.records import GridCarbon, TokenPrice

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def test_rows_are_sound_and_credited() -> None:
    found = rows()
    tokens = [row for row in found if isinstance(row, TokenPrice)]
    carbon = [row for row in found if isinstance(row, GridCarbon)]
    assert len(tokens) > 300
    assert len(carbon) > 100
    assert all(row.input_raw and row.output_raw and Decimal(0) < row.input_raw for row in tokens)
    assert all(row.source_url.startswith("https://") for row in found)
    notice = (Path(__file__).parent.parent / "NOTICE").read_text("utf-8")
    for name in {row.source.partition(":")[0] for row in found}:
        project = {"litellm": "litellm", "ccf_grid_factors": "ccf-coefficients"}.get(
            name, "region-carbon-info"
        )
        assert project in notice


def test_they_are_loaded_with_the_bundled_market(tmp_path: Path) -> None:
    ingest_bundled(tmp_path, now=NOW)
    with open_market(tmp_path) as market:
        tokens = fetch_dicts(market, "SELECT * FROM token_prices WHERE origin = 'bundled'")
        carbon = fetch_dicts(
            market, "SELECT * FROM grid_carbon WHERE provider = 'aws' AND region = 'us-east-1'"
        )
    assert tokens
    assert all(row["input_usd_per_mtok"] < 1000 for row in tokens)
    assert carbon
    assert 200 < carbon[0]["g_co2e_per_kwh"] < 600
    assert ingest_bundled(tmp_path, now=NOW) is None


def test_a_damaged_table_names_its_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = bundled_reference.TOKENS_TABLE.read_text("utf-8").splitlines()
    broken = tmp_path / "token_prices.csv"
    broken.write_text("\n".join([text[0], text[1].replace("USD per token", "", 1)]), "utf-8")
    monkeypatch.setattr(bundled_reference, "_TABLES", {broken: TokenPrice})
    with pytest.raises(ReferenceDataError, match="line 2"):
        rows()
