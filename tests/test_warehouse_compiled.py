"""Rows of other clouds than the run's own: what a compiled catalogue says fills gaps, and never more."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.warehouse_runs import ask, day, load, offer, write_run
from warehouse.ingest import LoadResult, dry_run, ingest, republish
from warehouse.queries import OfferFilter, offers, open_market, providers
from warehouse.records import Offer, PriceKind
from warehouse.run_folder import ParseReport, RunFolderWriter, SourceReport

CATALOGUE = {
    "title": "Catalogue",
    "kind": "reference",
    "first_party": False,
    "price_kinds": ["on_demand", "spot"],
    "billing_increment_seconds": None,
}
NAMES = "SELECT provider || ' ' || instance_type || ' ' || crawler AS n FROM offers ORDER BY n"


def told(
    name: str, price: str = "2", *, about: str = "acme", at: datetime | None = None, **more: Any
) -> Offer:
    """What the catalogue "cat" says of a machine of `about`; `at` is the catalogue's own time."""
    row = offer(name, price, source=f"cat:{about}", source_url="https://cat.test/list.csv", **more)
    return replace(row, provider=about, observed_at=at or row.observed_at)


def catalogue_folder(
    root: Path, rows: list[Offer], moment: datetime, *, provider: str = "cat", **facts: Any
) -> Path:
    writer = RunFolderWriter(root, provider, moment, partial=False, source={"origin": "test"})
    writer.add("GET", f"https://{provider}.test/list.csv", None, 200, {}, repr(rows).encode(), suffix=".csv")
    sources = [SourceReport(name, "good") for name in sorted({row.source for row in rows} or {"cat:acme"})]
    report = ParseReport(
        parser_version="test",
        parsed_at=moment.isoformat(),
        state="good",
        sources=sources,
        facts={**CATALOGUE, **facts},
        requests=1,
    )
    return writer.finish(report, rows)


def load_catalogue(home: Path, rows: list[Offer], moment: datetime, **options: Any) -> LoadResult:
    stamped = [replace(row, observed_at=min(row.observed_at, moment)) for row in rows]
    return ingest(home, [catalogue_folder(home / "runs", stamped, moment, **options)], now=moment)[0]


def names(home: Path) -> list[str]:
    return [row["n"] for row in ask(home, NAMES)]


def test_a_gap_is_filled_and_says_so_with_the_catalogues_own_time(tmp_path: Path) -> None:
    result = load_catalogue(tmp_path, [told("m1", at=day(1)), told("z", about="zeta", at=day(1))], day(3))
    assert (result.state, result.offers, result.rejected) == ("good", 2, 0)
    rows = ask(
        tmp_path,
        "SELECT provider, crawler, source, first_party, observed_at, kind FROM offers ORDER BY provider",
    )
    assert rows[0] == {
        "provider": "acme", "crawler": "cat", "source": "cat:acme", "first_party": False,
        "observed_at": day(1), "kind": "list",
    }  # fmt: skip
    assert rows[1]["provider"] == "zeta"


def test_the_time_of_an_unchanged_file_does_not_grow_younger_with_every_crawl(tmp_path: Path) -> None:
    for number in (2, 3, 4):
        load_catalogue(tmp_path, [told("m1", at=day(1))], day(number))
    assert ask(tmp_path, "SELECT observed_at FROM offers")[0]["observed_at"] == day(1)
    load_catalogue(tmp_path, [told("m1", at=day(4.5))], day(5))
    assert ask(tmp_path, "SELECT observed_at FROM offers")[0]["observed_at"] == day(4.5)


def test_a_first_party_source_may_not_speak_of_another_cloud(tmp_path: Path) -> None:
    rows = [told("m1", at=day(1)), *[told(f"o{n}", about="cat", at=day(1)) for n in range(30)]]
    result = load_catalogue(tmp_path, rows, day(1), first_party=True, kind="list")
    assert (result.offers, result.rejected) == (30, 1)
    held = ask(tmp_path, "SELECT evidence FROM quarantine WHERE rule = 'R1'")
    assert held[0]["evidence"] == "R1: the row is of provider acme, the run of cat"


def test_a_fresh_answer_of_the_cloud_itself_stands_alone(tmp_path: Path) -> None:
    load(tmp_path, [offer("m1", "2.5")], day(0))
    load_catalogue(tmp_path, [told("m1", "1.9"), told("m7", "1.5"), told("z", about="zeta")], day(1))
    assert names(tmp_path) == ["acme m1 acme", "zeta z cat"]
    price = ask(tmp_path, "SELECT price_per_hour FROM offers WHERE provider = 'acme'")
    assert price == [{"price_per_hour": 2.5}]


