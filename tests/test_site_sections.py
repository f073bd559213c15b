"""The market's sections, the archive, the preview image and the terminal, on a market with every table."""

from __future__ import annotations

import json
import re
import struct
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from site_market import NOW, SOURCES, SmallMarket, answers, ordinary, plan_row
from test_site import FRONT_LIMIT_BYTES, broken_links, read

from reports import preview, strokes
from reports.build_views import index_board, jobs, lists, matrix, own_error, stock, value
from reports.build_views.jobs import JobAnswer
from reports.feeds import json_feed
from reports.heat import heat_strip, price_step, step_of
from reports.market_views import Market
from reports.scatter import Spot, front_of, scatter
from reports.site import SiteInput, terminal_page, write_site

WATCHES = (
    {
        "id": "h100-cheap",
        "name": "H100 under 3 <script>",
        "asks": "H100, on demand, under $3.00 per GPU-hour",
        "state": "met",
        "answer": "$2.50 per GPU-hour at alpha",
        "since": NOW - timedelta(hours=2),
        "provider": "alpha",
        "source_url": "javascript:alert(1)",
    },
    {"id": "b200", "name": "B200 back", "asks": "B200", "state": "unknown", "answer": "only old prices"},
)
WAYS = (
    {
        "way": "api",
        "seller": "somebody",
        "what": "llama-3.1-8b",
        "accelerator_id": None,
        "usd": 900.0,
        "usd_p10": 900.0,
        "usd_p90": 900.0,
        "per": "month",
        "how": "2 x 450",
        "age_days": 3.0,
        "source_url": None,
    },
    {
        "way": "own",
        "seller": "",
        "what": "1 x h100-sxm5-80gb",
        "accelerator_id": "h100-sxm5-80gb",
        "usd": 1500.0,
        "usd_p10": 1200.0,
        "usd_p90": 1900.0,
        "per": "month",
        "how": "four years",
        "age_days": 90.0,
        "source_url": "https://seller.example/",
    },
)


HORIZONS = ((7, -2.0, -3.0, -1.0), (30, 1.0, -1.0, 3.0), (90, None, None, None), (365, None, None, None))


def index_rows(con: Any, days: int = 40) -> None:
    """An index of the H100 that rises a little each day, and one of the L40S that R16 holds back."""
    names = [f"change_{days}d_percent{end}" for days in (7, 30, 90, 365) for end in ("", "_p10", "_p90")]
    con.execute(
        f"""CREATE TABLE index_days (scope VARCHAR, name VARCHAR, price_kind VARCHAR, day DATE,
        segment INTEGER, base_day DATE, index_value DOUBLE, p10 DOUBLE, p90 DOUBLE, jevons DOUBLE,
        providers INTEGER, matched_offers INTEGER, offers INTEGER, entries INTEGER, exits INTEGER,
        cheapest_usd_per_gpu_hour DOUBLE, median_usd_per_gpu_hour DOUBLE, suppressed_reason VARCHAR,
        {", ".join(f"{n} DOUBLE" for n in names)})"""
    )
    first = NOW.date() - timedelta(days=days - 1)
    moves = [value for _, *values in HORIZONS for value in values]
    rows = [
        (
            "family",
            "h100",
            "on_demand",
            first + timedelta(days=d),
            1,
            first,
            96.1 + d / 10,
            95.0,
            105.0,
            100.0,
            4,
            9,
            12,
            1,
            2,
            2.5,
            5.15,
            None,
            *moves,
        )
        for d in range(days)
    ]
    held = (
        "family",
        "l40s",
        "on_demand",
        NOW.date(),
        1,
        None,
        None,
        None,
        None,
        None,
        2,
        2,
        3,
        0,
        0,
        1.0,
        1.1,
    )
    rows.append((*held, "2 providers with matched offers, 3 are needed", *[None] * 12))
    con.executemany(f"INSERT INTO index_days VALUES ({', '.join('?' * len(rows[0]))})", rows)


