"""The site as files: whole, linked, small, the same twice, and safe to write."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from site_market import NOW, SmallMarket, answers, ordinary, plan_row

from recommender.reference_jobs import reference_jobs
from reports import rendering
from reports.build_views.jobs import JobAnswer
from reports.build_views.sources import SourceRecords
from reports.feeds import change_id
from reports.market_views import Market
from reports.site import SiteError, write_site
from tests.warehouse_runs import day, fleet, load

FRONT_LIMIT_BYTES, PAGE_LIMIT_BYTES = 150_000, 250_000
VOID = {"meta", "link", "br", "img", "input", "hr", "path", "circle", "wbr"}
ATOM = "{http://www.w3.org/2005/Atom}"


class Page(HTMLParser):
    """A page as a checker sees it: ids, links, tags, texts; unclosed or crossed tags are errors."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.headings: list[int] = []
        self.styled: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.inline: dict[str, str] = {}
        self.faults: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag == "a":
            self.links.append(str(values["href"]))
        if tag == "link" or values.get("src"):
            self.loads.append(str(values.get("href") or values.get("src")))
        if "style" in values or any(name.startswith("on") for name in values):
            self.styled.append(tag)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-3:]}")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            self.inline[self.open[-1]] = self.inline.get(self.open[-1], "") + data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def build(
    tmp_path: Path, market: SmallMarket, jobs: list[JobAnswer] | None = None, sources: SourceRecords = ()
) -> Path:
    con = market.build(tmp_path / "market.duckdb")
    found = answers() if jobs is None else jobs
    try:
        return write_site(con, found, tmp_path / "site", now=market.now, sources=sources).path
    finally:
        con.close()


def read(path: Path) -> Page:
    return Page(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("ordinary"), ordinary())


@pytest.fixture(scope="module")
def front(site: Path) -> str:
    return read(site / "index.html").text


def all_pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def broken_links(site: Path) -> list[str]:
    found, parsed = [], {path: read(path) for path in all_pages(site)}
    for path, page in parsed.items():
        for link in page.links + page.loads:
            if link.startswith(("https://", "http://", "data:")):
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / unquote(name)).resolve() if name else path
            if not target.is_file():
                found.append(f"{path.name}: {link}")
            elif anchor and target.suffix == ".html" and anchor not in parsed[target].ids:
                found.append(f"{path.name}: {link} has no such place")
    return found


def test_the_contracts_pages_are_there(site: Path) -> None:
    pages = (
        "index",
        "gpu/h100-sxm5-80gb",
        "provider/alpha",
        "provider/broken",
        "quality",
        "sources",
        "method",
    )
    written = ("workload/serve-8b", "changes/2026-11-21")
    data = ("data/offers.parquet", "data/offers.csv", "data/offers.json", "feed.xml")
    for name in (*(f"{page}.html" for page in pages + written), *data):
        assert (site / name).is_file(), name


def test_every_link_leads_somewhere(site: Path) -> None:
    assert broken_links(site) == []


def test_every_page_is_well_formed_with_unique_ids_and_headings_in_order(site: Path) -> None:
    for path in all_pages(site):
        page = read(path)
        assert page.faults == [], path
        assert page.open == [], path
        assert len(page.ids) == len(set(page.ids)), path
        assert page.headings[0] == 1, path
        assert page.headings.count(1) == 1, path
        steps = zip(page.headings, page.headings[1:], strict=False)
        assert all(after <= before + 1 for before, after in steps), path


def test_pages_ask_no_other_host_and_carry_no_inline_style_or_handler(site: Path) -> None:
    for path in all_pages(site):
        page = read(path)
        assert page.styled == [], path
        assert [
            load
            for load in page.loads
            if not load.startswith("data:") and not re.search(r"feed\.(xml|json)$", load)
        ] == []


