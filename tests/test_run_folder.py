"""What a live crawl leaves behind: redacted bytes, a digest that leads back to them, whole or nothing."""

from __future__ import annotations

import gzip
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.crawl_server import JSON, NOW, Answer, gets, provider, run_one, write_spider
from warehouse.errors import RunFolderError
from warehouse.records import Offer
from warehouse.run_folder import ParseReport, RunFolderWriter, read_records, read_run_folder

KEY = "sk-live-0123456789"
HOST_BODY = b'{"name": "H100", "price": 2.5, "public_ipaddr": "81.2.69.142", "echo": "sk-live-0123456789"}'


def offers(folder: Path | None) -> list[Offer]:
    assert folder is not None
    return [record for record in read_records(folder) if isinstance(record, Offer)]


def keyed(tmp_path: Path, url: str) -> None:
    write_spider(
        tmp_path / "spiders",
        "cloud",
        f"""
        def requests(self):
            key = self.secret("CLOUD_KEY")
            yield self.get("{url}/a?key=" + key + "&page=1", self.parse, headers={{"Authorization": key}})
        """,
        facts='credential = ("CLOUD_KEY",)\nneeds_credential = True',
    )


def test_no_key_and_no_address_of_a_host_reaches_the_disk(tmp_path: Path) -> None:
    headers = {"Content-Type": "application/json", "Set-Cookie": "id=1", "Link": f"</a?key={KEY}>; rel=next"}
    with provider(a=Answer(HOST_BODY, headers=headers)) as host:
        keyed(tmp_path, host.url)
        result = run_one(tmp_path, "cloud", secrets={"CLOUD_KEY": KEY, "OTHER_KEY": "other-secret-1"})
    assert result.state == "good"
    for file in (tmp_path / "runs").rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert KEY.encode() not in content, file
            assert b"81.2.69.142" not in content, file
            assert b"Set-Cookie" not in content, file
    (offer,) = offers(result.folder)
    assert offer.source_url.endswith("/a?key=redacted&page=1")


def test_the_digest_of_an_offer_leads_back_to_the_stored_body(tmp_path: Path) -> None:
    """The stored body was redacted, so its digest is not that of the bytes that came."""
    with provider(a=Answer(HOST_BODY)) as host:
        keyed(tmp_path, host.url)
        result = run_one(tmp_path, "cloud", secrets={"CLOUD_KEY": KEY})
    (offer,) = offers(result.folder)
    assert result.folder is not None
    folder = read_run_folder(result.folder)
    (exchange,) = [item for item in folder.exchanges if item.sha256 == offer.body_sha256]
    body = folder.body(exchange)
    assert hashlib.sha256(body).hexdigest() == offer.body_sha256
    assert b"H100" in body
    assert offer.body_sha256 != hashlib.sha256(HOST_BODY).hexdigest()


def test_a_body_without_secrets_is_kept_as_it_came(tmp_path: Path) -> None:
    body = b'{"name":"H100",  "price":2.50}\r\n\xef\xbb\xbf'
    with provider(a=Answer(body)) as host:
        write_spider(tmp_path / "spiders", "cloud", gets(f"{host.url}/a"))
        result = run_one(tmp_path, "cloud")
    assert result.folder is not None
    folder = read_run_folder(result.folder)
    assert [folder.body(exchange) for exchange in folder.exchanges] == [body]


def test_a_compressed_answer_is_kept_as_the_text_it_is_and_stored_compressed_where_long(
    tmp_path: Path,
) -> None:
    body = b'{"name": "H100", "price": 2.5, "padding": "' + b"x" * 1_200_000 + b'"}'
    with provider(a=Answer(gzip.compress(body), headers={**JSON, "Content-Encoding": "gzip"})) as host:
        write_spider(tmp_path / "spiders", "cloud", gets(f"{host.url}/a"))
        result = run_one(tmp_path, "cloud")
    assert result.folder is not None
    folder = read_run_folder(result.folder)
    (exchange,) = folder.exchanges
    assert exchange.body_file == "0001.json.gz"
    assert "Content-Encoding" not in exchange.headers
    assert folder.body(exchange) == body
    (offer,) = offers(result.folder)
    assert offer.body_sha256 == exchange.sha256 == hashlib.sha256(body).hexdigest()


def test_a_keyed_run_is_replayed_without_the_key(tmp_path: Path) -> None:
    with provider(a=Answer(HOST_BODY)) as host:
        keyed(tmp_path, host.url)
        live = run_one(tmp_path, "cloud", secrets={"CLOUD_KEY": KEY})
    again = run_one(tmp_path, "cloud", replay=[live.folder])
    assert (again.state, again.offers) == ("good", 1)