def full(market: SmallMarket | None = None) -> Any:
    con = (market or ordinary()).build()
    index_rows(con)
    con.execute("""CREATE TABLE fair_prices AS SELECT offer_id, 4e0 AS fair_usd_per_gpu_hour,
        3e0 AS p10_usd_per_gpu_hour, 5e0 AS p90_usd_per_gpu_hour, -30e0 AS percent, 'cheap' AS verdict,
        'accelerator' AS basis, 9 AS peers FROM offers""")
    con.execute("""CREATE TABLE spans AS SELECT offer_id, observed_at - INTERVAL 4 DAY AS valid_from,
        NULL::TIMESTAMPTZ AS valid_to, observed_at AS last_seen, price_usd_per_hour, price_usd_per_gpu_hour,
        price_per_hour, currency, provider = 'alpha' AS available,
        'run-' || provider AS run_id, 1 AS state_no,
        NULL::VARCHAR AS closed_by, NULL::TIMESTAMPTZ AS closed_at
        FROM offers WHERE available IS NOT NULL""")
    con.execute("CREATE TABLE offer_keys AS SELECT *, provider AS crawler FROM offers")
    return con


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    told = answers()
    object.__setattr__(told[0], "ways", WAYS)
    object.__setattr__(told[0], "break_evens", ("Renting wins below 40 % use.",))
    given = SiteInput(SOURCES, WATCHES, "https://prices.example/x")
    out = tmp_path_factory.mktemp("sections") / "site"
    write_site(full(), told, out, now=NOW, given=given)
    return out


def test_the_front_page_has_its_sections_in_the_readers_order(site: Path) -> None:
    text = (site / "index.html").read_text("utf-8")
    order = re.findall(r'<h2 id="(\w+)">', text)
    assert order == [
        *("buys", "jobs", "ownership", "changes", "index", "spread", "matrix", "stock", "value", "providers"),
        *("watches", "quality", "error", "data", "build"),
    ]
    assert (site / "index.html").stat().st_size < FRONT_LIMIT_BYTES
    assert broken_links(site) == []


def test_the_index_shows_moves_bands_and_churn(site: Path) -> None:
    text = read(site / "index.html").text
    assert "−2.0 % (−3.0 % to −1.0 %)" in text
    assert "+1.0 % (−1.0 % to +3.0 %)" in text
    assert "30 and 60" in text
    assert "1 market has no value" in text
    assert "H100 prices on demand moved +1.0 % over 30 days" in text


def test_a_move_is_coloured_only_where_its_band_leaves_out_zero() -> None:
    board = index_board.board(Market(full(), NOW))
    assert [move.state for move in board.rows[0].moves] == ["down", "", "", ""]
    assert [row.name.text for row in board.rows] == ["H100"]


def test_best_buys_say_how_they_stand_to_the_fair_price(site: Path) -> None:
    assert "below the fair 3.00 to 5.00" in read(site / "index.html").text


def test_availability_counts_providers_by_day() -> None:
    market = Market(full(), NOW)
    rows = stock.stock(market, {"alpha": "Alpha"}).rows
    h100 = next(row for row in rows if row.name.text == "H100")
    assert h100.free == "4 of 4"
    assert h100.month == "5 of 5"
    assert h100.price == "2.50"
    assert h100.strip is not None
    assert "a machine was free on 5 of 5 days asked" in h100.strip.label


def test_a_provider_by_part_cell_holds_its_cheapest_and_darkens_towards_the_best() -> None:
    found = matrix.matrix(Market(full(), NOW), {}, families=3)
    assert [column.text for column in found.columns][:2] == ["H100", "L40S"]
    cells = {row.provider.text: row.cells[0] for row in found.rows}
    assert cells["alpha"] is not None
    assert cells["delta"] is not None
    assert (cells["alpha"].text, cells["alpha"].step) == ("2.50", 4)
    assert cells["delta"].step == 0


def test_value_is_price_over_performance_and_names_the_frontier() -> None:
    rows = {row.accelerator.text: row for row in value.value(Market(full(), NOW), {}).rows}
    h100 = rows["H100 SXM5 80 GB"]
    assert h100.compute_key == pytest.approx(2.5 / 989.5 * 1000, rel=0.01)
    assert h100.memory_key == pytest.approx(2.5 / 80, rel=0.01)
    assert h100.front


def test_rent_buy_and_api_stand_side_by_side(site: Path) -> None:
    text = read(site / "index.html").text
    assert "Call an API is cheapest at $900; to buy costs $1,500." in text
    assert "1 × H100 SXM5 80 GB" in text
    assert "Renting wins below 40 % use." in read(site / "workload" / "serve-8b.html").text


