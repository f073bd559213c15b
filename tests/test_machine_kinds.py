"""Machines without a type name: links and networks by provider and accelerator."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawlers.discover import spider_cards
from warehouse.errors import ReferenceDataError
from warehouse.reference import machine_table
from warehouse.reference.machine_table import machine_kind, machine_kinds

HEADER = (
    "provider,instance_type,accelerator_id,gpu_count,gpu_link,fabric_gbit_per_s,fabric_kind,"
    "source,read_on,notes"
)


def test_every_row_is_of_a_crawled_provider_and_says_where_it_was_read() -> None:
    for row in machine_kinds():
        assert row.provider in spider_cards(), row
        assert row.source.startswith("https://"), row
        assert bool(row.fabric_kind) or row.fabric_gbit_per_s is None, row


def test_a_machine_is_found_by_its_type_or_by_what_is_in_it() -> None:
    nebius = machine_kind("nebius", "anything", "b200-sxm-180gb", 8)
    assert nebius is not None
    assert (nebius.fabric_gbit_per_s, nebius.gpu_link) == (3200, "switch")
    links = {
        name: machine_kind("hyperstack", name, "a100-pcie-80gb", 8)
        for name in ("N3-A100x8-NVLink", "n3-A100x8", "n3-L40x8")
    }
    assert [one and one.gpu_link for one in links.values()] == ["bridge", "pcie", None]
    assert machine_kind("nebius", None, "b200-sxm-180gb", 1) is None


@pytest.mark.parametrize(
    "row",
    [
        "acme,,h100-of-tomorrow,8,switch,,,https://a.test/,2026-11-27,",
        "acme,,h200-sxm-141gb,8,rope,,,https://a.test/,2026-11-27,",
        "acme,,h200-sxm-141gb,eight,switch,,,https://a.test/,2026-11-27,",
    ],
)
def test_a_row_that_cannot_be_right_is_named_with_its_line(
    row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "kinds.csv"
    table.write_text(f"{HEADER}\n{row}\n", "utf-8")
    monkeypatch.setattr(machine_table, "TABLE", str(table))
    machine_kinds.cache_clear()
    try:
        with pytest.raises(ReferenceDataError, match="line 2"):
            machine_kinds()
    finally:
        machine_kinds.cache_clear()
