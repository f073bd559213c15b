"""Scraped text that wants to be something else: markup, script, formula, direction, length. It stays text."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from site_market import SmallMarket, plan_row
from test_site import ATOM, PAGE_LIMIT_BYTES, all_pages, broken_links, build, read

from reports.build_views.jobs import JobAnswer

MARKUP = "</bdi></td><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;"
LONG = "W" * 1000
RTL = "\u202eمعالج \u05d0\u05d1\u05d2 &rlm;"
FORMULA = '=cmd|"/c calc"!A1'
TEMPLATE = "{{ 7 * 7 }}{% raw %}"
CONTROL = "a\x00b\x1b[2Jc\u2028d\ufffe"
HOSTILE = [MARKUP, LONG, RTL, FORMULA, TEMPLATE, CONTROL, "../../../../tmp/x", "javascript:alert(3)"]


def hostile_market() -> SmallMarket:
    """Every text that a page shows is hostile somewhere."""
    market = SmallMarket()
    for index, text in enumerate(HOSTILE):
        market.provider(
            text, title=text, homepage=text, last_run_state="failed", last_run_reason=text, kind=text
        )
        everywhere = dict.fromkeys(
            ("instance_type", "gpu_name_raw", "region", "country", "source_url", "run_id", "note", "origin"),
            text,
        )
        market.offer(text, "h100-sxm5-80gb", 1.0 + index, **everywhere)
        market.offer(text, text, 2.0 + index, family=text, price_kind=text, currency=text, price_unit=text)
        market.offer(text, None, 3.0, candidates=[text, "l4-24gb"], family=text, partition=text)
        market.history("alpha", "h100-sxm5-80gb", 2.0, 3.0, weeks=3)
        market.change(text, 1.0, 2.0, instance_type=text, region=text, price_kind=text, accelerator_id=text)
        market.held(text, text, text, gpu_name_raw=text, region=text, source_url=text, run_id=text)
        market.rows["fx_rates"].append(
            {"rate_date": market.now.date(), "currency": text, "usd_per_unit": 1.0, "source_url": text}
        )
    return market


def hostile_jobs() -> list[JobAnswer]:
    offer = {"source_url": MARKUP, "run_id": MARKUP, "body_sha256": MARKUP, "age_hours": 1.0}
    jobs = []
    for index, text in enumerate(HOSTILE):
        said = dict.fromkeys(("provider", "accelerator_id", "region", "precision", "availability"), text)
        plan = plan_row(1, 10.0, reasons=[text], offer=offer, **said)
        jobs.append(JobAnswer(f"{text}-{index}", text, text, "serve", text, [plan], [text], [text]))
    return jobs


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("hostile"), hostile_market(), hostile_jobs())


def test_no_scraped_text_becomes_markup_or_handler(site: Path) -> None:
    for path in all_pages(site):
        text, page = path.read_text("utf-8"), read(path)
        assert text.count("<script") == 1, path
        assert "<img" not in text, path
        assert page.styled == [], path
        assert page.faults == [], path
        assert page.open == [], path


def test_no_scraped_text_becomes_a_link_that_runs_or_leaves_the_site(site: Path) -> None:
    for path in all_pages(site):
        for link in read(path).links:
            assert re.fullmatch(
                r"https?://[^\s\"'<>]+|#[\w-]+|(\.\./)?([a-z]+/)?[a-z0-9._-]+(#[\w-]+)?", link
            ), link
    assert broken_links(site) == []


def test_no_file_is_written_outside_the_site(site: Path) -> None:
    assert sorted(path.name for path in site.parent.iterdir()) == ["market.duckdb", "site"]
    assert {path.name for path in site.iterdir() if path.is_dir()} == {
        "archive",
        "changes",
        "data",
        "gpu",
        "provider",
        "workload",
    }


def test_the_words_themselves_are_kept_and_shown(site: Path) -> None:
    text = read(site / "gpu" / "h100-sxm5-80gb.html").text
    assert "<script>alert(1)</script>" in text
    assert "{{ 7 * 7 }}" in text
    assert "49" not in text.split("{{ 7 * 7 }}")[0][-4:]


def test_direction_overrides_and_control_characters_do_not_reach_a_page(site: Path) -> None:
    for path in [*all_pages(site), site / "feed.xml"]:
        text = path.read_text("utf-8")
        assert not set(text) & set("\u202e\u2028\x00\x1b\ufffe"), path


def test_a_word_of_a_thousand_letters_is_cut(site: Path) -> None:
    for path in all_pages(site):
        assert "W" * 401 not in read(path).text, path
        assert path.stat().st_size < PAGE_LIMIT_BYTES, path


def test_the_feed_stays_well_formed(site: Path) -> None:
    feed = ElementTree.parse(site / "feed.xml").getroot()
    entries = feed.findall(ATOM + "entry")
    assert len(entries) == len(HOSTILE)
    assert {child.tag for entry in entries for child in entry} == {
        ATOM + name for name in ("title", "id", "updated", "link", "summary")
    }


def test_a_spreadsheet_runs_no_formula_from_the_csv(site: Path) -> None:
    with (site / "data" / "offers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    cells = [cell for row in rows for cell in row]
    assert "'" + FORMULA in cells
    assert [cell for cell in cells if cell.startswith(("=", "+", "@", "\t"))] == []
    assert len({len(row) for row in rows}) == 1


def test_the_json_keeps_hostile_text_exactly(site: Path) -> None:
    body = json.loads((site / "data" / "offers.json").read_text("utf-8"))
    assert {row["instance_type"] for row in body["data"]} >= set(HOSTILE) - {CONTROL}