def test_watches_are_on_the_page_and_in_both_feeds_and_stay_text(site: Path) -> None:
    page = (site / "index.html").read_text("utf-8")
    assert "H100 under 3 &lt;script&gt;" in page
    assert "javascript:" not in page
    assert "Watches met: H100 under 3" in read(site / "index.html").text
    feed = json.loads((site / "feed.json").read_text("utf-8"))
    assert feed["items"][0]["title"] == "Watch met: H100 under 3 <script>"
    assert "Watch met" in (site / "feed.xml").read_text("utf-8")


def test_the_json_feed_has_whole_addresses_and_the_atom_feeds_ids(site: Path) -> None:
    feed = json.loads((site / "feed.json").read_text("utf-8"))
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["feed_url"] == "https://prices.example/x/feed.json"
    assert all(item["url"].startswith("https://prices.example/x/") for item in feed["items"])
    ids = re.findall(r"<id>(urn:uuid:[^<]+)</id>", (site / "feed.xml").read_text("utf-8"))
    assert [item["id"] for item in feed["items"]] == ids[1:]


def test_without_an_address_nothing_pretends_to_have_one(tmp_path: Path) -> None:
    write_site(ordinary().build(), [], tmp_path / "site", now=NOW)
    assert not (tmp_path / "site" / "sitemap.xml").exists()
    assert "og:image" not in (tmp_path / "site" / "index.html").read_text("utf-8")
    feed = json.loads(json_feed(Market(ordinary().build(), NOW), {}))
    assert "feed_url" not in feed


def test_the_sitemap_and_the_preview_name_the_published_address(site: Path) -> None:
    from xml.etree import ElementTree

    names = [
        item.text for item in ElementTree.parse(site / "sitemap.xml").iter() if item.tag.endswith("}loc")
    ]
    assert "https://prices.example/x/" in names
    assert "https://prices.example/x/gpu/h100-sxm5-80gb.html" in names
    page = (site / "index.html").read_text("utf-8")
    assert 'property="og:image" content="https://prices.example/x/preview.png"' in page
    assert "H100 $2.50 at Alpha" in page


def test_the_preview_is_a_png_of_the_right_size_with_ink_on_it(site: Path) -> None:
    png = (site / "preview.png").read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (1200, 630)
    body = png[png.index(b"IDAT") + 4 :]
    rows = zlib.decompressobj().decompress(body)
    assert len(rows) == 630 * (1 + 3 * 1200)
    assert min(rows[1:]) < 60


def test_every_letter_of_the_alphabet_stays_within_its_width() -> None:
    for letter, (wide, _) in strokes.GLYPHS.items():
        places = [point for line in strokes.outline(letter) for point in line]
        assert places, letter
        assert all(-0.3 <= x <= wide + 0.4 and -2 <= y <= 13.5 for x, y in places), letter


def test_a_name_without_a_letter_of_the_alphabet_draws_nothing() -> None:
    canvas = strokes.Canvas(60, 20, (255, 255, 255))
    assert canvas.text("漢字", 5, 5, height=8, weight=1, colour=(0, 0, 0)) == 5
    assert set(canvas.bytes()) == {255}
    assert preview.png(canvas.bytes(), 60, 20)[:4] == b"\x89PNG"


def test_earlier_days_and_pages_that_are_gone_keep_their_address(tmp_path: Path) -> None:
    out = tmp_path / "site"
    write_site(ordinary().build(), answers(), out, now=NOW)
    first = (out / "archive" / "2026-11-21.html").read_bytes()
    changes = (out / "changes" / "2026-11-21.html").read_bytes()
    later = SmallMarket(NOW + timedelta(days=1)).provider("alpha").offer("alpha", "h100-sxm5-80gb", 2.6)
    write_site(later.build(), [], out, now=later.now)
    assert (out / "archive" / "2026-11-21.html").read_bytes() == first
    assert (out / "archive" / "2026-11-22.html").exists()
    assert (out / "changes" / "2026-11-21.html").read_bytes() == changes
    assert (out / "provider" / "beta.html").exists()
    assert "front page of 2 days" in read(out / "archive" / "index.html").text
    assert broken_links(out) == []


