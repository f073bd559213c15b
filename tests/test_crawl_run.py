"""One provider, one process: crashes, hangs and mistakes cost one provider and are said in one line."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crawlers.child import child_environment
from crawlers.run import CrawlEvent
from tests.crawl_server import LIMITS, Answer, gets, provider, run, run_one, write_spider
from warehouse.records import Offer
from warehouse.run_folder import read_records, read_run_folder

HOST = "https://api.cloud.example"
NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc: Linux only")
PAGE = "def requests(self):\n    yield self.get('{url}/a', self.{callback})\n"


def with_callback(tmp_path: Path, name: str, url: str, lines: str, facts: str = "") -> None:
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    text = PAGE.format(url=url, callback="go") + "\ndef go(self, response):\n" + body
    write_spider(tmp_path / "spiders", name, text, facts=facts)


def scratch(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "runs").rglob(".writing-*")]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("os.kill(os.getpid(), 9); yield", "was killed by SIGKILL"),
        ("os._exit(3); yield", "ended with code 3"),
        ("os.write(2, b'out of cheese\\n'); os._exit(1); yield", "its last line: out of cheese"),
    ],
)
def test_a_child_that_dies_costs_one_provider_and_leaves_nothing(
    tmp_path: Path, fault: str, says: str
) -> None:
    with provider(a=Answer()) as host:
        with_callback(tmp_path, "bad", host.url, fault)
        write_spider(tmp_path / "spiders", "good", gets(f"{host.url}/a"))
        bad, good = run(tmp_path, "bad", "good")
    assert (bad.state, bad.folder) == ("failed", None)
    assert bad.reason is not None
    assert says in bad.reason
    assert (good.state, good.offers) == ("good", 1)
    assert scratch(tmp_path) == []


def test_a_child_that_hangs_is_ended_at_the_time_limit(tmp_path: Path) -> None:
    with provider(a=Answer()) as host:
        with_callback(tmp_path, "stuck", host.url, "time.sleep(60)\nyield")
        result = run_one(tmp_path, "stuck", time_limit_seconds=2.0)
    assert result.state == "failed"
    assert result.reason == "no result within 2 s; the crawl process was ended"
    assert 2.0 <= result.seconds < 10
    assert scratch(tmp_path) == []


def test_a_crawl_that_takes_too_long_keeps_what_it_has_as_partial(tmp_path: Path) -> None:
    with provider(a=Answer(), b=Answer(slow_seconds=30)) as host:
        write_spider(tmp_path / "spiders", "slow", gets(f"{host.url}/a", f"{host.url}/b"))
        limits = replace(LIMITS, soft_limit_seconds=1.0, timeout_seconds=2, retries=0)
        result = run_one(tmp_path, "slow", limits=limits)
    assert (result.state, result.offers) == ("partial", 1)
    assert result.reason is not None
    assert "time limit" in result.reason


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("raise ShapeError(\"answer: field 'price' is missing\")\nyield", "field 'price' is missing"),
        ("yield {}['price']", "KeyError"),
        ("return 1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_fault_in_a_callback_holds_its_source(tmp_path: Path, lines: str, says: str) -> None:
    with provider(a=Answer()) as host:
        with_callback(tmp_path, "cloud", host.url, lines)
        result = run_one(tmp_path, "cloud")
    assert (result.state, result.offers) == ("held", 0)
    assert result.reason is not None
    assert says in result.reason


def test_a_fault_in_a_request_made_by_hand_is_not_silent_either(tmp_path: Path) -> None:
    with provider(a=Answer()) as host:
        write_spider(
            tmp_path / "spiders",
            "cloud",
            f"""
            def requests(self):
                yield scrapy.Request("{host.url}/a", callback=self.go)

            def go(self, response):
                raise ShapeError("no table")
                yield
            """,
        )
        result = run_one(tmp_path, "cloud")
    assert result.state == "held"
    assert result.reason is not None
    assert "no table" in result.reason


def test_a_fault_while_the_first_requests_are_made_is_not_silent(tmp_path: Path) -> None:
    write_spider(tmp_path / "spiders", "cloud", "def requests(self):\n    raise ValueError('no list')\n")
    result = run_one(tmp_path, "cloud")
    assert result.state == "held"
    assert result.reason is not None
    assert "ValueError: no list in requests" in result.reason


def test_records_of_a_held_source_are_dropped_and_its_bytes_stay(tmp_path: Path) -> None:
    with provider(a=Answer(), b=Answer(), c=Answer(b"<html>", headers={"Content-Type": "text/html"})) as host:
        write_spider(
            tmp_path / "spiders",
            "cloud",
            f"""
            def requests(self):
                yield self.get("{host.url}/a", self.parse)
                yield self.get("{host.url}/b", self.parse, source="cloud:spot")
                yield self.get("{host.url}/c", self.parse, source="cloud:spot")
            """,
            facts='sources = ("cloud", "cloud:spot")',
        )
        result = run_one(tmp_path, "cloud")
    assert (result.state, result.offers) == ("partial", 1)
    assert result.reason is not None
    assert "cloud:spot: " in result.reason
    assert "not JSON" in result.reason
    assert result.folder is not None
    assert [item.source for item in read_records(result.folder) if isinstance(item, Offer)] == ["cloud"]
    assert len(read_run_folder(result.folder).exchanges) == 3


def test_a_spider_that_cannot_be_imported_fails_with_its_line(tmp_path: Path) -> None:
    write_spider(tmp_path / "spiders", "cloud", "x = nothing_like_it\n")
    result = run_one(tmp_path, "cloud")
    assert result.state == "failed"
    assert result.reason is not None
    assert "nothing_like_it" in result.reason


def test_a_disk_that_cannot_be_written_fails_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be", "utf-8")
    write_spider(tmp_path / "spiders", "cloud", gets(f"{HOST}/a"))
    result = run_one(tmp_path, "cloud")
    assert result.state == "failed"
    assert result.reason is not None
    assert "Not a directory" in result.reason


def test_providers_that_share_a_host_never_run_together(tmp_path: Path) -> None:
    with provider(a=Answer(slow_seconds=0.4)) as host, provider(a=Answer(slow_seconds=0.4)) as elsewhere:
        for name, at in (("one", host), ("two", host), ("three", elsewhere)):
            write_spider(tmp_path / "spiders", name, gets(f"{at.url}/a"))
        # loopback servers differ by port only, so the third is told apart by a name of its own
        spider = tmp_path / "spiders" / "three.py"
        spider.write_text(spider.read_text("utf-8").replace("127.0.0.1", "localhost"), "utf-8")
        running: set[str] = set()
        together: set[frozenset[str]] = set()

        def watch(event: CrawlEvent) -> None:
            if event.kind == "started":
                running.add(event.provider)
            if event.kind == "finished":
                running.discard(event.provider)
            together.add(frozenset(running))

        results = run(tmp_path, "one", "two", "three", on_event=watch, concurrency=3)
    assert [result.state for result in results] == ["good"] * 3
    assert not any({"one", "two"} <= both for both in together)
    assert any({"one", "three"} <= both for both in together)


def test_results_come_in_the_order_asked_for_each_name_once(tmp_path: Path) -> None:
    with provider(a=Answer()) as host:
        for name in ("b", "a"):
            write_spider(tmp_path / "spiders", name, gets(f"{host.url}/a"))
        results = run(tmp_path, "b", "a", "b")
    assert [result.provider for result in results] == ["b", "a"]


def test_stop_ends_running_children_and_starts_no_more(tmp_path: Path) -> None:
    with provider(a=Answer()) as host:
        for name in ("one", "two"):
            with_callback(tmp_path, name, host.url, "time.sleep(60)\nyield")
        stop, started = threading.Event(), time.monotonic()
        timer = threading.Timer(1.5, stop.set)
        timer.start()
        results = run(tmp_path, "one", "two", stop=stop)
        timer.join()
    assert time.monotonic() - started < 15
    assert [result.state for result in results] == ["failed", "failed"]
    assert results[0].reason == "interrupted"
    assert scratch(tmp_path) == []


@NEEDS_PROC
def test_a_secret_is_in_no_argument_list_and_no_environment(tmp_path: Path) -> None:
    with provider(a=Answer()) as host:
        lines = (
            "seen = open('/proc/self/cmdline').read() + str(dict(os.environ))\n"
            "leaked = self.secret('CLOUD_KEY') in seen\n"
            "self.held('leaked' if leaked else 'safe ' + str(sorted(self.secrets)))\n"
            "yield from ()"
        )
        with_callback(tmp_path, "cloud", host.url, lines, facts='credential = ("CLOUD_KEY",)')
        result = run_one(tmp_path, "cloud", secrets={"CLOUD_KEY": "very-secret-value", "OTHER_KEY": "other"})
    assert result.reason is not None
    assert result.reason.endswith("safe ['CLOUD_KEY']")


def test_a_secret_in_a_fault_is_redacted(tmp_path: Path) -> None:
    with provider(a=Answer()) as host:
        lines = "raise ValueError('token ' + self.secret('CLOUD_KEY'))\nyield"
        with_callback(tmp_path, "cloud", host.url, lines, facts='credential = ("CLOUD_KEY",)')
        result = run_one(tmp_path, "cloud", secrets={"CLOUD_KEY": "very-secret-value"})
    assert result.reason is not None
    assert "token redacted" in result.reason
    assert result.folder is not None
    assert "very-secret-value" not in (result.folder / "parse.json").read_text("utf-8")


def test_a_child_inherits_nothing_but_what_is_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "very-secret-value")
    found = child_environment({"HTTPS_PROXY": "http://proxy.example:3128"})
    assert set(found) <= {"PYTHONPATH", "PYTHONUTF8", "SSL_CERT_FILE", "HTTPS_PROXY"}


@NEEDS_PROC
def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    """The parent is killed outright while its child waits for an answer; the child must not stay behind."""
    with provider(a=Answer(slow_seconds=20)) as host:
        write_spider(tmp_path / "spiders", "cloud", gets(f"{host.url}/a"))
        code = (
            "from pathlib import Path; from tests.crawl_server import run; import sys;"
            "run(Path(sys.argv[1]), 'cloud')"
        )
        parent = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parent.parent
        )
        wait_for(lambda: bool(host.paths()))
        (folder,) = scratch(tmp_path)
        child = Path("/proc") / folder.split("-")[1]
        assert child.exists()
        parent.kill()
        parent.wait()
        wait_for(lambda: is_gone(child))


def test_the_parent_imports_neither_scrapy_nor_the_columnar_stack() -> None:
    code = (
        "import sys; import crawlers.run, crawlers.due, crawlers.discover;"
        "crawlers.discover.spider_cards();"
        "heavy = {'scrapy', 'twisted', 'duckdb', 'pyarrow', 'pandas', 'numpy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def is_gone(process: Path) -> bool:
    """Ended, or a zombie that nobody collects here."""
    try:
        return (process / "stat").read_text("utf-8").rsplit(") ", 1)[1].startswith("Z")
    except FileNotFoundError:
        return True


def wait_for(what: object, seconds: float = 15.0) -> None:
    until = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)


def test_where_the_first_sources_cannot_be_reached_the_others_are_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import crawlers.run as engine

    asked: list[str] = []

    def unreachable(self: object, job: Any) -> engine.CrawlResult:
        asked.append(job.card.provider)
        return engine.CrawlResult(
            job.card.provider, "failed", "x: the name x.example was not found (no network?)"
        )

    for number in range(12):
        write_spider(tmp_path, f"s{number:02d}", gets(f"https://host{number}.example/"))
    monkeypatch.setattr(engine._Crawl, "_child", unreachable)
    names = [f"s{number:02d}" for number in range(12)]
    options = engine.CrawlOptions(spiders=tmp_path, concurrency=2)
    results = engine.crawl(
        names, home=tmp_path / "home", now=datetime(2026, 11, 21, tzinfo=UTC), options=options
    )
    assert [result.provider for result in results] == names
    assert 6 <= len(asked) <= 8
    assert all((result.reason or "").startswith("not asked: the first 6") for result in results[8:])


def test_one_source_that_answers_keeps_the_others_asked() -> None:
    import crawlers.run as engine

    lost = [engine.CrawlResult(f"s{n}", "failed", "h could not be reached (timeout)") for n in range(9)]
    assert engine._no_network(lost)
    assert not engine._no_network([*lost, engine.CrawlResult("good", "good")])
    assert not engine._no_network(lost[:5])