def test_a_price_kind_that_the_cloud_could_not_answer_is_a_gap(tmp_path: Path) -> None:
    facts = {"price_kinds": ["on_demand", "spot"]}
    spot = [told("m1", "0.9", price_kind=PriceKind.SPOT)]
    own, both = [offer("m1", "2.5")], {"acme": "good", "acme:spot": "failed"}
    load(tmp_path, own, day(0), facts=facts, state="partial", reason="spot failed", sources=both)
    load_catalogue(tmp_path, spot, day(0.5))
    kinds = "SELECT price_kind, first_party FROM offers ORDER BY price_kind"
    assert ask(tmp_path, kinds) == [
        {"price_kind": "on_demand", "first_party": True},
        {"price_kind": "spot", "first_party": False},
    ]
    load(tmp_path, own, day(1), facts=facts, sources={"acme": "good", "acme:spot": "good"})
    assert ask(tmp_path, kinds) == [{"price_kind": "on_demand", "first_party": True}]


def test_after_72_hours_of_silence_the_newer_of_the_two_stands(tmp_path: Path) -> None:
    load(tmp_path, [offer("m1", "2.5")], day(0))
    load_catalogue(tmp_path, [told("m1", "1.9", at=day(2))], day(2.9))
    assert names(tmp_path) == ["acme m1 acme"]
    republish(tmp_path, now=day(3.1))
    assert names(tmp_path) == ["acme m1 cat"]
    load(tmp_path, [offer("m1", "2.4")], day(4))
    assert names(tmp_path) == ["acme m1 acme"]


def test_a_catalogue_older_than_the_clouds_last_answer_does_not_replace_it(tmp_path: Path) -> None:
    load(tmp_path, [offer("m1", "2.5")], day(0))
    load_catalogue(tmp_path, [told("m1", "1.9", at=day(-5))], day(9))
    assert names(tmp_path) == ["acme m1 acme"]


def test_of_two_catalogues_the_newer_speaks(tmp_path: Path) -> None:
    load_catalogue(tmp_path, [told("m1", "1.9", at=day(1))], day(2))
    load_catalogue(
        tmp_path, [told("m1", "1.8", at=day(1.5)), told("m2", "3", gpu_count=2.0)], day(2), provider="kat"
    )
    assert names(tmp_path) == ["acme m1 kat", "acme m2 kat"]


def test_runs_of_one_crawler_never_withdraw_what_another_says(tmp_path: Path) -> None:
    load(tmp_path, [offer("m1"), offer("m2")], day(0))
    load_catalogue(tmp_path, [told("c1"), told("c2")], day(0.1))
    for number in (1, 2, 3, 4):
        load_catalogue(tmp_path, [told("c1", at=day(number))], day(number))
    own = (
        "SELECT count(*) AS n FROM spans JOIN offer_keys USING (offer_id) "
        "WHERE crawler = 'acme' AND valid_to IS NULL"
    )
    assert ask(tmp_path, own) == [{"n": 2}]
    for number in (5, 6, 7):
        load(tmp_path, [offer("m1")], day(number))
    gone = (
        "SELECT instance_type, closed_by FROM spans JOIN offer_keys USING (offer_id) ORDER BY instance_type"
    )
    assert {row["instance_type"]: row["closed_by"] for row in ask(tmp_path, gone)} == {
        "c1": None, "c2": "withdrawn", "m1": None, "m2": "withdrawn",
    }  # fmt: skip


def test_spans_of_a_catalogue_are_rebuilt_alike_when_an_older_run_comes_late(tmp_path: Path) -> None:
    views = []
    spans = (
        "SELECT instance_type, crawler, valid_from, valid_to, price_per_hour FROM spans "
        "JOIN offer_keys USING (offer_id) ORDER BY ALL"
    )
    for name, order in (("ordered", (0, 1, 2)), ("late", (2, 0, 1))):
        home = tmp_path / name
        for number in order:
            load(home, [offer("m1", f"2.{number}")], day(number))
            load_catalogue(home, [told("m1", f"1.{number}", at=day(number))], day(number))
        views.append(ask(home, spans))
    assert views[0] == views[1]
    assert len(views[0]) == 6


def test_a_catalogue_that_lost_a_third_is_held(tmp_path: Path) -> None:
    rows = [told(f"m{n}") for n in range(30)]
    for number in range(3):
        assert load_catalogue(tmp_path, rows, day(number)).state == "good"
    result = load_catalogue(tmp_path, rows[:15], day(3))
    assert result.state == "held"
    assert result.reason is not None
    assert result.reason.startswith("R7: 15 offers where the last good runs had 30")