def test_a_page_that_somebody_changed_is_not_carried_over(tmp_path: Path) -> None:
    out = tmp_path / "site"
    write_site(ordinary().build(), answers(), out, now=NOW)
    (out / "archive" / "2026-11-21.html").write_text("<script>bad()</script>", "utf-8")
    (out / "archive" / "2026-11-20.html").write_text("planted", "utf-8")
    write_site(ordinary().build(), answers(), out, now=NOW + timedelta(days=1))
    assert sorted(path.name for path in (out / "archive").iterdir()) == ["2026-11-22.html", "index.html"]


def test_the_dictionary_names_exactly_the_columns_of_the_downloads(site: Path) -> None:
    columns = pq.read_schema(site / "data" / "offers.parquet").names
    assert [column.name for column in lists.data_columns()] != []
    assert sorted(column.name for column in lists.data_columns()) == sorted(columns)


@pytest.mark.parametrize("market", [ordinary(), SmallMarket()], ids=["ordinary", "empty"])
def test_the_terminal_page_fits_a_hundred_columns(market: SmallMarket) -> None:
    text, _ = terminal_page(market.build(), answers(), now=NOW, given=SiteInput(watches=WATCHES))
    lines = text.split("\n")
    assert max(map(len, lines)) <= 100
    for title in ("BEST BUYS", "TYPICAL JOBS", "WHAT CHANGED", "THE MARKET INDEX", "WATCH-LIST"):
        assert any(line.startswith(title) for line in lines)
    assert ("There is no market yet." in text) is not bool(market.rows["offers"])


def test_what_an_old_offer_said_of_its_stock_is_told_in_the_past() -> None:
    market = Market(ordinary().build(), NOW)
    row = plan_row(1, 10.0)
    old = {**row, "offer": {**row["offer"], "state": "expired"}}
    told = [jobs.job(market, {}, JobAnswer("a", "A", "q", "serve", "c", [plan])) for plan in (row, old)]
    assert [job.plans[0].availability.text for job in told] == ["available", "was available"]
    assert [job.plans[0].availability.state for job in told] == ["yes", "unknown"]


def test_own_errors_come_from_the_shipped_tables() -> None:
    rows = own_error.error_rows(own_error.FRONT_QUANTITIES)
    assert len(rows) >= 3
    assert all(float(row.low) < float(row.high) for row in rows)
    assert "times what we predicted" in own_error.sentence()


def test_the_front_is_what_nothing_beats() -> None:
    spots = [Spot(1, 9, "a"), Spot(2, 5, "b"), Spot(3, 6, "c"), Spot(4, 2, "d"), Spot(4, 3, "e")]
    assert [spot.name for spot in front_of(spots, more_x=False)] == ["a", "b", "d"]
    assert [spot.name for spot in front_of(spots, more_x=True)] == ["d"]


def test_a_scatter_of_one_point_is_none_and_names_do_not_cover_one_another() -> None:
    axes = {"more_x": True, "x_title": "x", "y_title": "y", "label": "l"}
    assert scatter("s", "t", [Spot(1, 1, "a")], **axes) is None  # type: ignore[arg-type]
    spots = [Spot(10 + i / 100, 10 + i / 100, f"a long name {i}") for i in range(20)]
    found = scatter("s", "t", [*spots, Spot(90, 90, "far")], **axes)  # type: ignore[arg-type]
    assert found is not None
    assert 1 <= len(found.notes) <= 3


@pytest.mark.parametrize(("share", "step"), [(0, 0), (0.01, 1), (0.4, 2), (0.99, 3), (1, 4)])
def test_colour_steps_keep_nothing_and_everything_apart(share: float, step: int) -> None:
    assert step_of(share) == step


def test_a_heat_strip_has_a_cell_for_each_known_day() -> None:
    strip = heat_strip("h", [None, 0.0, 0.5, 1.0, 1.0], "label")
    assert sum(path.count("z") for path in strip.paths) == 4
    assert strip.none.count("M") == 1
    assert [price_step(usd, 2.0) for usd in (2.0, 2.5, 3.5, 5.0, 9.0)] == [4, 3, 2, 1, 0]
