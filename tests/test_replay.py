"""Replay: the order, the clock of the recording, no connection, one line where a recording is broken."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crawlers.replay import find_run_folders
from tests.crawl_server import OFFER, gets, provider, run, run_one, write_spider
from warehouse.errors import RunFolderError, UnknownNameError
from warehouse.records import Offer
from warehouse.run_folder import ParseReport, ReplayIndex, RunFolderWriter, read_records, read_run_folder

RECORDED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOST = "https://api.cloud.example"


def offer(price: str) -> bytes:
    return OFFER.replace(b"2.5", price.encode())


def record(
    root: Path, *exchanges: tuple[str, str, str | None, bytes], partial: bool = True, **source: str
) -> Path:
    """A recording of (method, url, request body, answer)."""
    origin = {"origin": "test bench", "licence": "CC0", "fidelity": "raw", "note": "", **source}
    writer = RunFolderWriter(root, "cloud", RECORDED, partial=partial, source=origin)
    for method, url, sent, body in exchanges:
        writer.add(method, url, sent, 200, {"Content-Type": "application/json"}, body, suffix=".json")
    return writer.finish(ParseReport("1", "2026-03-01", "good"), [])


def prices(folder: Path | None) -> list[str]:
    assert folder is not None
    return sorted(str(found.price_raw) for found in read_records(folder) if isinstance(found, Offer))


def test_rule_one_same_method_address_and_body_query_order_ignored(tmp_path: Path) -> None:
    folder = record(
        tmp_path,
        ("GET", f"{HOST}/p?a=1&b=2", None, b"first"),
        ("POST", f"{HOST}/p?a=1&b=2", '{"x":1}', b"second"),
        ("POST", f"{HOST}/p?a=1&b=2", '{"x":2}', b"third"),
    )
    index = ReplayIndex(read_run_folder(folder))
    found = index.find("POST", f"{HOST}/p?b=2&a=1", '{"x":2}')
    assert found is not None
    assert index.folder.body(found) == b"third"
    again = index.find("POST", f"{HOST}/p?b=2&a=1", '{"x":2}')
    assert again == found  # an exact match may be asked for twice


def test_rule_two_first_unused_of_the_same_method_host_and_path_in_recorded_order(tmp_path: Path) -> None:
    folder = record(
        tmp_path,
        ("GET", f"{HOST}/p?page=10", None, b"ten"),
        ("GET", f"{HOST}/p?page=9", None, b"nine"),
        ("GET", f"{HOST}/other", None, b"other"),
    )
    index = ReplayIndex(read_run_folder(folder))
    bodies = [index.find("GET", f"{HOST}/p?cursor={cursor}", None) for cursor in ("a", "b", "c")]
    assert [found and index.folder.body(found) for found in bodies] == [b"ten", b"nine", None]


def test_rule_three_anything_else_is_a_miss(tmp_path: Path) -> None:
    index = ReplayIndex(read_run_folder(record(tmp_path, ("GET", f"{HOST}/p", None, b"x"))))
    assert index.find("POST", f"{HOST}/p", None) is None
    assert index.find("GET", f"{HOST}/q", None) is None
    assert index.find("GET", "https://other.example/p", None) is None


def test_a_replay_asks_nobody_and_uses_the_clock_of_the_recording(tmp_path: Path) -> None:
    with provider() as host:
        folder = record(tmp_path / "rec", ("GET", f"{host.url}/a", None, offer("2.5")))
        write_spider(tmp_path / "spiders", "cloud", gets(f"{host.url}/a", f"{host.url}/b"))
        result = run_one(tmp_path, "cloud", replay=[folder])
        assert host.asked == []
    (found,) = read_records(result.folder) if result.folder else []
    assert found.observed_at == RECORDED
    assert result.folder is not None
    assert result.folder.name.startswith("20260301T120000Z-")
    assert result.replay_of == folder.resolve()


def test_a_replay_says_where_it_came_from_and_keeps_licence_and_gaps(tmp_path: Path) -> None:
    folder = record(tmp_path / "rec", ("GET", f"{HOST}/a", None, offer("1")), licence="CC-BY-4.0")
    write_spider(tmp_path / "spiders", "cloud", gets(f"{HOST}/a"))
    result = run_one(tmp_path, "cloud", replay=[folder])
    assert result.folder is not None
    again = read_run_folder(result.folder)
    assert again.source["origin"] == f"replay of cloud/{folder.name} (test bench)"
    assert (again.source["licence"], again.source["fidelity"], again.partial) == ("CC-BY-4.0", "raw", True)


def test_the_same_input_gives_the_same_run_id_also_from_a_replay(tmp_path: Path) -> None:
    folder = record(tmp_path / "rec", ("GET", f"{HOST}/a", None, offer("1")))
    write_spider(tmp_path / "spiders", "cloud", gets(f"{HOST}/a"))
    first = run_one(tmp_path, "cloud", replay=[folder])
    second = run_one(tmp_path, "cloud", replay=[folder])
    third = run_one(tmp_path, "cloud", replay=[first.folder])
    assert first.folder == second.folder == third.folder
    assert first.folder is not None
    assert first.folder.name != folder.name


def test_a_miss_is_no_fault_in_a_partial_recording_only(tmp_path: Path) -> None:
    write_spider(tmp_path / "spiders", "cloud", gets(f"{HOST}/a", f"{HOST}/b"))
    some = record(tmp_path / "some", ("GET", f"{HOST}/a", None, offer("1")))
    whole = record(tmp_path / "whole", ("GET", f"{HOST}/a", None, offer("1")), partial=False)
    assert run_one(tmp_path, "cloud", replay=[some]).state == "good"
    result = run_one(tmp_path, "cloud", replay=[whole])
    assert (result.state, result.offers) == ("partial", 1)
    assert result.reason is not None
    assert "/b: HTTP 404" in result.reason


def test_a_miss_leaves_no_exchange_behind(tmp_path: Path) -> None:
    write_spider(tmp_path / "spiders", "cloud", gets(f"{HOST}/a", f"{HOST}/b"))
    result = run_one(tmp_path, "cloud", replay=[record(tmp_path / "rec", ("GET", f"{HOST}/a", None, OFFER))])
    assert result.folder is not None
    assert [exchange.url for exchange in read_run_folder(result.folder).exchanges] == [f"{HOST}/a"]


def test_a_recorded_post_is_found_by_its_body(tmp_path: Path) -> None:
    folder = record(
        tmp_path / "rec",
        ("POST", f"{HOST}/q", '{"gpu":"a"}', offer("1")),
        ("POST", f"{HOST}/q", '{"gpu":"b"}', offer("2")),
    )
    body = f"""
    def requests(self):
        yield self.post("{HOST}/q", {{"gpu": "b"}}, self.parse)
    """
    write_spider(tmp_path / "spiders", "cloud", body)
    assert prices(run_one(tmp_path, "cloud", replay=[folder]).folder) == ["2"]


@pytest.mark.parametrize("damage", ["cut", "edited", "lost"])
def test_a_damaged_body_fails_that_run_with_its_line_and_no_other(tmp_path: Path, damage: str) -> None:
    write_spider(tmp_path / "spiders", "cloud", gets(f"{HOST}/a"))
    bad = record(tmp_path / "bad", ("GET", f"{HOST}/a", None, offer("1")))
    good = record(tmp_path / "good", ("GET", f"{HOST}/a", None, offer("3")))
    body = bad / "0001.json"
    if damage == "lost":
        body.unlink()
    else:
        body.write_bytes(body.read_bytes()[:9] if damage == "cut" else body.read_bytes().replace(b"1", b"9"))
    failed, went = run(tmp_path, replay=[bad, good])
    assert (failed.state, failed.folder) == ("failed", None)
    assert failed.reason is not None
    assert "0001.json" in failed.reason
    assert ("sha256" in failed.reason) is (damage != "lost")
    assert "\n" not in failed.reason
    assert (went.state, prices(went.folder)) == ("good", ["3"])
    assert [path.name for path in (tmp_path / "runs" / "cloud").iterdir()] == [went.folder.name]  # type: ignore[union-attr]


def test_a_malformed_recording_fails_alone(tmp_path: Path) -> None:
    write_spider(tmp_path / "spiders", "cloud", gets(f"{HOST}/a"))
    good = record(tmp_path / "all", ("GET", f"{HOST}/a", None, offer("3")))
    broken = tmp_path / "all" / "cloud" / "20260101T000000Z-broken"
    broken.mkdir()
    (broken / "run.json").write_text("{", "utf-8")
    failed, went = run(tmp_path, replay=[tmp_path / "all"])
    assert failed.state == "failed"
    assert failed.reason is not None
    assert "run.json is not readable" in failed.reason
    assert (went.state, went.replay_of) == ("good", good.resolve())


def test_a_recording_of_a_provider_without_a_spider_fails_alone(tmp_path: Path) -> None:
    write_spider(tmp_path / "spiders", "other", gets(f"{HOST}/a"))
    folder = record(tmp_path / "rec", ("GET", f"{HOST}/a", None, OFFER))
    (result,) = run(tmp_path, replay=[folder])
    assert (result.state, result.reason) == ("failed", "no spider is named 'cloud'")


def test_folders_are_found_at_any_depth_each_once(tmp_path: Path) -> None:
    one = record(tmp_path / "rec", ("GET", f"{HOST}/a", None, offer("1")))
    two = record(tmp_path / "rec", ("GET", f"{HOST}/a", None, offer("2")))
    (tmp_path / "rec" / "cloud" / ".writing-1-x").mkdir()
    (tmp_path / "rec" / "cloud" / ".writing-1-x" / "run.json").write_text("{}", "utf-8")
    found = find_run_folders([tmp_path / "rec", one, tmp_path / "rec" / "cloud"])
    assert found == sorted([one.resolve(), two.resolve()])


@pytest.mark.parametrize("make", [True, False])
def test_a_path_without_recordings_is_refused_in_one_line(tmp_path: Path, make: bool) -> None:
    path = tmp_path / "empty"
    if make:
        path.mkdir()
    with pytest.raises(RunFolderError, match="empty"):
        find_run_folders([path])


def test_an_unknown_provider_is_refused_with_near_names(tmp_path: Path) -> None:
    write_spider(tmp_path / "spiders", "scaleway", gets(f"{HOST}/a"))
    with pytest.raises(UnknownNameError, match="did you mean scaleway"):
        run(tmp_path, "scalway")


def test_order_of_requests_is_the_order_of_the_spider(tmp_path: Path) -> None:
    """Scrapy's own queue answers the newest request first, which would turn rule two upside down."""
    pages: list[Any] = [("GET", f"{HOST}/p?page={page}", None, offer(str(page))) for page in (1, 2, 3)]
    folder = record(tmp_path / "rec", *pages)
    write_spider(
        tmp_path / "spiders",
        "cloud",
        f"""
        def requests(self):
            for cursor in "xyz":
                yield self.get("{HOST}/p?cursor=" + cursor, self.parse_page, cursor=cursor)

        def parse_page(self, response):
            data = self.json(response)
            key = response.meta["cursor"]
            yield from self.offer(response, gpu_name_raw="H100", offer_key=key, gpu_count=1,
                                  price_kind="spot", price_raw=price(data["price"]),
                                  price_unit="per gpu-hour", currency="USD")
        """,
    )
    result = run_one(tmp_path, "cloud", replay=[folder])
    assert result.folder is not None
    found = {
        item.offer_key: str(item.price_raw) for item in read_records(result.folder) if isinstance(item, Offer)
    }
    assert found == {"x": "1", "y": "2", "z": "3"}
    stored = json.loads((result.folder / "run.json").read_text("utf-8"))
    assert [item["request"]["url"][-1] for item in stored["exchanges"]] == ["x", "y", "z"]