def test_the_policy_names_the_hash_of_exactly_what_is_inlined(site: Path) -> None:
    for path in all_pages(site):
        text = path.read_text("utf-8")
        page = Page(text)
        [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
        policy = policy.replace("&#39;", "'")
        assert f"style-src '{rendering.csp_hash(page.inline['style'])}'" in policy
        assert f"script-src '{rendering.csp_hash(page.inline['script'])}'" in policy
        for rule in ("default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'"):
            assert rule in policy
        assert text.count("<script") == text.count("<style") == 1


def test_the_script_is_small(site: Path) -> None:
    assert len(rendering.assets().script) < 1500


def test_pages_are_small(site: Path) -> None:
    for path in all_pages(site):
        limit = FRONT_LIMIT_BYTES if path.parent == site and path.name == "index.html" else PAGE_LIMIT_BYTES
        assert path.stat().st_size < limit, path


def test_a_large_market_is_cut_with_a_sentence_and_stays_small(tmp_path: Path) -> None:
    market = ordinary()
    for index in range(400):
        market.offer(
            f"cloud-{index % 90}", "h100-sxm5-80gb", 2 + index / 40, region=f"region-{index}-somewhere-far"
        )
    site = build(tmp_path, market)
    assert (site / "index.html").stat().st_size < FRONT_LIMIT_BYTES
    page = site / "gpu" / "h100-sxm5-80gb.html"
    assert page.stat().st_size < PAGE_LIMIT_BYTES
    text = read(page).text
    assert "150 of 412 offers are shown, the cheapest of every price kind" in text
    assert "reserved, 12 months" in text
    assert "All 95 providers" in read(site / "index.html").text


def test_two_builds_from_the_same_input_are_the_same_bytes(tmp_path: Path, site: Path) -> None:
    again = build(tmp_path, ordinary())
    names = sorted(path.relative_to(site) for path in site.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert [name for name in names if (site / name).read_bytes() != (again / name).read_bytes()] == []


def test_the_headline_is_written_from_the_data(front: str) -> None:
    assert (
        "An H100 rents from $2.50 per GPU‑hour on demand at Alpha; the middle one of 4 providers asks $5.15."
        in front
    )


def test_the_trust_strip_counts_sources_offers_and_held_rows(front: str) -> None:
    assert (
        "Sources 4 fresh 0 stale, 1 failed Offers 21 of 4 providers Held back 2 rows failed a check" in front
    )


def test_best_buys_leave_out_sold_out_floor_and_slices(front: str) -> None:
    row = re.search(r"L40S 48 GB (0\.90 Beta .*?) none listed", front)
    assert row is not None
    assert "eu-west-2, GB" in row[1]


def test_an_unsettled_part_has_a_row_of_its_own(front: str, site: Path) -> None:
    assert "A100 80 GB form factor not stated 1.90 Beta" in front
    for part in ("a100-sxm4-80gb", "a100-pcie-80gb"):
        assert "form factor not stated" in read(site / "gpu" / f"{part}.html").text


def test_a_plan_without_a_rating_says_so_and_a_job_without_a_plan_says_why(site: Path) -> None:
    text = read(site / "workload" / "pretrain-7b.html").text
    assert "not rated" in text
    text = read(site / "workload" / "pretrain-9t.html").text
    assert "Nothing on the market can run this job" in text
    assert "No shape holds 9T parameters." in text


def test_a_plan_shows_cost_band_time_memory_and_its_reasons_one_click_away(site: Path, front: str) -> None:
    assert "8 × H100 SXM5 80 GB Alpha us-east-1 · on demand 1,460 a month" in front
    assert "1,170 to 2,040" in front
    assert "61.2 of 79.6" in front
    page = read(site / "index.html")
    assert "workload/serve-8b.html#plan-1" in page.links
    assert "Weights take 16.1 GB in bf16 (reason 1)." in read(site / "workload" / "serve-8b.html").text


def test_offers_lead_back_to_source_run_and_body(site: Path) -> None:
    page = read(site / "gpu" / "h100-sxm5-80gb.html")
    assert "https://alpha.example/prices" in page.links
    assert "20261121T060000Z-alpha abababab" in page.text


def test_a_foreign_price_is_shown_as_stated_and_its_rate_is_named(site: Path) -> None:
    assert "0.6 EUR per gpu-hour" in read(site / "provider" / "gamma.html").text
    assert "EUR 1.1666 source 21 Nov 2026" in read(site / "method.html").text


def test_a_failing_provider_keeps_its_page_and_says_why(site: Path, front: str) -> None:
    assert "failed: https://broken.example/prices answered 503" in front
    text = read(site / "provider" / "broken.html").text
    assert "The last crawl of Broken failed (https://broken.example/prices answered 503)." in text


def test_changes_are_counted_and_sorted_by_money(front: str) -> None:
    assert "In the week to 21 Nov 2026: 2 repriced (1 up, 1 down), 1 missing and 1 new." in front
    assert front.index("3.00 3.40 +13 %") < front.index("2.90 2.50 −14 %")


def test_the_feed_is_atom_with_stable_ids(site: Path, tmp_path: Path) -> None:
    feed = ElementTree.parse(site / "feed.xml").getroot()
    assert feed.tag == ATOM + "feed"
    entries = feed.findall(ATOM + "entry")
    assert len(entries) == 4
    for element in (feed, *entries):
        for name in ("id", "title", "updated"):
            assert element.findtext(ATOM + name), name
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", element.findtext(ATOM + "updated") or "")
    assert feed.find(f"{ATOM}author/{ATOM}name") is not None
    assert any(link.get("rel") == "self" for link in feed.findall(ATOM + "link"))
    ids = [entry.findtext(ATOM + "id") for entry in entries]
    assert len(set(ids)) == len(ids)
    assert all(str(name).startswith("urn:uuid:") for name in ids)
    assert entries[0].find(ATOM + "link").get("href") == "changes/2026-11-21.html"  # type: ignore[union-attr]
    later = ordinary(NOW)
    later.change("alpha", 2.5, 2.4, at=NOW + timedelta(hours=20))
    con = later.build(tmp_path / "later.duckdb")
    newer = {change_id(row) for row in Market(con, NOW + timedelta(days=1)).changes}
    con.close()
    assert set(ids) < newer


def test_downloads_hold_every_offer_in_three_formats(site: Path) -> None:
    table = pq.read_table(site / "data" / "offers.parquet")
    with (site / "data" / "offers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    body = json.loads((site / "data" / "offers.json").read_text("utf-8"))
    assert table.num_rows == len(rows) == len(body["data"]) == 21
    assert body["schema_version"] == 1
    assert list(rows[0]) == table.column_names == list(body["data"][0])
    assert str(table.schema.field("observed_at").type) == "timestamp[us, tz=UTC]"
    assert {"state", "age_hours", "price_usd_per_gpu_hour", "body_sha256"} <= set(table.column_names)
    assert rows[0]["observed_at"].endswith("Z")


def test_an_empty_warehouse_still_gives_a_whole_page_that_says_so(tmp_path: Path) -> None:
    site = build(tmp_path, SmallMarket(), [])
    text = read(site / "index.html").text
    for sentence in (
        "There is no market yet.",
        "The warehouse is empty",
        "No offer can be called a best buy",
        "No typical job was answered",
        "No changes yet",
        "There is no spread to show",
        "There is no index yet",
        "Nothing is known of availability yet",
        "There is no matrix to show",
        "There is nothing to compare",
        "No watch is set",
        "No provider is known to this warehouse yet.",
    ):
        assert sentence in text
    assert broken_links(site) == []
    assert (
        "No offer of H100 SXM5 80 GB is in the market today."
        in read(site / "gpu" / "h100-sxm5-80gb.html").text
    )
    assert ElementTree.parse(site / "feed.xml").getroot().findall(ATOM + "entry") == []
    assert json.loads((site / "data" / "offers.json").read_text("utf-8"))["data"] == []


def test_a_first_day_without_history_or_changes_is_whole(tmp_path: Path) -> None:
    market = SmallMarket().provider("alpha").offer("alpha", "h100-sxm5-80gb", 2.5)
    site = build(tmp_path, market, [])
    text = read(site / "index.html").text
    assert "An H100 rents for $2.50 per GPU‑hour on demand at Alpha." in text
    assert "There is no index yet" in text
    assert (
        "There is no price history of H100 SXM5 80 GB yet" in read(site / "gpu" / "h100-sxm5-80gb.html").text
    )
    assert broken_links(site) == []


def test_a_bundled_market_says_its_date_and_age_in_words(tmp_path: Path) -> None:
    old = NOW - timedelta(days=91, hours=2)
    market = SmallMarket().offer("alpha", "h100-sxm5-80gb", 2.5, observed_at=old, origin="bundled")
    text = read(build(tmp_path, market, []) / "index.html").text
    assert "All prices are from the bundled snapshot of 22 Aug 2026, 91 days old." in text
    assert "bundled snapshot, 91 days old" in text
    assert "1 snapshot only" in text


def test_a_stale_offer_leaves_the_best_buys_once_a_fresh_one_is_there(tmp_path: Path) -> None:
    market = SmallMarket().offer("old", "h100-sxm5-80gb", 1.0, observed_at=NOW - timedelta(hours=80))
    market.offer("fresh", "h100-sxm5-80gb", 3.0)
    text = read(build(tmp_path, market, []) / "index.html").text
    assert "An H100 rents from $3.00" in text


def test_an_expired_offer_is_hidden_where_a_fresher_one_answers(tmp_path: Path) -> None:
    market = SmallMarket().offer("old", "h100-sxm5-80gb", 1.11, observed_at=NOW - timedelta(days=8))
    market.offer("fresh", "h100-sxm5-80gb", 3.0)
    market.offer("old", "l4-24gb", 0.77, observed_at=NOW - timedelta(days=8))
    site = build(tmp_path, market, [])
    assert "1.11" not in read(site / "gpu" / "h100-sxm5-80gb.html").text
    assert "1.11" in read(site / "provider" / "old.html").text
    assert "0.77" in read(site / "gpu" / "l4-24gb.html").text


def test_a_folder_that_is_not_a_site_is_never_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(SiteError, match="not a gpufare site"):
        build(tmp_path, SmallMarket(), [])
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_a_build_that_fails_leaves_yesterdays_site_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    con = ordinary().build(tmp_path / "m.duckdb")
    out = tmp_path / "site"
    write_site(con, [], out, now=NOW)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def fail(*args: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reports.feeds.atom_feed", fail)
    with pytest.raises(OSError, match="No space"):
        write_site(con, [], out, now=NOW + timedelta(days=1))
    con.close()
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".site")] == []


def test_a_second_build_replaces_the_first(tmp_path: Path) -> None:
    con = ordinary().build(tmp_path / "m.duckdb")
    out = tmp_path / "site"
    first = write_site(con, [], out, now=NOW)
    second = write_site(con, answers(), out, now=NOW)
    con.close()
    assert second.pages == first.pages + 3
    assert (out / "workload" / "serve-8b.html").is_file()
    listed = json.loads((out / "manifest.json").read_text("utf-8"))["files"]
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} - {
        "manifest.json"
    }
    assert set(listed) == files


def test_a_plan_with_many_machines_reads_as_words(tmp_path: Path) -> None:
    jobs = [
        JobAnswer(
            "j",
            "T",
            "Q.",
            "pretrain",
            "gpufare",
            [plan_row(1, 9.0, nodes=16), plan_row(2, 9.0, gpus_per_node=1)],
        )
    ]
    text = read(build(tmp_path, ordinary(), jobs) / "index.html").text
    assert "16 machines of 8 × H100 SXM5 80 GB" in text
    assert "1 × H100 SXM5 80 GB" in text


def test_the_report_command_builds_from_an_empty_home_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from gpufare.cli.main import main

    out = tmp_path / "public"
    assert main(["--home", str(tmp_path / "home"), "report", "--out", str(out)]) == 4
    told = capsys.readouterr()
    assert told.out == f"{out / 'index.html'}\n"
    assert "from the bundled snapshot of" in told.err
    text = read(out / "index.html").text
    assert len(list((out / "workload").glob("*.html"))) == len(reference_jobs())
    assert text.count("why plan 1 of") >= 5
    assert broken_links(out) == []
    assert (out / "index.html").stat().st_size < FRONT_LIMIT_BYTES
    assert max(path.stat().st_size for path in all_pages(out)) < PAGE_LIMIT_BYTES
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    assert main(["--home", str(tmp_path / "home"), "report", "--out", str(tmp_path / "other")]) == 1
    assert "not a gpufare site" in capsys.readouterr().err


def test_the_command_writes_the_site_in_a_process_of_its_own(tmp_path: Path) -> None:
    """Here nothing else has imported the package around DuckDB's compiled module."""
    load(tmp_path, fleet(2), day(0))
    words = [sys.executable, "-m", "gpufare", "--home", str(tmp_path), "report"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr  # written; the prices of that day are outdated now
    assert (tmp_path / "site" / "data" / "offers.parquet").exists()
