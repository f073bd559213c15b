"""What accelerators cost to buy: the table and its reader."""

from __future__ import annotations

from pathlib import Path

import pytest

import warehouse.reference as reference
from warehouse.errors import ReferenceDataError
from warehouse.reference import accelerators
from warehouse.reference.purchase_table import (
    CONDITIONS,
    PurchasePrice,
    purchase_price,
    purchase_prices,
)

HEADER = (
    "item,accelerator_id,gpu_count,low_usd,high_usd,includes,condition,price_source,price_date,"
    "power_kw,power_source,read_on,notes"
)
GOOD = "card,l4-24gb,1,2000,3000,card,list,somewhere,2026-04,,,2026-11-27,"


def _read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> tuple[PurchasePrice, ...]:
    (tmp_path / "purchase_prices.csv").write_text(f"{HEADER}\n{line}\n", encoding="utf-8")
    accelerators()  # read before the folder is another one
    monkeypatch.setattr(reference, "_FOLDER", tmp_path)
    return purchase_prices.__wrapped__()


def test_a_price_is_the_middle_of_its_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = _read(tmp_path, monkeypatch, GOOD.replace(",1,2000", ",4,2000"))
    assert row.purchase_price_usd == 2500
    assert row.purchase_price_usd_per_gpu == 625
    assert row.power_kw_per_gpu is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("l4-24gb", "l4-25gb", "accelerator_id 'l4-25gb' is not in accelerators.csv"),
        (",card,", ",box,", "includes 'box' is not one of"),
        ("2000,3000", "3000,2000", "are not a range"),
        ("2000,3000", "0,3000", "are not a range"),
        ("2000,3000", ",3000", "are not a range"),
        (",list,", ",,", "give all or none"),
        (",somewhere,", ",,", "give all or none"),
        (",,,2026-11-27", ",6.5,,2026-11-27", "power_source goes with power_kw"),
        ("2026-11-27", "yesterday", "yesterday"),
        (",1,2000", ",0,2000", "gpu_count 0"),
    ],
)
def test_a_cell_that_cannot_be_right_is_named(
    old: str, new: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert old in GOOD
    with pytest.raises(ReferenceDataError, match=rf"purchase_prices.csv line 2: .*{message}"):
        _read(tmp_path, monkeypatch, GOOD.replace(old, new, 1))


def test_every_price_has_kind_source_and_month_and_is_plausible() -> None:
    for row in purchase_prices():
        if row.low_usd is not None:
            assert row.condition in CONDITIONS
            assert row.price_source
            assert row.price_date
            assert "2016-01" <= row.price_date <= "2026-11"
            assert 300 <= (row.purchase_price_usd_per_gpu or 0) <= 80_000, row.item
        if row.power_kw_per_gpu is not None:
            board = (accelerators()[row.accelerator_id].tdp_w or 0) / 1000
            assert board <= row.power_kw_per_gpu <= 3 * board, row.item  # a server draws more than its boards


def test_the_figures_of_the_articles_are_in_the_table() -> None:
    by_item = {row.item: row for row in purchase_prices()}
    dgx = by_item["DGX A100 (80 GB)"]
    assert (dgx.low_usd, dgx.high_usd, dgx.power_kw) == (175_000, 199_000, 6.5)
    assert pytest.approx(44.8e6) == 256 * 175_000  # 256 of them, as the article counts


def test_one_part_new_goes_before_servers_and_used_ones() -> None:
    card = purchase_price("h100-sxm5-80gb")
    assert card is not None
    assert card.includes == "module"
    server = purchase_price("h100-sxm5-80gb", whole=True)
    assert server is not None
    assert server.includes == "server"
    used = purchase_price("v100-pcie-32gb")
    assert used is not None
    assert used.condition == "used"
    assert purchase_price("l4-24gb", whole=True) is None
    assert purchase_price("tpu-v5e") is None
    rack = purchase_price("gb200-186gb")
    assert rack is not None
    assert rack.includes == "rack"
