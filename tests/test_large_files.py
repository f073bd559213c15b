"""Large answers: streamed to disk, asked for conditionally, and replayed from the archive."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crawlers.large_csv import csv_body, rows_of
from crawlers.large_files import taken_over
from crawlers.parsing import ShapeError
from crawlers.price_spider import PriceSpider
from crawlers.run import CrawlResult
from tests.crawl_server import LIMITS, NOW, Answer, provider, run_one, write_spider
from warehouse.errors import RunFolderError
from warehouse.records import Offer
from warehouse.run_folder import read_records, read_run_folder

CSV = {"Content-Type": "text/csv", "ETag": '"one"'}
METHODS = """
def requests(self):
    yield self.get("{url}", self.parse_file, to_file=True)

def parse_file(self, response):
    import gzip
    from decimal import Decimal
    assert response.body == b"", "the body must not be in memory"
    text = gzip.decompress(self.file(response).read_bytes()).decode()
    last = text.splitlines()[-1].split(",")
    yield from self.offer(response, gpu_name_raw=last[0], gpu_count=1, price_raw=Decimal(last[1]),
                          price_unit="per gpu-hour", currency="USD")
"""


def price_file(price: str, rows: int = 1) -> bytes:
    return b"gpu,price\n" + b"H100,9.99\n" * (rows - 1) + f"H100,{price}\n".encode()


def spider(home: Path, url: str) -> None:
    write_spider(home / "spiders", "cloud", METHODS.replace("{url}", url))


def only_folder(result: CrawlResult) -> Any:
    assert result.folder is not None, result.reason
    return read_run_folder(Path(result.folder))


def only_price(result: CrawlResult) -> str:
    (offer,) = read_records(only_folder(result).path)
    assert isinstance(offer, Offer)
    return str(offer.price_raw)


def test_a_large_answer_goes_to_disk_and_is_archived_as_it_came(tmp_path: Path) -> None:
    body = price_file("2.5", rows=400_000)
    with provider(list=Answer(body, headers=CSV)) as host:
        spider(tmp_path, f"{host.url}/list")
        result = run_one(tmp_path, "cloud")
    assert (result.state, result.offers) == ("good", 1), result.reason
    folder = only_folder(result)
    (exchange,) = [exchange for exchange in folder.exchanges if exchange.url.endswith("/list")]
    assert exchange.sha256 == hashlib.sha256(body).hexdigest()
    assert exchange.body_file.endswith(".csv.gz")
    assert folder.body(exchange) == body
    assert read_records(folder.path)[0].body_sha256 == exchange.sha256
    assert not list(folder.path.glob("arriving-*"))
    assert host.asked[-1][2]["Accept-Encoding"] == "identity"


def test_an_unchanged_file_is_not_fetched_again_and_the_run_stays_whole(tmp_path: Path) -> None:
    def answer(count: int) -> Answer:
        return Answer(price_file("2.5"), headers=CSV) if count == 1 else Answer(b"", 304, CSV)

    with provider(list=answer) as host:
        spider(tmp_path, f"{host.url}/list")
        first = run_one(tmp_path, "cloud")
        second = run_one(tmp_path, "cloud", now=NOW + timedelta(days=1))
    asked = [headers for _, path, headers in host.asked if path == "/list"]
    assert "If-None-Match" not in asked[0]
    assert asked[1]["If-None-Match"] == '"one"'
    assert (second.state, second.offers) == ("good", 1), second.reason
    old, new = only_folder(first), only_folder(second)
    assert new.path != old.path
    assert [item.status for item in new.exchanges] == [200]
    assert new.body(new.exchanges[0]) == price_file("2.5")


def test_a_file_whose_address_has_its_version_is_not_even_asked_for(tmp_path: Path) -> None:
    with provider(list=Answer(price_file("2.5"), headers={"Content-Type": "text/csv"})) as host:
        methods = METHODS.replace("{url}", f"{host.url}/list").replace(
            "to_file=True", "to_file=True, immutable=True"
        )
        write_spider(tmp_path / "spiders", "cloud", methods)
        run_one(tmp_path, "cloud")
        second = run_one(tmp_path, "cloud", now=NOW + timedelta(days=1))
    assert host.paths() == ["/list"]
    assert (second.state, only_price(second)) == ("good", "2.5")


def test_a_repeated_attempt_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    def answer(count: int) -> Answer:
        return Answer(b"busy", 500) if count == 1 else Answer(price_file("2.5"), headers=CSV)

    with provider(list=answer) as host:
        spider(tmp_path, f"{host.url}/list")
        folder = only_folder(run_one(tmp_path, "cloud"))
    assert not list(folder.path.glob("arriving-*"))
    assert folder.body(folder.exchanges[0]) == price_file("2.5")


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    prices = {1: "2.5", 2: "3.5"}
    with provider(list=lambda count: Answer(price_file(prices[count]), headers=CSV)) as host:
        spider(tmp_path, f"{host.url}/list")
        run_one(tmp_path, "cloud")
        second = run_one(tmp_path, "cloud", now=NOW + timedelta(days=1))
    assert only_price(second) == "3.5"


def test_a_damaged_archive_is_not_believed(tmp_path: Path) -> None:
    def answer(count: int) -> Answer:
        return Answer(b"", 304, CSV) if count == 2 else Answer(price_file("2.5"), headers=CSV)

    with provider(list=answer) as host:
        spider(tmp_path, f"{host.url}/list")
        first = only_folder(run_one(tmp_path, "cloud"))
        (first.path / first.exchanges[0].body_file).write_bytes(gzip.compress(price_file("9")))
        second = run_one(tmp_path, "cloud", now=NOW + timedelta(days=1))
    assert len(host.times("/list")) == 3
    assert "If-None-Match" not in host.asked[-1][2]
    assert only_price(second) == "2.5"


def test_too_large_a_file_fails_with_nothing_left_behind(tmp_path: Path) -> None:
    limits = replace(LIMITS, max_file_bytes=1000, retries=0)
    with provider(list=Answer(price_file("2.5", rows=1000), headers=CSV)) as host:
        spider(tmp_path, f"{host.url}/list")
        result = run_one(tmp_path, "cloud", limits=limits)
    assert result.state == "failed"
    assert not list(tmp_path.rglob("arriving-*"))


def test_a_file_that_comes_compressed_although_asked_for_plain_is_held(tmp_path: Path) -> None:
    packed = Answer(gzip.compress(price_file("2.5")), headers={**CSV, "Content-Encoding": "gzip"})
    with provider(list=packed) as host:
        spider(tmp_path, f"{host.url}/list")
        result = run_one(tmp_path, "cloud")
    assert result.state == "held"
    assert "gzip" in str(result.reason)


def test_a_missing_file_is_a_failure_with_its_status(tmp_path: Path) -> None:
    with provider(list=Answer(b"gone", 404)) as host:
        spider(tmp_path, f"{host.url}/list")
        result = run_one(tmp_path, "cloud")
    assert result.state == "failed"
    assert "HTTP 404" in str(result.reason)


def test_a_replay_reads_the_archived_file_and_refuses_a_cut_one(tmp_path: Path) -> None:
    with provider(list=Answer(price_file("2.5"), headers=CSV)) as host:
        spider(tmp_path, f"{host.url}/list")
        live = only_folder(run_one(tmp_path, "cloud"))
    again = run_one(tmp_path, "cloud", replay=[live.path])
    assert (again.state, again.offers) == ("good", 1), again.reason
    file = live.path / live.exchanges[0].body_file
    file.write_bytes(file.read_bytes()[:-9])
    assert run_one(tmp_path, "cloud", replay=[live.path]).state == "failed"


def test_a_plain_body_of_a_recording_is_packed_on_the_way(tmp_path: Path) -> None:
    body = price_file("2.5")
    (tmp_path / "list.csv").write_bytes(body)
    response = {"status": 200, "headers": {}, "body_file": "list.csv"}
    exchange = {
        "request": {"method": "GET", "url": "https://a.example/list"},
        "response": {**response, "sha256": hashlib.sha256(body).hexdigest()},
    }
    run = {"format": 1, "provider": "cloud", "recorded_at": "2026-11-21T06:00:00Z", "exchanges": [exchange]}
    (tmp_path / "run.json").write_text(json.dumps(run))
    folder = read_run_folder(tmp_path)
    target = tmp_path / "target"
    target.mkdir()
    assert gzip.decompress(taken_over(folder, folder.exchanges[0], target).read_bytes()) == body
    (tmp_path / "list.csv").write_bytes(body[:-3])
    with pytest.raises(RunFolderError, match="does not match"):
        taken_over(folder, folder.exchanges[0], target)


def test_a_large_answer_is_never_asked_for_with_a_credential() -> None:
    class Cloud(PriceSpider):
        name, title, homepage = "cloud", "Cloud", "https://cloud.example"

    cloud = Cloud(now=NOW)
    for options in ({"headers": {"Authorization": "x"}}, {"needs": "CLOUD_KEY"}):
        with pytest.raises(ValueError, match="credential"):
            cloud.get("https://cloud.example/list", print, to_file=True, **options)


def test_a_lost_column_and_a_short_row_are_named(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text('"gpu","price"\n"H100","2.5"\n')
    with csv_body(file, needed=("gpu", "price")) as (con, columns):
        assert columns == ["gpu", "price"]
        assert rows_of(con, "FROM body") == [{"gpu": "H100", "price": "2.5"}]
    with pytest.raises(ShapeError, match="no column 'region'"), csv_body(file, needed=("region",)):
        pass
    file.write_text('"gpu","price"\n"H100","2.5"\n"H2')
    with pytest.raises(ShapeError, match="cannot be read"), csv_body(file, needed=("gpu",)) as (con, _):
        rows_of(con, "FROM body")