def test_the_same_crawl_has_the_same_id_and_stands_once(tmp_path: Path) -> None:
    with provider(a=Answer()) as host:
        write_spider(tmp_path / "spiders", "cloud", gets(f"{host.url}/a"))
        first, second = run_one(tmp_path, "cloud"), run_one(tmp_path, "cloud")
    assert first.folder == second.folder
    assert [path.name for path in (tmp_path / "runs" / "cloud").iterdir()] == [first.folder.name]  # type: ignore[union-attr]


def test_a_run_that_reached_nothing_says_so_and_keeps_no_offer(tmp_path: Path) -> None:
    with provider(a=Answer(b"gone", 410)) as host:
        write_spider(tmp_path / "spiders", "cloud", gets(f"{host.url}/a", f"{host.url}/b"))
        result = run_one(tmp_path, "cloud")
    assert (result.state, result.offers) == ("failed", 0)
    assert result.folder is not None
    report = read_run_folder(result.folder).parse_report()
    assert report is not None
    assert (report.state, report.sources[0].state) == ("failed", "failed")
    assert report.reason is not None
    assert "HTTP 410 (and 1 more)" in report.reason
    assert report.requests == 3  # two pages and robots.txt


def test_an_unfinished_folder_is_never_seen(tmp_path: Path) -> None:
    writer = RunFolderWriter(tmp_path, "cloud", NOW, partial=False, source={})
    writer.add("GET", "https://a.example/", None, 200, {}, b"{}", suffix=".json")
    assert [path for path in (tmp_path / "cloud").iterdir() if not path.name.startswith(".")] == []
    folder = writer.finish(ParseReport("1", "2026-11-21", "good"), [])
    assert [path.name for path in (tmp_path / "cloud").iterdir()] == [folder.name]
    assert read_run_folder(folder).exchanges[0].body_file == "0001.json"


def test_many_writers_of_the_same_run_end_with_one_whole_folder(tmp_path: Path) -> None:
    """Two replays of one recording, or a retried crawl: same id, same bytes, at the same moment."""

    def write(_: int) -> Path:
        writer = RunFolderWriter(tmp_path, "cloud", NOW, partial=False, source={})
        writer.add("GET", "https://a.example/", None, 200, {}, b"{}", suffix=".json")
        return writer.finish(ParseReport("1", "2026-11-21", "good"), [])

    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(write, range(24)))
    assert len(folders) == 1
    assert list((tmp_path / "cloud").iterdir()) == list(folders)
    folder = read_run_folder(folders.pop())
    assert folder.body(folder.exchanges[0]) == b"{}"


def test_exchanges_keep_their_recorded_order(tmp_path: Path) -> None:
    writer = RunFolderWriter(tmp_path, "cloud", NOW, partial=False, source={})
    for page in ("10", "9", "1"):
        writer.add("GET", f"https://a.example/?page={page}", None, 200, {}, page.encode(), suffix=".json")
    folder = writer.finish(ParseReport("1", "2026-11-21", "good"), [])
    assert [exchange.url[-2:].strip("=") for exchange in read_run_folder(folder).exchanges] == [
        "10",
        "9",
        "1",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "run.json is not readable"),
        ('{"format": 2}', "format 2 is not known to this version"),
        (
            '{"format": 1, "provider": "a", "recorded_at": "2026-01-01T00:00:00Z"}',
            "lacks or misstates 'exchanges'",
        ),
        (
            '{"format": 1, "provider": "a", "recorded_at": "2026-01-01T00:00:00", "exchanges": []}',
            "no time zone",
        ),
    ],
)
def test_a_malformed_run_json_has_its_own_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "run.json").write_text(text, "utf-8")
    with pytest.raises(RunFolderError, match=says):
        read_run_folder(tmp_path)


def test_a_body_file_cannot_point_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x", "utf-8")
    run = tmp_path / "run"
    run.mkdir()
    exchange = {
        "request": {"method": "GET", "url": "https://a.example/"},
        "response": {"status": 200, "headers": {}, "body_file": "../secret.txt", "sha256": None},
    }
    payload = {"format": 1, "provider": "a", "recorded_at": "2026-01-01T00:00:00Z", "exchanges": [exchange]}
    (run / "run.json").write_text(json.dumps(payload), "utf-8")
    folder = read_run_folder(run)
    with pytest.raises(RunFolderError, match="outside"):
        folder.body(folder.exchanges[0])
