"""Power usage effectiveness: the closest published figure, and cells that cannot be right."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from warehouse.errors import ReferenceDataError
from warehouse.reference import pue_table
from warehouse.reference.pue_table import pue, pues
from warehouse.regions import place

HEADER = "provider,region,pue,year,kind,source,read_on,notes"


def test_every_figure_is_of_a_known_region_and_says_where_it_was_read() -> None:
    for (provider, region), row in pues().items():
        assert row.source.startswith("https://"), row
        assert row.read_on >= date(2026, 1, 1), row
        found = place(provider, region) if region else None
        assert not region or (found is not None and found.city is not None), row


def test_the_closest_figure_is_taken() -> None:
    assert pue("aws", "eu-central-1").pue == 1.35
    assert (pue("aws", "eu-central-9").pue, pue("aws").pue) == (1.15, 1.15)
    assert pue("gcp", "us-east5").year == 2023
    industry = pue("vast", "Texas, US")
    assert (industry.provider, industry.pue, industry.kind) == ("", 1.54, "survey")


@pytest.mark.parametrize(
    "row",
    [
        "acme,,0.9,2024,provider,https://a.test/,2026-11-27,",
        "acme,,1.2,2024,hearsay,https://a.test/,2026-11-27,",
        "acme,,1.2,lately,provider,https://a.test/,2026-11-27,",
        "acme,,1.2,2024,provider,https://a.test/,2026-11-27,\nacme,,1.3,2024,provider,https://a.test/,2026-11-27,",
    ],
)
def test_a_row_that_cannot_be_right_is_named_with_its_line(
    row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "pue.csv"
    table.write_text(f"{HEADER}\n{row}\n", "utf-8")
    monkeypatch.setattr(pue_table, "TABLE", str(table))
    pues.cache_clear()
    try:
        with pytest.raises(ReferenceDataError, match=r"line [23]"):
            pues()
    finally:
        pues.cache_clear()