def test_the_daily_level_is_the_clouds_own_wherever_it_spoke(tmp_path: Path) -> None:
    levels = (
        "SELECT day, provider, min_usd_per_gpu_hour AS low, first_party FROM price_days "
        "ORDER BY day, provider"
    )
    load_catalogue(
        tmp_path, [told("m1", "1.9", at=day(0)), told("z", "3", about="zeta", at=day(0))], day(0.1)
    )
    load(tmp_path, [offer("m1", "2.5")], day(0.5))
    load_catalogue(tmp_path, [told("m1", "1.8", at=day(2))], day(2.1))
    load_catalogue(tmp_path, [told("m1", "1.7", at=day(5))], day(5.1))
    found = [(row["provider"], row["low"], row["first_party"]) for row in ask(tmp_path, levels)]
    assert found == [("acme", 2.5, True), ("zeta", 3.0, False), ("acme", 1.7, False)]


def test_a_catalogues_price_is_measured_against_the_other_clouds_not_itself(tmp_path: Path) -> None:
    for name in ("one", "two", "three", "four", "five", "six"):
        load(tmp_path, [offer("m1", "2.5")], day(0), provider=name)
    result = load_catalogue(
        tmp_path, [told("m9", "90", about="zeta"), told("m8", "2.6", about="zeta")], day(0.1)
    )
    assert (result.offers, result.held) == (1, 1)


def test_changes_of_a_cloud_that_is_crawled_come_from_its_own_runs(tmp_path: Path) -> None:
    load(tmp_path, [offer("m1", "2.5")], day(0))
    for number, price in ((0.1, "2"), (1, "1.5")):
        rows = [told("m1", price, at=day(number)), told("z", price, about="zeta", at=day(number))]
        load_catalogue(tmp_path, rows, day(number))
    assert [(row["provider"], row["change"]) for row in ask(tmp_path, "SELECT * FROM changes")] == [
        ("zeta", "repriced")
    ]


def test_readers_know_a_cloud_that_only_a_catalogue_describes(tmp_path: Path) -> None:
    load(tmp_path, [offer("m1")], day(0))
    load_catalogue(tmp_path, [told("m1"), told("z", about="zeta")], day(0.1))
    connection = open_market(tmp_path)
    try:
        rows = {row["provider"]: row for row in providers(connection, now=day(1))}
        assert (rows["zeta"]["state"], rows["zeta"]["offers"], rows["zeta"]["first_party"]) == (
            "compiled",
            1,
            False,
        )
        assert (rows["cat"]["state"], rows["acme"]["offers"]) == ("good", 1)
        found = offers(connection, OfferFilter(provider="zeta"), now=day(1)).rows
        assert [(row["provider"], row["first_party"]) for row in found] == [("zeta", False)]
        then = offers(connection, OfferFilter(as_of=day(0.5)), now=day(1)).rows
        assert sorted((row["provider"], row["source"]) for row in then) == [
            ("acme", "acme"),
            ("zeta", "cat:zeta"),
        ]
    finally:
        connection.close()


def test_a_dry_run_of_a_catalogue_compares_with_its_own_past(tmp_path: Path) -> None:
    load_catalogue(tmp_path, [told("m1", "2")], day(0))
    folder = catalogue_folder(tmp_path / "other", [told("m1", "16", gpu_count=1.0, at=day(1))], day(1))
    found = dry_run(folder, now=day(1), home=tmp_path)
    assert len(found.rows) == 1
    assert found.rows[0]["first_party"] is False
    plain = write_run(tmp_path / "plain", [offer("m1", "2.5")], day(1))
    assert dry_run(plain, now=day(1), home=tmp_path).rows[0]["first_party"] is True


def test_an_older_published_copy_is_refused_with_the_next_step(tmp_path: Path) -> None:
    import duckdb
    import pytest

    from warehouse.database import market_path
    from warehouse.errors import WarehouseError

    load(tmp_path, [offer("m1")], day(0))
    with duckdb.connect(str(market_path(tmp_path))) as connection:
        connection.execute("UPDATE meta SET value = '2' WHERE key = 'schema_version'")
    with pytest.raises(WarehouseError, match=r"older gpufare \(format 2\); run: gpufare load"):
        open_market(tmp_path)
    ingest(tmp_path, [], now=day(0) + timedelta(hours=1))
    open_market(tmp_path).close()
