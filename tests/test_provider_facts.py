"""Facts of providers: every one with its page, published, and used where a spider says nothing of billing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from crawlers.discover import spider_cards
from reports.build_views.providers import _reference_facts
from tests.warehouse_runs import ask, day, load, offer, write_run
from warehouse.errors import ReferenceDataError
from warehouse.ingest import dry_run
from warehouse.reference import provider_facts, provider_table
from warehouse.reference.provider_table import read_provider_facts

HEADER = (
    "provider,billing_increment_seconds,minimum_seconds,egress_usd_per_gb,egress_included_gb_per_month,"
    "storage_usd_per_gb_month,stopped_machine_billing,certificates,billing_source,egress_source,"
    "storage_source,stopped_source,certificates_source,read_on,notes"
)
SILENT = {"billing_increment_seconds": None}


def test_the_facts_are_of_providers_that_are_crawled_and_say_where_they_were_read() -> None:
    cards = spider_cards()
    facts = provider_facts()
    assert len(facts) >= 35
    assert [name for name in facts if name not in cards] == []
    assert all(date(2026, 1, 1) <= row.read_on for row in facts.values())
    assert facts["runpod"].egress_usd_per_gb == 0
    assert facts["baseten"].egress_usd_per_gb is None


def test_the_facts_do_not_contradict_what_the_spiders_say() -> None:
    for name, row in provider_facts().items():
        for field in ("billing_increment_seconds", "minimum_seconds"):
            stated, known = getattr(spider_cards()[name], field, None), getattr(row, field)
            assert None in (stated, known) or stated == known, (name, field)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("acme,0,,,,,,,https://a.test/,,,,,2026-11-21,", "'0' is not a number of seconds"),
        ("acme,60,,,,,,,,,,,,2026-11-21,", "billing_source goes with the fact"),
        ("acme,,,,,,,,https://a.test/,,,,,2026-11-21,", "billing_source goes with the fact"),
        ("acme,,,-1,,,,,,https://a.test/,,,,2026-11-21,", "'-1' is not an amount"),
        ("acme,,,,,,sometimes,,,,,https://a.test/,,2026-11-21,", "'sometimes' is not one of"),
        ("acme,60,,,,,,,a page,,,,,2026-11-21,", "is not an http"),
        ("acme,60,,,,,,,https://a.test/,,,,,lately,", "lately"),
        ("acme,,,,,,,,,,,,,2026-11-21,\nacme,,,,,,,,,,,,,2026-11-21,", "there twice"),
    ],
)
def test_a_cell_that_cannot_be_right_is_named_with_its_line(
    row: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "providers.csv"
    table.write_text(f"{HEADER}\n{row}\n", "utf-8")
    monkeypatch.setattr(provider_table, "TABLE", str(table))
    read_provider_facts.cache_clear()
    try:
        with pytest.raises(ReferenceDataError, match=said) as caught:
            read_provider_facts()
        assert "line 2" in str(caught.value) or "line 3" in str(caught.value)
    finally:
        read_provider_facts.cache_clear()


def test_billing_comes_from_the_facts_where_the_spider_states_none(tmp_path: Path) -> None:
    load(tmp_path, [offer("a")], day(0), provider="aws", facts=SILENT)
    load(tmp_path, [offer("b")], day(0), provider="ovh")
    load(tmp_path, [offer("c")], day(0), provider="nobody", facts=SILENT)
    billed = "SELECT provider, billing_increment_seconds AS step, minimum_seconds AS least FROM {} ORDER BY 1"
    expected = [("aws", 1, 60), ("nobody", None, None), ("ovh", 60, None)]
    for table in ("offers", "providers"):
        assert [tuple(row.values()) for row in ask(tmp_path, billed.format(table))] == expected
    folder = write_run(tmp_path / "dry", [offer("a")], day(1), provider="aws", facts=SILENT)
    row = dry_run(folder, now=day(1)).rows[0]
    assert (row["billing_increment_seconds"], row["minimum_seconds"]) == (1, 60)


def test_the_facts_are_published_as_they_are(tmp_path: Path) -> None:
    load(tmp_path, [offer("a")], day(0))
    rows = {row["provider"]: row for row in ask(tmp_path, "SELECT * FROM provider_facts")}
    assert set(rows) == set(provider_facts())
    assert rows["aws"]["certificates"] == list(provider_facts()["aws"].certificates)
    assert rows["aws"]["read_on"] == provider_facts()["aws"].read_on
    assert rows["gcp"]["storage_usd_per_gb_month"] is None


def test_the_page_of_a_provider_shows_each_fact_with_its_source() -> None:
    shown = {fact.term: fact for fact in _reference_facts("runpod")}
    assert shown["Egress"].value == "free"
    assert shown["Storage"].value == "$0.07 per GB a month"
    assert shown["A stopped machine"].value == "costs its storage only"
    assert shown["Egress"].link is not None
    assert shown["Egress"].link.href == provider_facts()["runpod"].egress_source
    assert {fact.term: fact.value for fact in _reference_facts("aws")}["Egress"] == (
        "$0.09 per GB, 100 GB a month included"
    )
    assert _reference_facts("nobody") == []
